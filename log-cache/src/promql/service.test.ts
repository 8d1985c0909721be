import * as grpc from '@grpc/grpc-js';
import { dial, listenGrpc, Metrics, staticMembers } from '@standpipe/plumbing';
import { logcache } from '@standpipe/protos';
import test, { type ExecutionContext } from 'ava';
import { createLogCache } from '../log-cache.ts';
import { batchOf } from '../testing.ts';
import { silent } from '../testing-cluster.ts';
import { counterAt, gaugeAt } from './testing.ts';

const { PromQL } = logcache.v1;
const NOW = Math.floor(Date.now() / 1000);

test('answers instant queries: scalars, vectors and matrices', async (t) => {
  const { instant } = await served(t);
  const time = String(NOW);
  t.deepEqual(await instant({ query: '7*9', time: '99' }), {
    scalar: { time: '99.000', value: 63 },
  });
  t.deepEqual(await instant({ query: 'c', time }), {
    vector: {
      samples: [
        { metric: { instance_id: '1', source_id: 'app' }, point: { time: `${NOW}.000`, value: 5 } },
      ],
    },
  });
  t.deepEqual(await instant({ query: 'c[5m]', time }), {
    matrix: {
      series: [
        {
          metric: { instance_id: '1', source_id: 'app' },
          points: [
            { time: `${NOW - 2}.000`, value: 3 },
            { time: `${NOW - 1}.000`, value: 5 },
          ],
        },
      ],
    },
  });
  t.deepEqual(await instant({ query: 'nothing', time }), { vector: {} });
});

test('answers range queries', async (t) => {
  const { call } = await served(t);
  const request = { query: 'c', start: String(NOW - 2), end: String(NOW), step: '1s' };
  const bytes = await call('RangeQuery', PromQL.RangeQueryRequest.encode(request).finish());
  const { matrix } = PromQL.RangeQueryResult.decode(bytes);
  t.deepEqual(
    matrix?.series?.[0]?.points?.map(({ value }) => value),
    [3, 5, 5],
  );
});

test('a series of many points is one series', async (t) => {
  const { call } = await served(t);
  const request = { query: 'vector(time())', start: '1000', end: '10999', step: '1s' };
  const bytes = await call('RangeQuery', PromQL.RangeQueryRequest.encode(request).finish());
  const { matrix } = PromQL.RangeQueryResult.decode(bytes);
  t.is(matrix?.series?.length, 1);
  const points = matrix?.series?.[0]?.points?.map(({ time, value }) => `${time} ${value}`);
  t.deepEqual(
    points,
    Array.from({ length: 10_000 }, (_, n) => `${1000 + n}.000 ${1000 + n}`),
  );
});

for (const [method, request, message] of [
  ['InstantQuery', { query: '' }, '1:1: parse error: no expression found in input'],
  ['InstantQuery', { query: '"x"' }, 'unhandled expression of type: *promql.StringLiteral'],
  ['RangeQuery', { query: 'x' }, 'couldn\'t parse step: cannot parse "" to a valid step'],
] as const) {
  test(`${method} of ${JSON.stringify(request)} is UNKNOWN, and says why`, async (t) => {
    const { call } = await served(t);
    const bytes = PromQL.InstantQueryRequest.encode(request).finish();
    const error = await t.throwsAsync(call(method, bytes));
    t.like(error, { code: grpc.status.UNKNOWN, details: message });
  });
}

test('a request that is none is INTERNAL', async (t) => {
  const { call } = await served(t);
  const error = await t.throwsAsync(call('InstantQuery', Buffer.from([0x0a, 0xff])));
  t.like(error, { code: grpc.status.INTERNAL });
});

interface Served {
  call(method: string, request: Uint8Array): Promise<Buffer>;
  instant(request: { readonly query: string; readonly time: string }): Promise<unknown>;
}

async function served(t: ExecutionContext): Promise<Served> {
  const cache = createLogCache({
    members: staticMembers([]),
    zone: '',
    index: 0,
    tls: undefined,
    metrics: new Metrics({ origin: 'test' }),
    log: silent(),
  });
  const where = { instance: '1' };
  cache.store.put(batchOf([counterAt(NOW - 2, 'c', 3, where), counterAt(NOW - 1, 'c', 5, where)]));
  cache.store.put(batchOf([gaugeAt(NOW, { g: 1 })]));
  const listener = await listenGrpc({
    address: '127.0.0.1:0',
    tls: undefined,
    services: cache.services,
    log: silent(),
    drainMs: 0,
  });
  const client = dial({ address: listener.address, tls: undefined, serverName: 'log-cache' });
  t.teardown(async () => {
    client.close();
    await listener[Symbol.asyncDispose]();
    await cache[Symbol.asyncDispose]();
  });
  const call = (method: string, request: Uint8Array): Promise<Buffer> =>
    new Promise((resolve, reject) => {
      client.makeUnaryRequest(
        `/logcache.v1.PromQLQuerier/${method}`,
        (bytes: Buffer) => bytes,
        (bytes: Buffer) => bytes,
        Buffer.from(request),
        (error, response) => (error ? reject(error) : resolve(response ?? Buffer.alloc(0))),
      );
    });
  return {
    call,
    instant: async (request) =>
      PromQL.InstantQueryResult.decode(
        await call('InstantQuery', PromQL.InstantQueryRequest.encode(request).finish()),
      ).toJSON(),
  };
}
