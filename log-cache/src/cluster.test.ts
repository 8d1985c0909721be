import { status } from '@grpc/grpc-js';
import { listenGrpc, Metrics, staticMembers } from '@standpipe/plumbing';
import { eventually } from '@standpipe/plumbing/testing';
import { ownerOf } from '@standpipe/protos';
import test from 'ava';
import { LogCacheClient } from './client.ts';
import { Clients } from './clients.ts';
import { ClusterReader } from './cluster.ts';
import { createClusterReader, createLogCache, MembershipError } from './log-cache.ts';
import { readRequest } from './reader.ts';
import { batchOf, line, metricOf, numbers, testStore, times, told } from './testing.ts';
import { both, cluster, OF_SHARD_0, OF_SHARD_1, silent } from './testing-cluster.ts';

test('stores what it owns and sends the rest to its owner', async (t) => {
  const { nodes } = await cluster(t, { az1: 2 });
  const [first, second] = both(nodes);
  first.cache.put(
    batchOf([line(OF_SHARD_0, 1), line(OF_SHARD_1, 2), line(OF_SHARD_1, 3), line(OF_SHARD_0, 4)]),
  );
  t.is(first.cache.store.size, 2);
  await eventually(() => second.cache.store.size === 2);
  t.deepEqual([...first.cache.store.meta().keys()], [OF_SHARD_0]);
  t.deepEqual([...second.cache.store.meta().keys()], [OF_SHARD_1]);
  t.is(metricOf(first.metrics, 'log_cache_ingress'), 2);
  t.is(metricOf(second.metrics, 'log_cache_ingress'), 2);
});

test('sends many on in order, and loses none', async (t) => {
  const { nodes } = await cluster(t, { az1: 2 });
  const [first, second] = both(nodes);
  for (let n = 0; n < 50; n += 1) {
    first.cache.put(batchOf(Array.from({ length: 50 }, (_, i) => line(OF_SHARD_1, 7, n * 50 + i))));
  }
  await eventually(() => second.cache.store.size === 2500);
  const { batch } = await first.cache.reader.read(readRequest(OF_SHARD_1, { limit: 1000n }));
  t.deepEqual(numbers(batch), [...Array(2500).keys()]);
});

test('answers for every source from every node', async (t) => {
  const { nodes } = await cluster(t, { az1: 2 });
  for (const { cache } of nodes) cache.put(batchOf([line(OF_SHARD_0, 1), line(OF_SHARD_1, 2)]));
  await eventually(() => nodes.every(({ cache }) => cache.store.size === 2));
  for (const { cache } of nodes) {
    for (const source of [OF_SHARD_0, OF_SHARD_1]) {
      const { batch, unreachable } = await cache.reader.read(readRequest(source));
      t.is(batch.count, 2);
      t.deepEqual(unreachable, []);
    }
  }
});

test('merges the shares of all zones by time', async (t) => {
  const { nodes, zones, tls } = await cluster(t, { az1: 1, az2: 2 });
  const [one, two, three] = nodes;
  one?.cache.put(batchOf([line(OF_SHARD_1, 1), line(OF_SHARD_1, 4), line(OF_SHARD_1, 5)]));
  three?.cache.put(batchOf([line(OF_SHARD_1, 2), line(OF_SHARD_1, 3), line(OF_SHARD_1, 5)]));
  const reader = createClusterReader({
    metrics: new Metrics({ origin: 'test' }),
    members: staticMembers(zones),
    tls,
    log: silent(),
  });
  t.teardown(() => reader[Symbol.asyncDispose]());
  for (const asked of [one?.cache.reader, two?.cache.reader, reader]) {
    const all = await asked?.read(readRequest(OF_SHARD_1));
    t.deepEqual(all && times(all.batch), [1, 2, 3, 4, 5, 5]);
    const last = await asked?.read(readRequest(OF_SHARD_1, { limit: 1n, descending: true }));
    t.deepEqual(last && times(last.batch), [5, 5]);
  }
});

test('adds up the meta of all zones', async (t) => {
  const { nodes, zones, tls } = await cluster(t, { az1: 2, az2: 1 });
  nodes[0]?.cache.put(batchOf([line(OF_SHARD_0, 5), line(OF_SHARD_0, 6)]));
  nodes[1]?.cache.put(batchOf([line(OF_SHARD_1, 7)]));
  nodes[2]?.cache.put(batchOf([line(OF_SHARD_0, 1), line(OF_SHARD_1, 9)]));
  const reader = createClusterReader({
    metrics: new Metrics({ origin: 'test' }),
    members: staticMembers(zones),
    tls,
    log: silent(),
  });
  t.teardown(() => reader[Symbol.asyncDispose]());
  const { sources, unreachable } = await reader.meta(false);
  t.deepEqual(unreachable, []);
  t.is(sources.size, 2);
  t.deepEqual(told(sources.get(OF_SHARD_0)), { count: 3, expired: 0, oldest: 1n, newest: 6n });
  t.deepEqual(told(sources.get(OF_SHARD_1)), { count: 2, expired: 0, oldest: 7n, newest: 9n });
  const own = await nodes[1]?.cache.reader.meta(true);
  t.deepEqual([...(own?.sources.keys() ?? [])], [OF_SHARD_1]);
});

test('names a dead owner, and still answers with what the others have', async (t) => {
  const { nodes, zones, tls } = await cluster(t, { az1: 1, az2: 2 });
  const [one, , three] = nodes;
  one?.cache.put(batchOf([line(OF_SHARD_1, 1)]));
  three?.cache.put(batchOf([line(OF_SHARD_1, 2)]));
  await three?.stop();
  const reader = createClusterReader({
    metrics: new Metrics({ origin: 'test' }),
    members: staticMembers(zones),
    tls,
    log: silent(),
  });
  t.teardown(() => reader[Symbol.asyncDispose]());
  for (const asked of [one?.cache.reader, reader]) {
    const result = await asked?.read(readRequest(OF_SHARD_1));
    t.deepEqual(result && times(result.batch), [1]);
    t.deepEqual(result?.unreachable, ['az2/1']);
    const meta = await asked?.meta(false);
    t.deepEqual(meta?.unreachable, ['az2/1']);
    t.deepEqual([...(meta?.sources.keys() ?? [])], [OF_SHARD_1]);
    // Who owns another source is not missed.
    t.deepEqual((await asked?.read(readRequest(OF_SHARD_0)))?.unreachable, []);
  }
});

test('answers with nothing, and no error, when every owner is dead', async (t) => {
  const { nodes, zones, tls } = await cluster(t, { az1: 2 });
  for (const node of nodes) await node.stop();
  const reader = createClusterReader({
    metrics: new Metrics({ origin: 'test' }),
    members: staticMembers(zones),
    tls,
    log: silent(),
  });
  t.teardown(() => reader[Symbol.asyncDispose]());
  const { batch, unreachable } = await reader.read(readRequest(OF_SHARD_1));
  t.is(batch.count, 0);
  t.deepEqual(unreachable, ['az1/1']);
  await t.throwsAsync(reader.meta(false), {
    message: 'failed to read meta data from remote node',
  });
  // A bad request is refused all the same.
  await t.throwsAsync(reader.read(readRequest(OF_SHARD_1, { limit: 1001n })), {
    message: 'Limit (1001) must be 1000 or less',
  });
});

test('finds a node again that comes back', async (t) => {
  const { nodes, zones, tls } = await cluster(t, { az1: 2 });
  const [, second] = both(nodes);
  const reader = createClusterReader({
    metrics: new Metrics({ origin: 'test' }),
    members: staticMembers(zones),
    tls,
    log: silent(),
  });
  t.teardown(() => reader[Symbol.asyncDispose]());
  await second.stop();
  t.deepEqual((await reader.read(readRequest(OF_SHARD_1))).unreachable, ['az1/1']);
  const { services, put } = second.cache;
  put(batchOf([line(OF_SHARD_1, 1)]));
  const { address } = second.listener;
  const again = await listenGrpc({ address, tls, services, log: silent() });
  t.teardown(() => again[Symbol.asyncDispose]());
  const result = await eventually(async () => {
    const { batch, unreachable } = await reader.read(readRequest(OF_SHARD_1));
    return unreachable.length === 0 ? batch : undefined;
  });
  t.deepEqual(result && times(result), [1]);
});

test('passes on what an owner refuses', async (t) => {
  const { nodes, zones, tls } = await cluster(t, { az1: 2 });
  const [first, second] = both(nodes);
  const log = { payload: Buffer.alloc(1_000_000) };
  for (let n = 0; n < 53; n += 1) second.cache.put(batchOf([{ ...line(OF_SHARD_1, n), log }]));
  const reader = createClusterReader({
    metrics: new Metrics({ origin: 'test' }),
    members: staticMembers(zones),
    tls,
    log: silent(),
  });
  t.teardown(() => reader[Symbol.asyncDispose]());
  for (const asked of [first.cache.reader, reader]) {
    const counted = asked.read(readRequest(OF_SHARD_1)).then(({ batch }) => batch.count);
    await t.throwsAsync(counted, { message: /larger than max/ });
  }
});

test('answers a read for another node from its own store only', async (t) => {
  const { nodes, tls } = await cluster(t, { az1: 2 });
  const [first, second] = both(nodes);
  second.cache.put(batchOf([line(OF_SHARD_1, 1)]));
  const client = new LogCacheClient({ address: first.listener.address, tls });
  t.teardown(() => client[Symbol.asyncDispose]());
  t.is((await client.read(readRequest(OF_SHARD_1), { local: true })).count, 0);
  t.is((await client.read(readRequest(OF_SHARD_1), { local: false })).count, 1);
});

test('stores a local Send whatever its owner, and routes any other', async (t) => {
  const { nodes, tls } = await cluster(t, { az1: 2 });
  const [first, second] = both(nodes);
  const client = new LogCacheClient({ address: first.listener.address, tls });
  t.teardown(() => client[Symbol.asyncDispose]());
  await client.send(batchOf([line(OF_SHARD_1, 1)]).pack(), { localOnly: true });
  t.is(first.cache.store.size, 1);
  await client.send(batchOf([line(OF_SHARD_1, 2)]).pack(), { localOnly: false });
  await eventually(() => second.cache.store.size === 1);
  t.is(first.cache.store.size, 1);
});

test('answers a Send with OK though its owner is dead, and meta with UNKNOWN when all are', async (t) => {
  const { nodes, tls, zones } = await cluster(t, { az1: 2 });
  const [first, second] = both(nodes);
  await second.stop();
  const client = new LogCacheClient({ address: first.listener.address, tls });
  t.teardown(() => client[Symbol.asyncDispose]());
  await client.send(batchOf([line(OF_SHARD_1, 1)]).pack(), { localOnly: false });
  const reader = createClusterReader({
    members: staticMembers([{ name: 'az1', addresses: zones[0]?.addresses.slice(1) ?? [] }]),
    tls,
    metrics: new Metrics({ origin: 'test' }),
    log: silent(),
  });
  t.teardown(() => reader[Symbol.asyncDispose]());
  const error = await t.throwsAsync(reader.meta(false));
  t.like(error, { code: status.UNKNOWN, message: 'failed to read meta data from remote node' });
});

test('counts what a dead owner does not get, exactly', async (t) => {
  const { nodes } = await cluster(t, { az1: 2 });
  const [first, second] = both(nodes);
  await second.stop();
  const count = 10_350;
  for (let n = 0; n < count; n += 50) {
    first.cache.put(batchOf(Array.from({ length: 50 }, (_, i) => line(OF_SHARD_1, n + i))));
  }
  await first.cache[Symbol.asyncDispose]();
  t.is(metricOf(first.metrics, 'ingress_dropped'), count);
  t.true((metricOf(first.metrics, 'log_cache_send_failures') ?? 0) >= 1);
});

test('sends on what still waits before it is gone', async (t) => {
  const { nodes } = await cluster(t, { az1: 2 });
  const [first, second] = both(nodes);
  first.cache.put(batchOf(Array.from({ length: 1000 }, (_, n) => line(OF_SHARD_1, n))));
  await first.cache[Symbol.asyncDispose]();
  t.is(second.cache.store.size, 1000);
  t.is(metricOf(first.metrics, 'ingress_dropped'), 0);
});

test('keeps meta for a second, but not a failure', async (t) => {
  let now = 1000;
  const { put, reader: local } = testStore();
  const zones = [{ name: 'az1', addresses: ['here'] }];
  const clients = new Clients({ tls: undefined });
  const reader = new ClusterReader({ clients, log: silent(), local, now: () => now });
  reader.follow(zones, { zone: 'az1', index: 0 });
  put(line('a', 1));
  t.is((await reader.meta(false)).sources.size, 1);
  put(line('b', 1));
  now += 999;
  t.is((await reader.meta(false)).sources.size, 1);
  t.is((await reader.meta(true)).sources.size, 2);
  now += 1;
  t.is((await reader.meta(false)).sources.size, 2);
});

test('is alone when no shards are given, and then owns every source', async (t) => {
  const metrics = new Metrics({ origin: 'test' });
  const given = { tls: undefined, metrics, log: silent() };
  const cache = createLogCache({ ...given, members: staticMembers([]), zone: 'az1', index: 0 });
  t.teardown(() => cache[Symbol.asyncDispose]());
  cache.put(batchOf([line(OF_SHARD_0, 1), line(OF_SHARD_1, 2)]));
  t.is(cache.store.size, 2);
  t.is((await cache.reader.read(readRequest(OF_SHARD_1))).batch.count, 1);
});

for (const [zone, index, message] of [
  ['az3', 0, /zone az3 is not among the zones of the shards: az1/],
  ['az1', 1, /zone az1 has 1 shards, so there is no index 1/],
] as const) {
  test(`refuses to be ${zone}/${index} when there is no such shard`, (t) => {
    const given = { tls: undefined, metrics: new Metrics({ origin: 'test' }), log: silent() };
    const members = staticMembers([{ name: 'az1', addresses: ['127.0.0.1:1'] }]);
    t.throws(() => createLogCache({ ...given, members, zone, index }), {
      instanceOf: MembershipError,
      message,
    });
  });
}

test('agrees with the original on who owns a source', (t) => {
  t.deepEqual([ownerOf(OF_SHARD_0, 2), ownerOf(OF_SHARD_1, 2)], [0, 1]);
});
