/**
 * What routing a batch of 100 lean logs costs: one firehose, ten, a thousand app streams.
 *
 *     npm run bench -- router
 *
 * The cache and the sinks here do nothing: this is the tree and the fan-out alone.
 */

import { Batch, scanBatch } from '@standpipe/protos';
import { leanBatch } from '@standpipe/protos/testing';
import { Bench } from 'tinybench';
import type { Sink } from './fanout.ts';
import { type Interest, Router } from './router.ts';
import { readSelectors } from './selectors.ts';

const ENVELOPES = 100;
const EVERYTHING = readSelectors([
  { log: {} },
  { counter: {} },
  { gauge: {} },
  { timer: {} },
  { event: {} },
]);

/** Sources of the batch, in turns: a hundred apps, as an agent's batch seldom has more. */
const SOURCES = 100;
const ELSEWHERE = 'app-elsewhere';

const firehose = (shardId: string): Interest => interest(EVERYTHING, shardId);
const appStream = (sourceId: string, shardId = ''): Interest =>
  interest(
    EVERYTHING.map((selector) => ({ ...selector, sourceId })),
    shardId,
  );
const logsOnly = (shardId: string): Interest => interest(EVERYTHING.slice(0, 1), shardId);

const CASES: readonly [string, readonly Interest[]][] = [
  ['nobody', []],
  ['1 firehose', [firehose('a')]],
  ['10 firehoses', times(10, (n) => firehose(`${n}`))],
  ['10 firehoses that want logs only', times(10, (n) => logsOnly(`${n}`))],
  ['1 firehose shared by 4', times(4, () => firehose('a'))],
  ['1 app stream of each of 100 sources', times(100, (n) => appStream(sourceOf(n)))],
  ['100 app streams of one source', times(100, () => appStream(sourceOf(7)))],
  ['100 app streams of a source that is not there', times(100, () => appStream(ELSEWHERE))],
  ['1000 app streams, 10 of each source', times(1000, (n) => appStream(sourceOf(n % SOURCES)))],
  [
    '1 firehose and 100 app streams',
    [firehose('a'), ...times(100, (n) => appStream(sourceOf(n), `${n}`))],
  ],
];

export const unit = 'envelope';
export const perRun: number = ENVELOPES;

export function bench(options: object): Bench {
  const suite = new Bench(options);
  const batch = new Batch();
  const { bytes } = leanBatch(ENVELOPES, { sourceId: (index) => sourceOf(index % SOURCES) });
  if (!scanBatch(bytes, batch)) throw new Error(batch.mistake);
  for (const [name, interests] of CASES) {
    const router = new Router({ cache: { put: () => undefined } });
    const sink: Sink = { put: () => undefined };
    for (const one of interests) router.subscribe(sink, one);
    suite.add(`route to ${name}`, () => router.route(batch));
  }
  return suite;
}

function interest(selectors: Interest['selectors'], shardId: string): Interest {
  return { selectors, shardId, deterministicName: '' };
}

function sourceOf(index: number): string {
  return `73467cc3-261a-472e-80e8-${String(index).padStart(12, '0')}`;
}

function times<T>(count: number, make: (index: number) => T): T[] {
  return Array.from({ length: count }, (_, index) => make(index));
}
