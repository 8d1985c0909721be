import test from 'ava';
import type { loggregator } from '../../gen/messages.js';
import { Batch } from '../batch.ts';
import { PackedBatch } from '../packed-batch.ts';
import { scanBatch } from '../scan.ts';
import { encodeBatch, encodeEnvelope, randomEnvelopes } from '../testing.ts';
import { V1Count } from './v1-count.ts';

type V2 = loggregator.v2.IEnvelope;

const CONTAINER = {
  cpu: { unit: 'percentage', value: 0 },
  memory: { value: 1 },
  disk: { value: 1 },
  memory_quota: { unit: 'bytes' },
  disk_quota: { unit: 'bytes' },
};

const ROWS: readonly (readonly [string, V2, number])[] = [
  ['a log counts for one', { log: { payload: Buffer.from('x') } }, 1],
  ['a log with an empty payload counts for one, though v1 never sees it', { log: {} }, 1],
  ['a counter counts for one', { counter: { name: 'c' } }, 1],
  ['a timer counts for one, even without a request id', { timer: { name: 't' } }, 1],
  ['an event counts for none', { event: { title: 't' } }, 0],
  ['an envelope without a message counts for none', { source_id: 's' }, 0],
  ['a gauge counts for each of its metrics', { gauge: { metrics: { a: {}, b: {}, c: {} } } }, 3],
  ['a gauge without metrics counts for none', { gauge: {} }, 0],
  ['a container gauge counts for one', { gauge: { metrics: CONTAINER } }, 1],
  [
    'a container gauge with further metrics counts for one',
    { gauge: { metrics: { ...CONTAINER, instance_index: {}, more: {} } } },
    1,
  ],
  [
    'a gauge that lacks one of a container counts for each',
    { gauge: { metrics: { ...CONTAINER, disk: {} } } },
    5,
  ],
];

for (const [what, envelope, count] of ROWS) {
  test(`in v1 ${what}`, (t) => {
    const batch = scanned(encodeBatch([envelope, envelope]));
    t.is(new V1Count().of(batch, 1), count);
    t.is(new V1Count().ofBatch(batch), 2 * count);
  });
}

test('a metric that is there twice counts in v1 once', (t) => {
  const gauge: V2 = { gauge: { metrics: { a: { value: 1 } } } };
  const twice = Buffer.concat([encodeEnvelope(gauge), encodeEnvelope(gauge)]);
  t.is(new V1Count().ofBatch(scanned(PackedBatch.of(twice).bytes)), 1);
});

test('a batch counts in v1 for what its envelopes count for', (t) => {
  const counts = new V1Count();
  for (let seed = 0; seed < 20; seed += 1) {
    const batch = scanned(encodeBatch(randomEnvelopes(seed, 50)));
    const each = Array.from({ length: batch.count }, (_, index) => counts.of(batch, index));
    t.is(
      counts.ofBatch(batch),
      each.reduce((sum, count) => sum + count, 0),
    );
  }
});

function scanned(bytes: Buffer): Batch {
  const batch = new Batch();
  if (!scanBatch(bytes, batch)) throw new Error(batch.mistake);
  return batch;
}
