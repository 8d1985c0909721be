import test from 'ava';
import { loggregator } from '../gen/messages.js';
import { Batch } from './batch.ts';
import { BatchBuilder } from './builder.ts';
import { PackedBatch } from './packed-batch.ts';
import { scanBatch } from './scan.ts';
import { encodeBatch, encodeEnvelope, leanBatch, numberedLog, randomFrom } from './testing.ts';

const { EnvelopeBatch } = loggregator.v2;

test('gathers picked envelopes byte for byte', (t) => {
  const batch = scanned(encodeBatch([numbered(0), numbered(1), numbered(2)]));
  const builder = new BatchBuilder();
  builder.add(batch, 2);
  builder.add(batch, 0);
  const taken = builder.take();
  t.is(taken.count, 2);
  t.deepEqual(taken.bytes, encodeBatch([numbered(2), numbered(0)]));
});

test('appends fields to an envelope and corrects its length', (t) => {
  const batch = scanned(encodeBatch([{ source_id: 'a', event: { body: 'x'.repeat(120) } }]));
  const builder = new BatchBuilder();
  builder.addWith(batch, 0, encodeEnvelope({ instance_id: '7' }));
  const [envelope] = EnvelopeBatch.decode(builder.take().bytes).batch;
  t.is(envelope?.instance_id, '7');
  t.is(envelope?.source_id, 'a');
});

test('a batch that was taken stays as it is while the next ones are gathered', (t) => {
  const builder = new BatchBuilder();
  const taken: PackedBatch[] = [];
  for (let n = 0; n < 2000; n += 1) {
    builder.addBytes(encodeEnvelope(numbered(n)));
    taken.push(builder.take());
  }
  t.deepEqual(
    PackedBatch.concat(taken).bytes,
    encodeBatch(Array.from({ length: 2000 }, (_, n) => numbered(n))),
  );
});

test('a batch may outgrow the chunk', (t) => {
  const envelope = encodeEnvelope({ event: { body: 'x'.repeat(50_000) } });
  const builder = new BatchBuilder();
  for (let n = 0; n < 10; n += 1) builder.addBytes(envelope);
  const { bytes, count } = builder.take();
  t.is(count, 10);
  t.is(EnvelopeBatch.decode(bytes).batch.length, 10);
});

for (const seed of [1, 2, 3]) {
  test(`splits a batch anywhere and puts it together again, seed ${seed}`, (t) => {
    const random = randomFrom(seed);
    const whole = leanBatch(1 + random(50));
    const at = random(whole.count + 1);
    const [head, tail] = [whole.first(at), whole.withoutFirst(at)];
    t.deepEqual([head.count, tail.count], [at, whole.count - at]);
    t.is(EnvelopeBatch.decode(head.bytes).batch.length, at);
    t.deepEqual(PackedBatch.concat([head, tail]).bytes, whole.bytes);
  });
}

test('splits behind unknown fields between the envelopes', (t) => {
  const one = encodeBatch([numbered(1)]);
  const unknown = Buffer.from('1005', 'hex');
  const whole = new PackedBatch(Buffer.concat([one, unknown, one]), 2);
  t.deepEqual(whole.withoutFirst(1).bytes, Buffer.concat([unknown, one]));
});

for (const [what, hex] of [
  ['a frame whose tag is longer than it need be', '8a0000'],
  ['a group between the envelopes', '5b5c0a00'],
] as const) {
  test(`splits behind ${what}`, (t) => {
    const odd = Buffer.from(hex, 'hex');
    const one = encodeBatch([numbered(1)]);
    const batch = scanned(Buffer.concat([odd, one]));
    t.deepEqual(batch.pack().withoutFirst(1).bytes, one);
  });
}

function numbered(n: number): loggregator.v2.IEnvelope {
  return numberedLog('app', n);
}

function scanned(bytes: Buffer): Batch {
  const batch = new Batch();
  if (!scanBatch(bytes, batch)) throw new Error(batch.mistake);
  return batch;
}
