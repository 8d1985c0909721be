/** What a query loses to a node of the original's that hangs, is slow, or gives no large pages. */

import { status } from '@grpc/grpc-js';
import { listenGrpc, Metrics } from '@standpipe/plumbing';
import { eventually } from '@standpipe/plumbing/testing';
import test, { type ExecutionContext } from 'ava';
import { LogCacheClient } from '../client.ts';
import { Clients } from '../clients.ts';
import { NodeSeries } from '../gateway/node-series.ts';
import { Store } from '../store.ts';
import { batchOf, type EnvelopeInit } from '../testing.ts';
import { OF_SHARD_0, silent } from '../testing-cluster.ts';
import { OF_NODE_1, OriginalNode, type OriginalRead } from '../testing-original.ts';
import { ClusterSeries } from './cluster-series.ts';
import { QueryError } from './errors.ts';
import { LocalSeries } from './local-series.ts';
import type { Selected, Selection, SeriesSource } from './series.ts';
import { selectFrom } from './series-client.ts';
import { CountingPace, gaugeAt } from './testing.ts';

const NOW = Math.floor(Date.now() / 1000) - 60;
const EVERYTHING: Selection = {
  matchers: [],
  startMs: (NOW - 10_000) * 1000,
  endMs: NOW * 1000,
  labelsOnly: false,
};
const OWN = { [OF_SHARD_0]: 3 };
/** Longer than a test may take: what ends before it ends for another reason. */
const LONG_MS = 600_000;

/** A query of which others have little time; its own is never over, however slow the machine is. */
class ImpatientPace extends CountingPace {
  override readonly deadlineMs = Date.now() + 500;
}

class LeavingPace extends CountingPace {
  readonly left = new AbortController();
  override readonly signal = this.left.signal;
}

test('a node that hangs is missing in time, and what the others gave stays', async (t) => {
  const { original, ring } = await started(t);
  original.kept.push(...samples(OF_NODE_1, 1));
  original.onRead = () => undefined;
  const found = told(await ring.select(EVERYTHING, new ImpatientPace()));
  t.deepEqual(found, { counts: OWN, unreachable: ['az1/1'] });
});

test('a node that hangs over its list of sources is missing in time', async (t) => {
  const { original, ring } = await started(t);
  original.answersMeta = false;
  const found = told(await ring.select(EVERYTHING, new ImpatientPace()));
  t.deepEqual(found, { counts: OWN, unreachable: ['az1/1'] });
});

test('all pages of a slow node have one time, and of what it gave nothing stays held', async (t) => {
  const { original, ring } = await started(t);
  const ids = Array.from({ length: 3000 }, (_, n) => `source ${n}`);
  original.kept.push(...ids.flatMap((id) => samples(id, 1)));
  original.onRead = (read) => setTimeout(read.answer, 20);
  const pace = new ImpatientPace();
  const found = told(await ring.select(EVERYTHING, pace));
  t.deepEqual(found, { counts: OWN, unreachable: ['az1/1'] });
  t.is(pace.held, OWN[OF_SHARD_0]);
});

test('whoever has no other node than one that hangs is told that time is over', async (t) => {
  const { original, client } = await started(t);
  original.kept.push(...samples(OF_NODE_1, 1));
  original.onRead = () => undefined;
  await t.throwsAsync(new NodeSeries(client).select(EVERYTHING, new ImpatientPace()), {
    instanceOf: QueryError,
    message: 'query timed out in expression evaluation',
  });
});

test('a query that is over asks for no more, and blames nobody', async (t) => {
  const { original, ring } = await started(t);
  original.kept.push(...samples(OF_NODE_1, 1));
  const reads: OriginalRead[] = [];
  original.onRead = (read) => reads.push(read);
  const pace = new LeavingPace();
  const asked = ring.select(EVERYTHING, pace);
  asked.catch(() => undefined); // Until it is waited for.
  await eventually(() => reads.length === 1);
  pace.left.abort();
  await t.throwsAsync(asked, { instanceOf: QueryError, message: /canceled/ });
  await eventually(() => reads.every(({ isGone }) => isGone));
});

test('eight sources are read side by side', async (t) => {
  const { original, ring } = await started(t);
  const ids = Array.from({ length: 20 }, (_, n) => `source ${n}`);
  original.kept.push(...ids.flatMap((id) => samples(id, 2)));
  const open: OriginalRead[] = [];
  original.onRead = (read) => open.push(read);
  const pace = new CountingPace();
  const asked = ring.select(EVERYTHING, pace);
  for (let left = ids.length; left > 0; left -= 8) {
    const count = Math.min(left, 8);
    await eventually(() => open.length === count);
    for (const read of open.splice(0)) read.answer();
  }
  const expected = { ...OWN, ...Object.fromEntries(ids.map((id) => [id, 2])) };
  t.deepEqual(told(await asked), { counts: expected, unreachable: [] });
  t.is(pace.held, 43);
});

test('a page that is too large is asked for again, half as long', async (t) => {
  const { original, client } = await started(t);
  original.kept.push(...samples(OF_NODE_1, 2500), ...samples('beside', 10));
  const limits: number[] = [];
  original.onRead = (read) => {
    if (read.sourceId === OF_NODE_1) limits.push(read.limit);
    if (read.limit > 300) read.refuse();
    else read.answer();
  };
  const found = told(await selectFrom(client, EVERYTHING, new CountingPace()));
  t.deepEqual(found.counts, { [OF_NODE_1]: 2500, beside: 10 });
  t.deepEqual(limits.slice(0, 4), [1000, 500, 250, 250]);
  t.is(limits.length, 13, 'ten pages of 250, an empty one, and two in vain');
});

test('a node that gives one envelope at a time is read so; one that gives none is missing', async (t) => {
  const { original, ring, client } = await started(t);
  original.kept.push(...samples(OF_NODE_1, 5));
  let most = 1;
  original.onRead = (read) => (read.limit > most ? read.refuse() : read.answer());
  t.deepEqual(told(await ring.select(EVERYTHING, new CountingPace())), {
    counts: { ...OWN, [OF_NODE_1]: 5 },
    unreachable: [],
  });
  most = 0;
  t.deepEqual(told(await ring.select(EVERYTHING, new CountingPace())), {
    counts: OWN,
    unreachable: ['az1/1'],
  });
  await t.throwsAsync(selectFrom(client, EVERYTHING, new CountingPace()), {
    code: status.RESOURCE_EXHAUSTED,
  });
});

/** So many samples of a source, a second apart. */
function samples(source: string, count: number): EnvelopeInit[] {
  return Array.from({ length: count }, (_, n) => gaugeAt(NOW - count + n, { x: n }, { source }));
}

/** How many samples there are of each source, and who is missing. */
function told({ series, unreachable }: Selected): {
  readonly counts: Readonly<Record<string, number>>;
  readonly unreachable: readonly string[];
} {
  const counts = series.map(({ labels, times }) => [labels.get('source_id'), times.length]);
  return { counts: Object.fromEntries(counts), unreachable };
}

/** One of the original's, who asks it alone, and a ring of ours, which has samples, and it. */
async function started(t: ExecutionContext): Promise<{
  readonly original: OriginalNode;
  readonly client: LogCacheClient;
  readonly ring: SeriesSource;
}> {
  const original = new OriginalNode();
  const { services } = original;
  const tls = undefined;
  const log = silent();
  const listener = await listenGrpc({ address: '127.0.0.1:0', tls, services, log, drainMs: 0 });
  const { address } = listener;
  const client = new LogCacheClient({ address, tls, readDeadlineMs: LONG_MS });
  const clients = new Clients({ tls, readDeadlineMs: LONG_MS });
  const metrics = new Metrics({ origin: 'test' });
  const store = new Store({ memoryLimitBytes: 64 * 2 ** 20, metrics });
  store.put(batchOf(samples(OF_SHARD_0, OWN[OF_SHARD_0])));
  const ring = new ClusterSeries({ clients, log, local: new LocalSeries(store, metrics) });
  const zone = { name: 'az1', addresses: ['127.0.0.1:1', address] };
  ring.follow([zone], { zone: 'az1', index: 0 });
  t.teardown(async () => {
    await client[Symbol.asyncDispose]();
    await clients[Symbol.asyncDispose]();
    await listener[Symbol.asyncDispose]();
  });
  return { original, client, ring };
}
