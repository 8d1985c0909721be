import * as grpc from '@grpc/grpc-js';
import {
  createLogger,
  dial,
  listenGrpc,
  Metrics,
  readTls,
  staticMembers,
  type Tls,
} from '@standpipe/plumbing';
import { testTls } from '@standpipe/plumbing/testing';
import { logcache } from '@standpipe/protos';
import { encodeBatch } from '@standpipe/protos/testing';
import test, { type ExecutionContext } from 'ava';
import { LogCacheClient } from './client.ts';
import { createLogCache, type LogCache } from './log-cache.ts';
import { encodeReadRequest } from './messages.ts';
import { readRequest } from './reader.ts';
import { batchOf, line, metricOf, times } from './testing.ts';

const { SendRequest, ReadRequest, ReadResponse, MetaRequest, MetaResponse } = logcache.v1;

interface Served {
  readonly cache: LogCache;
  readonly metrics: Metrics;
  readonly client: LogCacheClient;
  /** Calls a method as any gRPC client does. */
  call(method: string, request: Uint8Array, metadata?: grpc.Metadata): Promise<Buffer>;
}

test('stores what is sent, and gives it back', async (t) => {
  const { call, metrics } = await served(t);
  const envelopes = { batch: [line('a', 1), line('b', 2)] };
  t.is((await call('Ingress/Send', SendRequest.encode({ envelopes }).finish())).length, 0);
  const response = ReadResponse.decode(
    await call('Egress/Read', ReadRequest.encode({ source_id: 'a' }).finish()),
  );
  t.is(response.envelopes?.batch?.length, 1);
  t.is(response.envelopes?.batch?.[0]?.source_id, 'a');
  t.is(metricOf(metrics, 'log_cache_ingress'), 2);
  t.is(metricOf(metrics, 'log_cache_egress'), 1);
});

for (const [what, request] of [
  ['without envelopes', {}],
  ['without envelopes but local', { local_only: true }],
  ['with an empty batch', { envelopes: {} }],
] as const) {
  test(`answers a Send ${what} with OK`, async (t) => {
    const { call } = await served(t);
    t.is((await call('Ingress/Send', SendRequest.encode(request).finish())).length, 0);
  });
}

for (const [what, id] of [
  ['a slash', 'a/b'],
  ['NUL', 'a\0b'],
  ['64 KiB', 'x'.repeat(65_536)],
  ['nothing', ''],
] as const) {
  test(`reads a source whose id has ${what} in it`, async (t) => {
    const { cache, client } = await served(t);
    cache.put(batchOf([line(id, -1), line(id, 2)]));
    const request = readRequest(id, { startTime: -5n });
    t.deepEqual(times(await client.read(request, { local: false })), [-1, 2]);
    t.is((await client.meta(false)).sources.get(id)?.count, 2);
  });
}

test('heeds filters of ours, and says so to whoever asks for them only', async (t) => {
  const { cache, call } = await served(t);
  cache.put(batchOf([line('a', 1), line('a', 2)]));
  const ask = async (fields: object) =>
    ReadResponse.decode(
      await call('Egress/Read', ReadRequest.encode({ source_id: 'a', ...fields }).finish()),
    );
  t.false((await ask({})).filtered);
  const found = await ask({ contains: 'line 2' });
  t.deepEqual([found.filtered, found.envelopes?.batch?.length], [true, 1]);
  const error = await t.throwsAsync(ask({ matches: '[' }));
  t.like(error, { code: grpc.status.INVALID_ARGUMENT });
});

test('always sets the envelopes of an answer', async (t) => {
  const { call } = await served(t);
  const response = ReadResponse.decode(await call('Egress/Read', Buffer.alloc(0)));
  t.deepEqual(response.envelopes?.batch, []);
});

test('gives the meta of every source', async (t) => {
  const { cache, call } = await served(t);
  cache.put(batchOf([line('a', 1), line('a', 3), line('b/c', 2)]));
  const { meta } = MetaResponse.decode(
    await call('Egress/Meta', MetaRequest.encode({ local_only: true }).finish()),
  );
  const plain = MetaResponse.toObject(MetaResponse.create({ meta }), {
    longs: Number,
    defaults: true,
  }).meta;
  t.deepEqual(plain, {
    a: { count: 2, oldest_timestamp: 1, newest_timestamp: 3, expired: 0 },
    'b/c': { count: 1, oldest_timestamp: 2, newest_timestamp: 2, expired: 0 },
  });
});

const REFUSED: readonly [Parameters<typeof ReadRequest.encode>[0], string][] = [
  [{ start_time: 5, end_time: 4 }, 'StartTime (5) must be before EndTime (4)'],
  [{ limit: 1001 }, 'Limit (1001) must be 1000 or less'],
  [{ limit: -1 }, 'Limit (-1) must be greater than zero'],
  [
    { name_filter: '(' },
    'Name filter must be a valid regular expression: error parsing regexp: missing closing ): `(`',
  ],
];
for (const [request, details] of REFUSED) {
  test(`refuses a read with UNKNOWN and "${details}"`, async (t) => {
    const { call } = await served(t);
    const error = await t.throwsAsync(call('Egress/Read', ReadRequest.encode(request).finish()));
    t.like(error, { code: grpc.status.UNKNOWN, details });
  });
}

test('passes over an envelope type that it does not know', async (t) => {
  const { cache, call } = await served(t);
  cache.put(batchOf([line('a', 1)]));
  const request = encodeReadRequest(readRequest('a', { envelopeTypes: [99] }));
  t.deepEqual(ReadResponse.decode(await call('Egress/Read', request)).envelopes?.batch, []);
});

for (const [method, request] of [
  ['Ingress/Send', [0x0a, 0x05]],
  ['Ingress/Send', [0x0a, 0x03, 0x0a, 0x01, 0x0a]],
  ['Egress/Read', [0x0a, 0x05]],
  ['Egress/Meta', [0xff]],
] as const) {
  test(`refuses ${method} of ${request}, and goes on`, async (t) => {
    const { cache, call, metrics } = await served(t);
    const error = await t.throwsAsync(call(method, Buffer.from(request)));
    t.like(error, { code: grpc.status.INTERNAL });
    t.regex(String(error?.message), /error unmarshalling request/);
    t.is(cache.store.size, 0);
    t.is(metricOf(metrics, 'invalid_ingress'), method === 'Ingress/Send' ? 1 : 0);
    await call(
      'Ingress/Send',
      SendRequest.encode({ envelopes: { batch: [line('a', 1)] } }).finish(),
    );
    t.is(cache.store.size, 1);
  });
}

test('takes in nothing of a batch that is malformed at its end', async (t) => {
  const { cache, call } = await served(t);
  const batch = Buffer.concat([encodeBatch([line('a', 1)]), Buffer.from([0x0a, 0x01, 0xff])]);
  const request = Buffer.concat([Buffer.from([0x0a, batch.length]), batch]);
  await t.throwsAsync(call('Ingress/Send', request));
  t.is(cache.store.size, 0);
});

for (const method of ['AddRange', 'RemoveRange', 'ListRanges', 'SetRanges']) {
  test(`does not serve Orchestration's ${method}`, async (t) => {
    const { call } = await served(t);
    const error = await t.throwsAsync(call(`Orchestration/${method}`, Buffer.alloc(0)));
    t.like(error, { code: grpc.status.UNIMPLEMENTED });
  });
}

test('reads and sends through its own client', async (t) => {
  const { client } = await served(t);
  await client.send(batchOf([line('a', 1), line('a', 2)]).pack(), { localOnly: false });
  t.deepEqual(times(await client.read(readRequest('a'), { local: true })), [1, 2]);
  t.is((await client.meta(false)).sources.get('a')?.count, 2);
});

test('refuses a client without a certificate, and serves under the name log-cache', async (t) => {
  const { port } = await served(t);
  const { doppler } = await testTls({ name: 'doppler', dns: ['log-cache'] });
  const tls = readTls(doppler);
  const address = `127.0.0.1:${port}`;
  const named = new LogCacheClient({ address, tls });
  t.teardown(() => named[Symbol.asyncDispose]());
  await named.meta(true);

  const { other } = await testTls('other');
  const wrong: Tls = { ...readTls(other), ca: tls.ca };
  const stranger = dial({ address, tls: wrong, serverName: 'somebody-else' });
  t.teardown(() => stranger.close());
  await t.throwsAsync(unary(stranger, 'Egress/Meta', Buffer.alloc(0)), { message: /UNAVAILABLE/ });
});

async function served(t: ExecutionContext): Promise<Served & { readonly port: number }> {
  const { doppler } = await testTls({ name: 'doppler', dns: ['log-cache'] });
  const tls = readTls(doppler);
  const log = createLogger('test', { level: 'silent' });
  const metrics = new Metrics({ origin: 'test' });
  const cache = createLogCache({
    members: staticMembers([]),
    zone: 'az1',
    index: 0,
    tls,
    metrics,
    log,
    memoryLimitBytes: 64 * 2 ** 20,
  });
  const { services } = cache;
  const listener = await listenGrpc({ address: '127.0.0.1:0', tls, services, log });
  const client = new LogCacheClient({ address: listener.address, tls });
  const raw = dial({ address: listener.address, tls, serverName: 'log-cache' });
  t.teardown(async () => {
    raw.close();
    await client[Symbol.asyncDispose]();
    await listener[Symbol.asyncDispose]();
    await cache[Symbol.asyncDispose]();
  });
  const call: Served['call'] = (method, request, metadata) => unary(raw, method, request, metadata);
  return { cache, metrics, client, call, port: listener.port };
}

function unary(
  client: grpc.Client,
  method: string,
  request: Uint8Array,
  metadata: grpc.Metadata = new grpc.Metadata(),
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(
      `/logcache.v1.${method}`,
      (bytes: Buffer) => bytes,
      (bytes: Buffer) => bytes,
      Buffer.from(request),
      metadata,
      { deadline: Date.now() + 5000 },
      (error, response) => (error ? reject(error) : resolve(response ?? Buffer.alloc(0))),
    );
  });
}
