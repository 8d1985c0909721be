import { Metadata, status } from '@grpc/grpc-js';
import { listenGrpc, Metrics, readTls, staticMembers, type Zone } from '@standpipe/plumbing';
import { testTls } from '@standpipe/plumbing/testing';
import { ownerOf } from '@standpipe/protos';
import test, { type ExecutionContext } from 'ava';
import { LogCacheClient } from '../client.ts';
import { Clients } from '../clients.ts';
import { NodeSeries } from '../gateway/node-series.ts';
import { createClusterReader, createLogCache } from '../log-cache.ts';
import { ReadError } from '../read-error.ts';
import { batchOf, type EnvelopeInit, metricOf } from '../testing.ts';
import { both, cluster, OF_SHARD_0, OF_SHARD_1, silent } from '../testing-cluster.ts';
import { ClusterSeries } from './cluster-series.ts';
import { QueryError } from './errors.ts';
import { Pacer, SampleBudget } from './pacer.ts';
import { type Answer, Querier } from './querier.ts';
import { selectFrom } from './series-client.ts';
import { ANYBODY, counterAt, gaugeAt, linesOf, logAt } from './testing.ts';

const NOW = Math.floor(Date.now() / 1000) - 60;

interface Asked {
  readonly lines: readonly string[];
  readonly unreachable: readonly string[];
}

async function ask(querier: Querier, query: string, second = NOW): Promise<Asked> {
  const answer = async ({ result, unreachable }: Answer): Promise<Asked> => ({
    lines: [...linesOf(result)].sort(),
    unreachable,
  });
  return querier.instant(query, second * 1000, ANYBODY, answer);
}

test('every node answers for every source, and so does the front door', async (t) => {
  const { nodes, zones, tls } = await cluster(t, { az1: 2 });
  const [first, second] = both(nodes);
  first.cache.put(batchOf([gaugeAt(NOW, { x: 1 }, { source: OF_SHARD_0 })]));
  second.cache.put(batchOf([gaugeAt(NOW, { x: 2 }, { source: OF_SHARD_1 })]));
  const door = createClusterReader({
    members: staticMembers(zones),
    tls,
    metrics: new Metrics({ origin: 'test' }),
    log: silent(),
  });
  t.teardown(() => door[Symbol.asyncDispose]());

  for (const { querier } of [first.cache, second.cache, door]) {
    t.deepEqual(await ask(querier, 'sum(x)'), { lines: ['{} 3'], unreachable: [] });
    t.deepEqual((await ask(querier, `x{source_id="${OF_SHARD_1}"}`)).lines, [
      `{source_id="${OF_SHARD_1}"} 2`,
    ]);
    t.deepEqual((await ask(querier, `sum(x{source_id=~"${OF_SHARD_0}|${OF_SHARD_1}"})`)).lines, [
      '{} 3',
    ]);
    t.deepEqual((await ask(querier, 'sum(x{source_id!~"src.*"})')).lines, ['{} 2']);
  }
});

test('zones are one, and nothing counts twice', async (t) => {
  const { nodes } = await cluster(t, { az1: 1, az2: 1 });
  const [first, second] = both(nodes);
  const points = (from: number): EnvelopeInit[] =>
    [0, 2, 4].map((n) => counterAt(NOW + from + n, 'c', from + n));
  first.cache.put(batchOf([...points(0), logAt(NOW), logAt(NOW)]));
  second.cache.put(batchOf([...points(1), logAt(NOW), logAt(NOW + 1)]));
  for (const { querier } of [first.cache, second.cache]) {
    t.deepEqual((await ask(querier, 'c[1m]', NOW + 9)).lines, [
      `{source_id="app"} ${[0, 1, 2, 3, 4, 5].map((n) => `${NOW + n}:${n}`).join(' ')}`,
    ]);
    t.deepEqual((await ask(querier, 'sum(log_lines_total)', NOW)).lines, ['{} 3']);
    t.deepEqual((await ask(querier, 'sum(log_lines_total)', NOW + 9)).lines, ['{} 4']);
  }
});

test('a node that can not be asked is named, and the others answer', async (t) => {
  const { nodes } = await cluster(t, { az1: 2 });
  const [first, second] = both(nodes);
  first.cache.put(batchOf([gaugeAt(NOW, { x: 1 }, { source: OF_SHARD_0 })]));
  await second.stop();
  const { querier } = first.cache;
  t.deepEqual(await ask(querier, 'sum(x)'), { lines: ['{} 1'], unreachable: ['az1/1'] });
  t.deepEqual(await ask(querier, `x{source_id="${OF_SHARD_1}"}`), {
    lines: [],
    unreachable: ['az1/1'],
  });
  t.deepEqual((await ask(querier, `x{source_id="${OF_SHARD_0}"}`)).unreachable, []);
});

test('many samples of many series come over whole', async (t) => {
  const { nodes } = await cluster(t, { az1: 2 });
  const [first, second] = both(nodes);
  for (let instance = 0; instance < 5; instance += 1) {
    const where = { source: OF_SHARD_1, instance: String(instance) };
    const samples = Array.from({ length: 2000 }, (_, n) =>
      gaugeAt(NOW - 3000 + n, { x: n }, where),
    );
    second.cache.put(batchOf(samples));
  }
  const large = { source: OF_SHARD_1, instance: 'large' };
  for (let round = 0; round < 20; round += 1) {
    const samples = Array.from({ length: 2000 }, () =>
      gaugeAt(NOW - 2000 + round, { x: 1 }, large),
    );
    second.cache.put(batchOf(samples));
  }
  const query = `count_over_time(x{source_id="${OF_SHARD_1}"}[2h])`;
  const here = await ask(second.cache.querier, query);
  t.is(here.lines.length, 6);
  t.true(here.lines.includes(`{instance_id="large", source_id="${OF_SHARD_1}"} 40000`));
  t.deepEqual(await ask(first.cache.querier, query), here);
});

test('what another node refuses as too much is too much, and no missing node', async (t) => {
  const details = 'the query selects too many different series';
  const refusal = Object.assign(new Error(details), {
    code: status.RESOURCE_EXHAUSTED,
    details,
    metadata: new Metadata(),
  });
  const refuse = async (): Promise<never> => {
    throw refusal;
  };
  const client = { select: refuse, ask: refuse, meta: refuse };
  const selection = { matchers: [], startMs: 0, endMs: 1, labelsOnly: false };
  const { signal } = ANYBODY;
  const budget = new SampleBudget(1);
  using pace = new Pacer({ budget, timeoutMs: 60_000, signal });
  await t.throwsAsync(selectFrom(client, selection, pace), {
    instanceOf: QueryError,
    message: details,
  });
});

test('a node of the original is read page by page', async (t) => {
  const { original, ours } = await mixedRing(t);
  const source = sourceOf(1);
  const count = 2500;
  for (let from = 0; from < count; from += 500) {
    const envelopes = Array.from({ length: 500 }, (_, n) =>
      counterAt(NOW - count + from + n, 'http.requests', from + n, { source }),
    );
    original.store.put(batchOf(envelopes));
  }
  original.store.put(batchOf([logAt(NOW, { source }), logAt(NOW, { source })]));
  for (const query of [
    `count_over_time(http_requests{source_id="${source}"}[1h])`,
    'count_over_time(http_requests[1h])',
  ]) {
    t.deepEqual(await ask(ours.querier, query, NOW), {
      lines: [`{source_id="${source}"} ${count}`],
      unreachable: [],
    });
  }
  t.deepEqual((await ask(ours.querier, 'sum(log_lines_total)', NOW)).lines, ['{} 2']);
});

test('whoever asks one node, and not for its own store, has what all nodes have', async (t) => {
  const { nodes, tls } = await cluster(t, { az1: 2 });
  const [first, second] = both(nodes);
  second.cache.put(batchOf([gaugeAt(NOW, { x: 2 }, { source: OF_SHARD_1 })]));
  const client = new LogCacheClient({ address: first.listener.address, tls });
  t.teardown(() => client[Symbol.asyncDispose]());
  const metrics = new Metrics({ origin: 'test' });
  const querier = new Querier({ source: new NodeSeries(client), metrics });
  t.deepEqual((await ask(querier, 'sum(x)')).lines, ['{} 2']);
});

test('whoever asks one node hears from it which others are missing', async (t) => {
  const { nodes, tls } = await cluster(t, { az1: 2 });
  const [first, second] = both(nodes);
  first.cache.put(batchOf([gaugeAt(NOW, { x: 1 }, { source: OF_SHARD_0 })]));
  const client = new LogCacheClient({ address: first.listener.address, tls });
  t.teardown(() => client[Symbol.asyncDispose]());
  const metrics = new Metrics({ origin: 'test' });
  const querier = new Querier({ source: new NodeSeries(client), metrics });
  t.deepEqual(await ask(querier, 'sum(x)'), { lines: ['{} 1'], unreachable: [] });
  await second.stop();
  t.deepEqual(await ask(querier, 'sum(x)'), { lines: ['{} 1'], unreachable: ['az1/1'] });
});

test('a node that refuses ends what the others are asked, and nothing stays held', async (t) => {
  const { nodes, zones, tls } = await cluster(t, { az1: 2 });
  const [first, second] = both(nodes);
  const samples = (source: string): EnvelopeInit[] =>
    Array.from({ length: 3000 }, (_, n) => gaugeAt(NOW - 3000 + n, { x: n }, { source }));
  first.cache.put(batchOf(samples(OF_SHARD_0)));
  second.cache.put(batchOf(samples(OF_SHARD_1)));
  const clients = new Clients({ tls });
  t.teardown(() => clients[Symbol.asyncDispose]());
  const source = new ClusterSeries({ clients, log: silent() });
  source.follow(zones);
  const budget = new SampleBudget(8000);
  const querier = new Querier({ source, budget, metrics: new Metrics({ origin: 'test' }) });
  for (let round = 0; round < 5; round += 1) {
    await t.throwsAsync(ask(querier, 'sum_over_time(x[1h])'), { message: /too many samples/ });
    t.is(budget.held, 0);
  }
  const one = await ask(querier, `count_over_time(x{source_id="${OF_SHARD_0}"}[1h])`);
  t.deepEqual(one.lines, [`{source_id="${OF_SHARD_0}"} 3000`]);
});

test('a node that is not there is an error for who has no other', async (t) => {
  const client = new LogCacheClient({ address: '127.0.0.1:1', tls: undefined });
  t.teardown(() => client[Symbol.asyncDispose]());
  const metrics = new Metrics({ origin: 'test' });
  const querier = new Querier({ source: new NodeSeries(client), metrics });
  await t.throwsAsync(ask(querier, 'x'), { instanceOf: ReadError, message: /connection refused/ });
  t.is(metricOf(metrics, 'log_cache_promql_timeout'), 1);
});

/** A source that the node of this index owns, of two. */
function sourceOf(index: number): string {
  return ownerOf(OF_SHARD_0, 2) === index ? OF_SHARD_0 : OF_SHARD_1;
}

/** A node of ours at index 0, and one without the services that the original doesn't have. */
async function mixedRing(t: ExecutionContext): Promise<{
  readonly ours: ReturnType<typeof createLogCache>;
  readonly original: ReturnType<typeof createLogCache>;
}> {
  const { doppler } = await testTls({ name: 'doppler', dns: ['log-cache'] });
  const tls = readTls(doppler);
  const log = silent();
  const node = (zones: readonly Zone[], index: number): ReturnType<typeof createLogCache> =>
    createLogCache({
      members: staticMembers(zones),
      zone: zones.length === 0 ? '' : 'az1',
      index,
      tls,
      metrics: new Metrics({ origin: 'test' }),
      log,
    });
  const original = node([], 0);
  const services = original.services.filter(({ definition }) =>
    Object.values(definition).every(({ path }) => path.startsWith('/logcache.v1.')),
  );
  const listener = await listenGrpc({ address: '127.0.0.1:0', tls, services, log, drainMs: 0 });
  const ours = node([{ name: 'az1', addresses: ['127.0.0.1:1', listener.address] }], 0);
  t.teardown(async () => {
    await listener[Symbol.asyncDispose]();
    await ours[Symbol.asyncDispose]();
    await original[Symbol.asyncDispose]();
  });
  return { ours, original };
}
