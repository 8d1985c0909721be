/**
 * What an envelope costs an agent between its scan and its queue, beside what decoding, tagging and
 * encoding it again would.
 *
 *     npm run bench -- tagger
 */

import { Metrics } from '@standpipe/plumbing';
import { Batch, BatchBuilder, loggregator, scanBatch } from '@standpipe/protos';
import { cfBatch, encodeBatch, leanBatch } from '@standpipe/protos/testing';
import { Bench, type BenchOptions } from 'tinybench';
import { metronMetrics } from './metrics.ts';
import { Processor } from './processor.ts';

export const unit: string = 'envelope';
export const perRun: number = 100;

const { EnvelopeBatch } = loggregator.v2;
const TAGS = new Map([
  ['deployment', 'cf'],
  ['job', 'diego-cell'],
  ['index', '5b4ce2a1-8f0d-4d5e-b5a8-6f3b1c1d2e3f'],
  ['ip', '10.0.16.24'],
]);

export function bench(options: BenchOptions): Bench {
  const suite = new Bench(options);
  const batch = new Batch();
  const builder = new BatchBuilder();
  const lane = { builder, added: () => undefined };
  const metrics = metronMetrics(new Metrics({ origin: 'bench' }), {
    connected: () => 0,
    waiting: () => 0,
  });
  const processor = new Processor({
    tags: TAGS,
    logsDisabled: false,
    metrics,
    owners: { laneOf: () => lane },
  });
  for (const [shape, bytes] of shapes()) {
    suite.add(`scan, tag and total, ${shape}`, () => {
      scanBatch(bytes, batch);
      processor.process(batch);
      builder.take();
    });
    suite.add(`decode, tag and encode, ${shape}`, () => {
      const decoded = EnvelopeBatch.decode(bytes);
      for (const { tags } of decoded.batch) {
        for (const [key, value] of TAGS) if (tags) tags[key] ??= value;
      }
      EnvelopeBatch.encode(decoded).finish();
    });
  }
  return suite;
}

function shapes(): readonly [string, Buffer][] {
  const { batch } = EnvelopeBatch.decode(leanBatch(100).bytes);
  const counters = batch.map(({ log: _, ...rest }, index) => ({
    ...rest,
    counter: { name: `requests_${index % 10}`, delta: 1 },
  }));
  const deprecated = batch.map((envelope) => ({
    ...envelope,
    tags: {},
    deprecated_tags: Object.fromEntries(
      Object.entries(envelope.tags ?? {}).map(([key, text]) => [key, { text }]),
    ),
  }));
  return [
    ['lean logs', leanBatch(100).bytes],
    ['cf logs', cfBatch(100).bytes],
    ['counters', encodeBatch(counters)],
    ['deprecated tags', encodeBatch(deprecated)],
  ];
}
