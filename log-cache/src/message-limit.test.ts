import * as http2 from 'node:http2';
import * as grpc from '@grpc/grpc-js';
import {
  dial,
  koaApp,
  listenGrpc,
  listenHttp,
  MAX_MESSAGE_BYTES,
  Metrics,
  staticMembers,
} from '@standpipe/plumbing';
import { eventually } from '@standpipe/plumbing/testing';
import { logcache, type PackedBatch } from '@standpipe/protos';
import { longOf } from '@standpipe/protos/testing';
import test, { type ExecutionContext } from 'ava';
import { LogCacheClient } from './client.ts';
import { Clients } from './clients.ts';
import { ClusterReader } from './cluster.ts';
import { NodeReader } from './gateway/node-reader.ts';
import { createLogCache, type LogCache } from './log-cache.ts';
import { LOG_CACHE_MESSAGE_BYTES } from './message-limit.ts';
import { encodeReadRequest } from './messages.ts';
import type { Querier } from './promql/querier.ts';
import { type Reader, readRequest } from './reader.ts';
import { logCacheRoutes } from './rest/routes.ts';
import { batchOf, type EnvelopeInit, line, metricOf } from './testing.ts';
import { both, cluster, OF_SHARD_0, silent } from './testing-cluster.ts';

const MIB = 2 ** 20;
const TOO_LARGE = /^grpc: received message larger than max \((\d+) vs\. 52428800\)$/;

/** A log of so many bytes in all, frame included. */
function sized(source: string, time: number, byteLength: number): EnvelopeInit {
  const log = (payloadBytes: number): EnvelopeInit => ({
    ...line(source, time),
    log: { payload: Buffer.alloc(payloadBytes, 0x78) },
  });
  const spare = 100; // Beyond that the lengths are of as many bytes as at the end.
  const overhead = batchOf([log(byteLength - spare)]).bytes.length - byteLength + spare;
  return log(byteLength - overhead);
}

/** Logs whose batch has so many bytes: some of a MiB, and one of the rest. */
function fill(put: (batch: ReturnType<typeof batchOf>) => void, source: string, bytes: number) {
  const count = Math.floor(bytes / MIB) - 1;
  for (let time = 1; time <= count; time += 1) put(batchOf([sized(source, time, MIB)]));
  put(batchOf([sized(source, count + 1, bytes - count * MIB)]));
}

/** What stands around the batch in a response. */
const FRAMING_BYTES = 5;
const LARGEST_BATCH = LOG_CACHE_MESSAGE_BYTES - FRAMING_BYTES;

test.serial('a read may have 50 MiB and no byte more, over gRPC and REST', async (t) => {
  t.timeout(120_000);
  const { cache, client, rest, gateway } = await served(t);
  fill((batch) => cache.put(batch), 'fits', LARGEST_BATCH);
  fill((batch) => cache.put(batch), 'not', LARGEST_BATCH + 1);
  const { byteLength } = await client.read(readRequest('fits'), { local: false });
  t.is(byteLength, LARGEST_BATCH);
  const whole = await rest('read/fits');
  t.is(whole.status, 200);
  const { envelopes } = (await whole.json()) as { envelopes: { batch: { timestamp: string }[] } };
  t.deepEqual(
    envelopes.batch.map(({ timestamp }) => Number(timestamp)),
    Array.from({ length: envelopes.batch.length }, (_, n) => n + 1),
  );

  const details = `grpc: received message larger than max (${LOG_CACHE_MESSAGE_BYTES + 1} vs. ${LOG_CACHE_MESSAGE_BYTES})`;
  const counted = client.read(readRequest('not'), { local: false }).then(({ count }) => count);
  const error = await t.throwsAsync(counted);
  t.like(error, { code: grpc.status.RESOURCE_EXHAUSTED, details });
  for (const [where, ask] of [
    ['its own REST', rest],
    ['a gateway', gateway],
  ] as const) {
    const refused = await ask('read/not');
    t.is(refused.status, 429, where);
    t.deepEqual(await refused.json(), { code: 8, message: details, details: [] }, where);
    const halved = await ask('read/not?limit=20');
    t.is(halved.status, 200, `${where}: who halves the limit gets it`);
    t.true((await halved.arrayBuffer()).byteLength > 20 * MIB, where);
  }
});

test.serial(
  'who takes no more than 4 MiB, as gRPC clients do by default, is told by his own client',
  async (t) => {
    const { cache, address } = await served(t);
    fill((batch) => cache.put(batch), 'a', 6 * MIB);
    const small = new grpc.Client(address, grpc.credentials.createInsecure());
    t.teardown(() => small.close());
    t.like(await t.throwsAsync(lengthOf(small, 'a')), { code: grpc.status.RESOURCE_EXHAUSTED });
    t.true((await read(small, 'a', 2)).length > 2 * MIB, 'and goes on');
  },
);

test.serial('a Send may have 50 MiB, too', async (t) => {
  const { cache, client } = await served(t);
  const all: EnvelopeInit[] = Array.from({ length: 15 }, (_, n) => sized('a', n, MIB));
  const packed: PackedBatch = batchOf(all).pack();
  t.true(packed.byteLength > MAX_MESSAGE_BYTES);
  await client.send(packed, { localOnly: false });
  t.is(cache.store.size, 15);
});

test.serial('what several zones have together is no larger, either', async (t) => {
  t.timeout(120_000);
  const { nodes, zones, tls } = await cluster(t, { az1: 1, az2: 1 });
  const clients = new Clients({ tls, readDeadlineMs: 60_000 });
  t.teardown(() => clients[Symbol.asyncDispose]());
  const reader = new ClusterReader({ clients, log: silent() });
  reader.follow(zones);
  for (const { cache } of both(nodes)) fill((batch) => cache.put(batch), OF_SHARD_0, 26 * MIB);
  const counted = reader.read(readRequest(OF_SHARD_0)).then(({ batch }) => batch.count);
  const error = await t.throwsAsync(counted);
  t.like(error, { code: grpc.status.RESOURCE_EXHAUSTED });
  t.regex(error?.message ?? '', TOO_LARGE);
  t.is((await reader.read(readRequest(OF_SHARD_0, { limit: 30n }))).batch.count, 30);
});

test.serial('a query’s result beyond it is refused likewise, over gRPC and REST', async (t) => {
  t.timeout(120_000);
  const { cache, raw, rest } = await served(t);
  const second = Math.floor(Date.now() / 1000) - 1;
  for (let n = 0; n < 51; n += 1) {
    const timestamp = longOf(BigInt(second) * 1_000_000_000n);
    const tags = { tag: String.fromCharCode(97 + (n % 26)).repeat(MIB) };
    const gauge = { metrics: { [`g${n}`]: { unit: '', value: n } } };
    cache.put(batchOf([{ timestamp, source_id: `s${n}`, tags, gauge }]));
  }
  const query = '{source_id=~"s.*",__name__=~"g.*"}';
  const request = logcache.v1.PromQL.InstantQueryRequest.encode({ query }).finish();
  const answered = unary(raw, 'PromQLQuerier/InstantQuery', Buffer.from(request));
  const error = await t.throwsAsync(answered.then(({ length }) => length));
  t.like(error, { code: grpc.status.RESOURCE_EXHAUSTED });
  t.regex((error as grpc.ServiceError).details, TOO_LARGE);
  const refused = await rest(`query?query=${encodeURIComponent(query)}`);
  t.is(refused.status, 429);
  const body = (await refused.json()) as Record<string, string>;
  t.like(body, { status: 'error', errorType: 'internal' });
  t.regex(body.error ?? '', TOO_LARGE);
});

test.serial('many who read much at once are bounded while it is gathered', async (t) => {
  const { cache, metrics } = await served(t, 24 * MIB);
  fill((batch) => cache.put(batch), 'a', 12 * MIB);
  const reads = Array.from({ length: 20 }, () => cache.reader.read(readRequest('a')));
  const answers = await Promise.allSettled(reads.map(async (one) => (await one).batch.count));
  const given = answers.filter(({ status }) => status === 'fulfilled');
  t.true(given.length < 20, `${given.length} of 20`);
  t.is(metricOf(metrics, 'log_cache_reads_refused'), 20 - given.length);
  t.is((await cache.reader.read(readRequest('a'))).batch.count, 12, 'and then none are');
});

test.serial(
  'gRPC clients that take nothing hold no more than a bound, and others are refused till they leave',
  async (t) => {
    const { cache, metrics, raw, address } = await served(t, 8 * MIB);
    fill((batch) => cache.put(batch), 'large', 6 * MIB);
    fill((batch) => cache.put(batch), 'small', 3 * MIB);
    const slow = http2.connect(`http://${address}`);
    slow.on('error', () => undefined);
    t.teardown(() => slow.destroy());
    const stream = slow.request({
      ':method': 'POST',
      ':path': '/logcache.v1.Egress/Read',
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    stream.on('error', () => undefined);
    const request = encodeReadRequest(readRequest('large'));
    const head = Buffer.alloc(5);
    head.writeUInt32BE(request.length, 1);
    stream.end(Buffer.concat([head, request]));
    await new Promise((resolve) => stream.once('response', resolve));

    t.like(await t.throwsAsync(lengthOf(raw, 'small')), { code: grpc.status.RESOURCE_EXHAUSTED });
    t.is(metricOf(metrics, 'log_cache_reads_refused'), 1);
    slow.destroy();
    await eventually(async () => (await read(raw, 'small').catch(() => '')).length > 3 * MIB);
    t.true((await read(raw, 'small')).length > 3 * MIB, 'what was taken holds nothing');
  },
);

interface Served {
  readonly cache: LogCache;
  readonly metrics: Metrics;
  readonly client: LogCacheClient;
  readonly raw: grpc.Client;
  readonly address: string;
  /** Asks the node's own REST, or that of a gateway in front of it. */
  rest(path: string): Promise<Response>;
  gateway(path: string): Promise<Response>;
}

async function served(t: ExecutionContext, answersBytesMax = 256 * MIB): Promise<Served> {
  const log = silent();
  const metrics = new Metrics({ origin: 'test' });
  const tls = undefined;
  const cache = createLogCache({
    members: staticMembers([]),
    zone: '',
    index: 0,
    tls,
    metrics,
    log,
    memoryLimitBytes: 256 * MIB,
    maxBytesPerSource: 128 * MIB,
    answersBytesMax,
  });
  const { services, reader, querier } = cache;
  const listener = await listenGrpc({ address: '127.0.0.1:0', tls, services, log, drainMs: 0 });
  const { address } = listener;
  const client = new LogCacheClient({
    address,
    tls,
    readDeadlineMs: 60_000,
    sendDeadlineMs: 60_000,
  });
  const raw = dial({
    address,
    tls,
    serverName: 'log-cache',
    messageBytesMax: LOG_CACHE_MESSAGE_BYTES,
  });
  const rest = await asking(t, reader, querier);
  const gateway = await asking(t, new NodeReader({ client, address }));
  t.teardown(async () => {
    raw.close();
    await client[Symbol.asyncDispose]();
    await listener[Symbol.asyncDispose]();
    await cache[Symbol.asyncDispose]();
  });
  return { cache, metrics, client, raw, address, rest, gateway };
}

/** Serves REST, and asks it. */
async function asking(
  t: ExecutionContext,
  reader: Reader,
  querier?: Querier,
): Promise<(path: string) => Promise<Response>> {
  const log = silent();
  const app = koaApp(log).use(logCacheRoutes(reader, { querier }));
  const http = await listenHttp({ address: '127.0.0.1:0', app, log, headersMs: 30_000 });
  t.teardown(() => http[Symbol.asyncDispose]());
  return (path) => fetch(`http://127.0.0.1:${http.port}/api/v1/${path}`);
}

function read(client: grpc.Client, source: string, limit = 0): Promise<Buffer> {
  const request = encodeReadRequest(readRequest(source, { limit: BigInt(limit) }));
  return unary(client, 'Egress/Read', request);
}

/** A failure that was none would print all the bytes. */
async function lengthOf(client: grpc.Client, source: string): Promise<number> {
  return (await read(client, source)).length;
}

function unary(client: grpc.Client, method: string, request: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(
      `/logcache.v1.${method}`,
      (bytes: Buffer) => bytes,
      (bytes: Buffer) => bytes,
      request,
      (error, response) => (error ? reject(error) : resolve(response ?? Buffer.alloc(0))),
    );
  });
}
