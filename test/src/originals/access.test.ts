/**
 * The doors of the originals with access control, driven by the original's settings alone: a router,
 * behind it the traffic controller and the reverse log proxy with its gateway, and UAA and Cloud
 * Controller behind TLS.
 */

import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureCertificates } from '@standpipe/plumbing/authority';
import { eventually } from '@standpipe/plumbing/testing';
import { numberOf } from '@standpipe/protos/testing';
import test, { type ExecutionContext } from 'ava';
import { type Answer, ask, TextStream } from '../clients/http.ts';
import { IngressCaller } from '../clients/ingress.ts';
import { WebSocketReader } from '../clients/readers.ts';
import type { ProcessSpec } from '../process.ts';
import { authorities, type TestAuthorities } from './authorities.ts';
import { type Originals, originals, reachable } from './originals.ts';
import { gateway, rlp, router, trafficController } from './specs.ts';

const APP = '73467cc3-261a-472e-80e8-d6eadfd30d98';
const OTHER = '5b4ce2a1-8f0d-4d5e-b5a8-6f3b1c1d2e3f';
const SERVICE = '0c7d8a44-7f0e-4b62-8bb4-3c8ef2cc8c11';

const MODEL = {
  users: [
    {
      name: 'admin',
      password: 'admin',
      scopes: ['doppler.firehose', 'logs.admin', 'cloud_controller.admin'],
    },
    { name: 'dev', password: 'dev', spaces: ['local/local'] },
  ],
  organizations: [
    {
      name: 'local',
      spaces: [
        {
          name: 'local',
          apps: [{ name: 'mine', guid: APP }],
          service_instances: [{ name: 'db', guid: SERVICE }],
        },
      ],
    },
    { name: 'else', spaces: [{ name: 'where', apps: [{ name: 'theirs', guid: OTHER }] }] },
  ],
};

test.serial('the traffic controller judges tokens by UAA and Cloud Controller', async (t) => {
  const deployment = await originals(t);
  const doppler = await deployment.start(router(deployment.options));
  const trusted = await authorities(t, deployment, MODEL);
  const file = join(await temporaryFolder(t), 'access.log');
  const controller = await deployment.start(
    withSettings(trafficController(deployment.options, [reachable(doppler, 'grpc')], trusted), {
      TRAFFIC_CONTROLLER_SECURITY_EVENT_LOG: file,
    }),
  );
  const ca = await readFile(deployment.files('executor').ca);
  const front = `https://${reachable(controller, 'ws')}`;
  const [admin, dev] = await Promise.all([trusted.tokenOf('admin'), trusted.tokenOf('dev')]);
  const open = (path: string, token: string): Promise<WebSocketReader> =>
    WebSocketReader.open(`${front.replace('https', 'wss')}${path}`, APP, {
      ca,
      headers: { Authorization: token },
    });
  const refused = async (path: string, token?: string): Promise<Answer> =>
    ask(`${front}${path}`, { ca, headers: token === undefined ? {} : { Authorization: token } });

  const readers = [
    await open('/firehose/a', `bearer ${admin}`),
    await open(`/apps/${APP}/stream`, dev),
    await open(`/apps/${APP}/stream`, `Bearer ${admin}`),
  ];
  t.teardown(() => {
    for (const reader of readers) reader[Symbol.dispose]();
  });
  const agent = new IngressCaller(deployment.server(doppler, 'doppler'));
  t.teardown(() => agent[Symbol.dispose]());
  let number = 0;
  await eventually(async () => {
    await agent.batchSender(APP, [number]);
    number += 1;
    return readers.every(({ numbers }) => numbers.size > 0);
  });
  t.deepEqual([...new Set(trusted.askers)], ['trafficcontroller'], 'by mutual TLS');

  const nobody = await refused('/firehose/a');
  t.is(nobody.status, 401);
  t.is(nobody.headers['www-authenticate'], 'Basic');
  t.is(nobody.body, 'You are not authorized. Error: Authorization not provided');
  for (const token of [`bearer ${dev}`, 'bearer nonsense']) {
    const answer = await refused('/firehose/a', token);
    t.is(answer.status, 401);
    t.is(answer.body, 'You are not authorized. Error: Invalid authorization');
  }
  t.is((await refused(`/apps/${OTHER}/stream`, dev)).status, 404);
  t.is((await refused(`/apps/${APP}/stream`, 'bearer nonsense')).status, 401);
  t.is((await refused('/apps/mine/stream', dev)).status, 401, 'no GUID');

  const log = await readFile(file, 'utf8');
  t.regex(log, /^CEF:0\|cloud_foundry\|loggregator_trafficcontroller\|1\.0\|GET \/firehose\/a\|/m);
});

test.serial('the gateway judges tokens by UAA and Cloud Controller', async (t) => {
  const deployment = await originals(t);
  const doppler = await deployment.start(router(deployment.options));
  const proxy = await deployment.start(rlp(deployment.options, [reachable(doppler, 'grpc')]));
  const trusted = await authorities(t, deployment, MODEL);
  const door = await deployment.start(
    gateway(deployment.options, reachable(proxy, 'grpc'), trusted),
  );
  const ca = await readFile(deployment.files('executor').ca);
  const read = `https://${door.address('http')}/v2/read`;
  const [admin, dev] = await Promise.all([trusted.tokenOf('admin'), trusted.tokenOf('dev')]);
  const open = (query: string, token: string): Promise<TextStream> =>
    TextStream.open(`${read}?${query}`, { ca, headers: { Authorization: token } });

  const streams = [
    await open('log', `bearer ${admin}`),
    await open(`log&counter&source_id=${APP}&shard_id=mine`, dev),
    await open(`log&source_id=${APP}&source_id=${SERVICE}`, `Bearer ${dev}`),
  ];
  t.teardown(() => {
    for (const stream of streams) stream[Symbol.dispose]();
  });
  t.deepEqual(
    streams.map(({ status }) => status),
    [200, 200, 200],
  );
  const agent = new IngressCaller(deployment.server(doppler, 'doppler'));
  t.teardown(() => agent[Symbol.dispose]());
  let number = 0;
  await eventually(async () => {
    await agent.batchSender(APP, [number]);
    number += 1;
    return streams.every(({ text }) => numbersIn(text).length > 0);
  });
  t.deepEqual([...new Set(trusted.askers)], ['gateway'], 'by mutual TLS');

  for (const [query, token] of [
    ['log', dev],
    [`log&source_id=${OTHER}`, dev],
    [`log&source_id=${APP}&source_id=${OTHER}`, dev],
    ['log&source_id=mine', dev],
    ['log', 'bearer nonsense'],
    ['log', ''],
  ] as const) {
    const answer = await ask(`${read}?${query}`, { ca, headers: { Authorization: token } });
    t.is(answer.status, 404, query);
    t.is(answer.body, '{"message":"resource not found","error":"not_found"}\n\n');
  }
});

test.serial('the gateway tells its metrics to those only who have a certificate', async (t) => {
  const deployment = await originals(t);
  const trusted = await authorities(t, deployment, MODEL);
  const door = await deployment.start(gateway(deployment.options, '127.0.0.1:1', trusted));
  const { ca, cert, key } = deployment.files('executor');
  const pair = { cert: await readFile(cert), key: await readFile(key) };
  const authority = await readFile(ca);
  const port = Number(door.address('metrics').split(':').at(-1));
  const answered = await new Promise<number>((resolve, reject) => {
    request({ port, path: '/metrics', agent: false, ca: authority, ...pair }, ({ statusCode }) =>
      resolve(statusCode ?? 0),
    )
      .on('error', reject)
      .end();
  });
  t.is(answered, 200);
  await t.throwsAsync(ask(`https://${door.address('metrics')}/metrics`, { ca: authority }));
});

test.serial(
  'no answer is believed of a UAA whose certificate another authority signed',
  async (t) => {
    const { deployment, trusted, ca } = await trusting(t);
    const folder = await mkdtemp(join(tmpdir(), 'standpipe-other-'));
    t.teardown(() => rm(folder, { recursive: true, force: true }));
    await ensureCertificates(folder, []);
    const controller = await deployment.start(
      withSettings(trafficController(deployment.options, ['127.0.0.1:1'], trusted), {
        TRAFFIC_CONTROLLER_UAA_CA_CERT: `${folder}/ca.crt`,
      }),
    );
    const answer = await ask(`https://${reachable(controller, 'ws')}/firehose/a`, {
      ca,
      headers: { Authorization: await trusted.tokenOf('admin') },
    });
    t.is(answer.status, 401);
  },
);

test.serial('no answer is believed of a Cloud Controller that has another name', async (t) => {
  const { deployment, trusted, ca } = await trusting(t);
  const controller = await deployment.start(
    withSettings(trafficController(deployment.options, ['127.0.0.1:1'], trusted), {
      CC_SERVER_NAME: 'elsewhere',
    }),
  );
  const answer = await ask(`https://${reachable(controller, 'ws')}/apps/${APP}/stream`, {
    ca,
    headers: { Authorization: await trusted.tokenOf('dev') },
  });
  t.is(answer.status, 500);
});

async function trusting(t: ExecutionContext): Promise<{
  readonly deployment: Originals;
  readonly trusted: TestAuthorities;
  readonly ca: Buffer;
}> {
  const deployment = await originals(t);
  const trusted = await authorities(t, deployment, MODEL);
  return { deployment, trusted, ca: await readFile(deployment.files('executor').ca) };
}

async function temporaryFolder(t: ExecutionContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'standpipe-access-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

function withSettings(spec: ProcessSpec, env: Readonly<Record<string, string>>): ProcessSpec {
  return { ...spec, env: { ...spec.env, ...env } };
}

/** The numbered lines in server-sent events. */
function numbersIn(text: string): number[] {
  return [...text.matchAll(/^data: (\{"batch":.*)\n\n/gm)].flatMap(([, json]) =>
    JSON.parse(json ?? '').batch.map(({ log }: { log: { payload: string } }) =>
      numberOf(Buffer.from(log.payload, 'base64')),
    ),
  );
}
