/**
 * Log Cache's processes in the place of their originals: a ring of two nodes and a gateway, driven by
 * the original's settings alone, and asked as the cf CLI and its plugin ask.
 */

import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as grpc from '@grpc/grpc-js';
import { dial, readTls, type TlsFiles } from '@standpipe/plumbing';
import { ensureCertificates } from '@standpipe/plumbing/authority';
import { eventually } from '@standpipe/plumbing/testing';
import {
  logCacheEgressService,
  logCacheIngressService,
  logcache,
  loggregator,
  type RawMethod,
} from '@standpipe/protos';
import { encodeBatch, numberedLog } from '@standpipe/protos/testing';
import test, { type ExecutionContext } from 'ava';
import { type Answer, ask, TextStream } from '../clients/http.ts';
import type { ServerOptions } from '../clients/ingress.ts';
import { readGrpc } from '../clients/readers.ts';
import { freePorts } from '../ports.ts';
import type { ManagedProcess } from '../process.ts';
import { logCacheGateway, node, platform } from './log-cache-specs.ts';
import { type Originals, originals } from './originals.ts';

/** By their hashes: of two nodes the first belongs to node 0, the second to node 1. */
const SOURCES = ['73467cc3-261a-472e-80e8-d6eadfd30d98', 'doppler'] as const;
/** What the cf CLI asks for when it wants all there is: Go's zero time. */
const GO_ZERO = '-6795364578871345152';

test.serial(
  'what is sent to either node of a ring is read through either, and one gateway',
  async (t) => {
    const { deployment, nodes, gateway, get } = await ring(t);
    for (const [index, sourceId] of [...SOURCES, ...SOURCES].entries()) {
      const at = nodes[index < 2 ? 0 : 1] ?? '';
      await send(cacheAt(deployment, at), sourceId, index);
    }
    for (const [own, sourceId] of SOURCES.entries()) {
      for (const at of nodes) {
        await eventually(async () => {
          const { size } = await readGrpc(cacheAt(deployment, at), sourceId);
          return size === 2;
        });
      }
      const { envelopes } = JSON.parse((await get(`/api/v1/read/${sourceId}`)).body);
      t.is(envelopes.batch.length, 2, sourceId);
      const local = await meta(cacheAt(deployment, nodes[own] ?? ''));
      t.deepEqual(Object.keys(local), [sourceId], 'each node keeps what is its own');
    }
    await eventually(async () => {
      const { meta: sources } = JSON.parse((await get('/api/v1/meta')).body);
      return Object.keys(sources).length === 2;
    });
    const { status, body } = await get('/api/v1/info');
    t.is(status, 200);
    t.regex(JSON.parse(body).version, /^\d+\.\d+\.\d+$/);
    await gateway.stop();
  },
);

test.serial(
  'nodes answer nobody without a certificate of theirs, and are known as log-cache',
  async (t) => {
    const { deployment, nodes } = await ring(t);
    const { ca, cert, key } = deployment.files('executor');
    const address = nodes[0] ?? '';
    await t.notThrowsAsync(
      send({ address, tls: { ca, cert, key }, serverName: 'log-cache' }, 'a', 1),
    );
    for (const [who, credentials] of [
      ['nobody in particular', grpc.credentials.createSsl(await readFile(ca))],
      ['somebody of another authority', await foreign(t, ca)],
      ['who does not speak TLS', grpc.credentials.createInsecure()],
    ] as const) {
      await t.throwsAsync(metaBy(address, credentials), { message: /UNAVAILABLE/ }, who);
    }
    await t.notThrowsAsync(metaBy(address, await trusted({ ca, cert, key })));
    const misnamed = send({ address, tls: { ca, cert, key }, serverName: 'someone-else' }, 'a', 1);
    await t.throwsAsync(misnamed, { message: /UNAVAILABLE/ });
  },
);

test.serial(
  'a gateway whose node is away says so, answers info, and comes back with it',
  async (t) => {
    const { deployment, nodes, processes, get } = await ring(t);
    await processes[0]?.stop();
    t.is((await get('/api/v1/info')).status, 200);
    const away = await get(`/api/v1/read/${SOURCES[0]}`);
    t.is(away.status, 503);
    t.is(JSON.parse(away.body).code, 14);
    await processes[0]?.start();
    await send(cacheAt(deployment, nodes[0] ?? ''), SOURCES[0], 7);
    await eventually(async () =>
      (await get(`/api/v1/read/${SOURCES[0]}`)).body.includes('timestamp'),
    );
    t.pass();
  },
);

test.serial(
  'the sequences of the cf CLI and its log-cache plugin work behind tokens',
  async (t) => {
    const { deployment, nodes, get, platformAt } = await ring(t, { secure: true });
    const dev = await login(platformAt, 'dev');
    const admin = await login(platformAt, 'admin');

    // cf logs --recent
    const authorization = `bearer ${dev}`;
    const listed = await ask(`${platformAt}/v3/apps?names=shop`, {
      headers: { Authorization: authorization },
    });
    const [{ guid }] = JSON.parse(listed.body).resources;
    await send(cacheAt(deployment, nodes[1] ?? ''), guid, 1);
    await send(cacheAt(deployment, nodes[0] ?? ''), guid, 2);
    await send(cacheAt(deployment, nodes[0] ?? ''), 'doppler', 3);
    t.is((await get('/api/v1/info')).status, 200, 'without a token');
    const recent = `/api/v1/read/${guid}?descending=true&envelope_types=LOG&limit=1000&start_time=${GO_ZERO}`;
    const newest = await eventually(async () => {
      const { batch } = JSON.parse((await get(recent, authorization)).body).envelopes;
      return batch.length === 2 ? batch[0] : undefined;
    });
    t.regex(newest.timestamp, /^\d{19}$/);

    // cf logs: the next page begins behind the last.
    const next = BigInt(newest.timestamp) + 1n;
    const walk = await get(
      `/api/v1/read/${guid}?envelope_types=LOG&start_time=${next}`,
      authorization,
    );
    t.is(walk.body, '{"envelopes":{"batch":[]}}\n');

    // cf tail, in the spelling of others
    const end = BigInt(Date.now()) * 1_000_000n;
    const tail = `/api/v1/read/${guid}?descending=true&end_time=${end}&envelope_types=ANY&limit=10&name_filter=&start_time=0`;
    t.is((await get(tail, dev)).status, 200);
    t.is((await get('/api/v1/read/doppler', `Bearer ${dev}`)).status, 404);
    t.is((await get('/api/v1/read/doppler', `Bearer ${admin}`)).status, 200);

    // cf log-meta
    await eventually(async () => guid in metaIn(await get('/api/v1/meta', authorization)));
    t.deepEqual(Object.keys(metaIn(await get('/api/v1/meta', authorization))), [guid]);
    const seen = metaIn(await get('/api/v1/meta', `bearer ${admin}`));
    t.deepEqual(Object.keys(seen).toSorted(), [guid, 'doppler'].toSorted());
    t.deepEqual(Object.keys(seen[guid] ?? {}), ['count', 'oldestTimestamp', 'newestTimestamp']);

    // cf query
    const refused = await get('/api/v1/query?query=sum(cpu)', authorization);
    t.is(refused.status, 400);
    t.is(JSON.parse(refused.body).error, 'query does not request any source_ids');
    t.is((await get('/api/v1/query?query=cpu{source_id="doppler"}', authorization)).status, 404);
  },
);

test.serial(
  'a tail behind tokens goes on when its node comes back, and says what it may have missed',
  async (t) => {
    const { deployment, nodes, processes, gateway, platformAt } = await ring(t, { secure: true });
    const ca = await readFile(deployment.files('executor').ca);
    const url = `https://${gateway.address('http')}/api/v1/tail/doppler`;
    t.is((await ask(url, { ca })).status, 404);
    const [dev, admin] = [await login(platformAt, 'dev'), await login(platformAt, 'admin')];
    t.is((await ask(url, { ca, headers: { Authorization: dev } })).status, 404);
    const tail = await TextStream.open(url, { ca, headers: { Authorization: admin } });
    t.teardown(() => tail[Symbol.dispose]());
    await eventually(() => tail.text.includes('id: '));
    await send(cacheAt(deployment, nodes[1] ?? ''), 'doppler', 1);
    await eventually(() => tail.text.split('"timestamp"').length === 2);

    await processes[0]?.stop();
    await eventually(() => tail.text.includes(`event: missing\ndata: {"nodes":["${nodes[0]}"]}`));
    await send(cacheAt(deployment, nodes[1] ?? ''), 'doppler', 2);
    await processes[0]?.start();
    // Its owner is the other node, which knows where the tail was.
    await eventually(() => tail.text.split('"timestamp"').length === 3, { timeoutMs: 30_000 });
    t.true(tail.text.includes('event: missing\ndata: {"nodes":[]}'));
    t.false(tail.text.includes('event: gap'));
  },
);

test.serial('a node that drains and is started again has what it had', async (t) => {
  const deployment = await originals(t);
  const { certificates } = deployment.options;
  const portOf = await freePorts(['node']);
  const address = `127.0.0.1:${portOf('node')}`;
  const spec = node({ certificates, nodes: [address] }, 0);
  const folder = await testFolder(t);
  const process = await deployment.start({
    ...spec,
    env: { ...spec.env, LOG_CACHE_DATA_DIR: folder },
  });
  for (let number = 0; number < 20; number += 1) {
    await send(cacheAt(deployment, address), SOURCES[0], number);
  }
  await process.stop();
  t.is(process.exitCode, 0);
  await process.start();
  t.is((await readGrpc(cacheAt(deployment, address), SOURCES[0])).size, 20);
});

test.serial(
  'a key that UAA rolled is taken over, and tokens of the old one are refused',
  async (t) => {
    const { deployment, nodes, get, platformAt, platform: uaa } = await ring(t, { secure: true });
    await send(cacheAt(deployment, nodes[0] ?? ''), 'doppler', 1);
    const old = await login(platformAt, 'admin');
    t.is((await get('/api/v1/read/doppler', old)).status, 200);
    await uaa?.stop();
    t.is((await get('/api/v1/read/doppler', old)).status, 200, 'nobody needs to be asked');

    const folder = await testFolder(t);
    const { host } = new URL(platformAt);
    await deployment.start(platform(join(folder, 'another-key.pem'), host));
    const token = await login(platformAt, 'admin');
    await eventually(async () => (await get('/api/v1/read/doppler', token)).status === 200);
    t.is((await get('/api/v1/read/doppler', old)).status, 404);
  },
);

interface Ring {
  readonly deployment: Originals;
  /** Their addresses. */
  readonly nodes: readonly string[];
  readonly processes: readonly ManagedProcess[];
  readonly gateway: ManagedProcess;
  readonly get: (path: string, authorization?: string) => Promise<Answer>;
  readonly platform: ManagedProcess | undefined;
  /** Its URL. */
  readonly platformAt: string;
}

async function ring(t: ExecutionContext, { secure = false } = {}): Promise<Ring> {
  const deployment = await originals(t);
  const { certificates } = deployment.options;
  const portOf = await freePorts(['node 0', 'node 1']);
  const nodes = [0, 1].map((index) => `127.0.0.1:${portOf(`node ${index}`)}`);
  const processes: ManagedProcess[] = [];
  for (const index of nodes.keys()) {
    processes.push(await deployment.start(node({ certificates, nodes }, index)));
  }
  const key = join(await testFolder(t), 'key.pem');
  const uaa = secure ? await deployment.start(platform(key)) : undefined;
  const platformAt = uaa === undefined ? '' : `http://${uaa.address('http')}`;
  const gateway = await deployment.start(
    logCacheGateway({ certificates, nodes }, secure ? platformAt : undefined),
  );
  const ca = await readFile(`${certificates}/ca.crt`);
  const origin = `https://${gateway.address('http')}`;
  return {
    deployment,
    nodes,
    processes,
    gateway,
    platform: uaa,
    platformAt,
    get: (path, authorization) =>
      ask(`${origin}${path}`, {
        ca,
        headers: authorization === undefined ? {} : { Authorization: authorization },
      }),
  };
}

async function testFolder(t: ExecutionContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'standpipe-log-cache-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

function cacheAt(deployment: Originals, address: string): ServerOptions {
  return { address, tls: deployment.files('executor'), serverName: 'log-cache' };
}

async function send(server: ServerOptions, sourceId: string, number: number): Promise<void> {
  const envelopes = loggregator.v2.EnvelopeBatch.decode(
    encodeBatch([numberedLog(sourceId, number, BigInt(Date.now()) * 1_000_000n + BigInt(number))]),
  );
  const request = logcache.v1.SendRequest.encode({ envelopes });
  await call(server, logCacheIngressService.send, Buffer.from(request.finish()));
}

/** What a node has itself. */
async function meta(server: ServerOptions): Promise<Readonly<Record<string, unknown>>> {
  const request = logcache.v1.MetaRequest.encode({ local_only: true });
  const bytes = await call(server, logCacheEgressService.meta, Buffer.from(request.finish()));
  return logcache.v1.MetaResponse.decode(bytes).meta;
}

async function call(server: ServerOptions, method: RawMethod, request: Buffer): Promise<Buffer> {
  const client = dial({ ...server, tls: readTls(server.tls) });
  const { path, requestSerialize, responseDeserialize } = method;
  return new Promise<Buffer>((resolve, reject) => {
    client.makeUnaryRequest(
      path,
      requestSerialize,
      responseDeserialize,
      request,
      (error, answer) => (error || !answer ? reject(error) : resolve(answer)),
    );
  }).finally(() => client.close());
}

/** Somebody who believes the nodes, and whose own certificate they have no reason to believe. */
async function foreign(t: ExecutionContext, ca: string): Promise<grpc.ChannelCredentials> {
  const folder = await testFolder(t);
  await ensureCertificates(folder, [{ name: 'executor', dns: [] }]);
  return trusted({ ca, cert: join(folder, 'executor.crt'), key: join(folder, 'executor.key') });
}

async function trusted(files: TlsFiles): Promise<grpc.ChannelCredentials> {
  const { ca, cert, key } = files;
  const [authority, own, certificate] = await Promise.all(
    [ca, key, cert].map((file) => readFile(file)),
  );
  return grpc.credentials.createSsl(authority, own, certificate);
}

/** Asks a node what it has, with any credentials. */
async function metaBy(address: string, credentials: grpc.ChannelCredentials): Promise<void> {
  const client = new grpc.Client(address, credentials, {
    'grpc.ssl_target_name_override': 'log-cache',
  });
  const { path, requestSerialize, responseDeserialize } = logCacheEgressService.meta;
  const deadline = Date.now() + 20_000;
  await new Promise<void>((resolve, reject) => {
    client.makeUnaryRequest(
      path,
      requestSerialize,
      responseDeserialize,
      Buffer.alloc(0),
      new grpc.Metadata(),
      { deadline },
      (error) => (error ? reject(error) : resolve()),
    );
  }).finally(() => client.close());
}

async function login(platformAt: string, user: string): Promise<string> {
  const { body } = await ask(`${platformAt}/oauth/token`, {
    headers: { Authorization: 'Basic Y2Y6' },
    body: `grant_type=password&username=${user}&password=${user}`,
  });
  return JSON.parse(body).access_token;
}

function metaIn({ body }: Answer): Readonly<Record<string, object>> {
  return JSON.parse(body).meta ?? {};
}
