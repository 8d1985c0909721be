import test, { type ExecutionContext } from 'ava';
import { loggregator } from '../gen/messages.js';
import { Batch, Kind } from './batch.ts';
import { scanBatch, scanEnvelope } from './scan.ts';
import { encodeBatch, encodeEnvelope, leanBatch, randomEnvelopes, randomFrom } from './testing.ts';

const { EnvelopeBatch } = loggregator.v2;

test('gives back what a message of very many envelopes took', (t) => {
  const batch = new Batch();
  t.true(scanBatch(Buffer.from('0a00'.repeat(100_000), 'hex'), batch));
  t.is(batch.count, 100_000);
  t.true(scanBatch(encodeBatch([{ source_id: 'a' }, { source_id: 'b' }]), batch));
  t.true(batch.capacity < 1000);
  t.is(batch.sourceId(1), 'b');
});

test('finds ids, time, kind and name of each envelope', (t) => {
  const batch = scanned(
    encodeBatch([
      { timestamp: 5, source_id: 'a', instance_id: '1', log: { payload: Buffer.from('x') } },
      { source_id: 'b', counter: { name: 'requests', delta: 2 } },
      { timestamp: -1, timer: { name: 'http', start: 1, stop: 3 } },
      { event: { title: 'started', body: 'now' } },
      { gauge: { metrics: { cpu: { unit: 'percentage', value: 1 }, memory: {} } } },
      {},
    ]),
  );
  t.is(batch.count, 6);
  t.deepEqual(
    [0, 1, 2, 3, 4, 5].map((row) => batch.kind[row]),
    [Kind.log, Kind.counter, Kind.timer, Kind.event, Kind.gauge, Kind.none],
  );
  t.deepEqual(
    [0, 1, 2].map((row) => batch.sourceId(row)),
    ['a', 'b', ''],
  );
  t.is(batch.instanceId(0), '1');
  t.deepEqual(
    [0, 1, 2, 3, 4, 5].map((row) => batch.name(row)),
    ['', 'requests', 'http', 'started', 'cpu', ''],
  );
  t.deepEqual(
    [0, 1, 2].map((row) => batch.timestamp(row)),
    [5n, 0n, -1n],
  );
  t.is(batch.kinds, 0b111111);
});

test('the frames of a batch, put together, are the batch', (t) => {
  const { bytes } = leanBatch(10);
  const batch = scanned(bytes);
  const frames = Array.from({ length: 10 }, (_, row) =>
    bytes.subarray(batch.frameStart[row], batch.end[row]),
  );
  t.deepEqual(Buffer.concat(frames), bytes);
});

test('an empty message is an empty batch', (t) => {
  t.is(scanned(Buffer.alloc(0)).count, 0);
});

test('grows with the batch', (t) => {
  const batch = new Batch(2);
  t.true(scanBatch(leanBatch(1000).bytes, batch));
  t.is(batch.count, 1000);
});

test('a bare envelope becomes a batch of one', (t) => {
  const batch = new Batch();
  t.true(scanEnvelope(encodeEnvelope({ source_id: 'a', event: { title: 't' } }), batch));
  t.is(batch.sourceId(0), 'a');
  t.is(EnvelopeBatch.decode(batch.pack().bytes).batch.length, 1);
});

test('says where a message is malformed, and holds nothing of it', (t) => {
  const { bytes } = leanBatch(2);
  const batch = new Batch();
  t.false(scanBatch(bytes.subarray(0, bytes.length - 1), batch));
  t.is(batch.count, 0);
  t.is(batch.mistake, `malformed EnvelopeBatch: envelope 1, at byte 285 of ${bytes.length - 1}`);
});

for (const [what, hex] of strangeMessages()) {
  test(`gives protobufjs' verdict on ${what}`, (t) => {
    const bytes = Buffer.from(hex.replaceAll(' ', ''), 'hex');
    t.is(scanBatch(bytes, new Batch()), decodes(bytes));
  });
}

for (const seed of [1, 2, 3, 5, 8, 13]) {
  test(`finds in generated batches what protobufjs decodes, seed ${seed}`, (t) => {
    for (let round = 0; round < 50; round += 1) {
      const bytes = encodeBatch(randomEnvelopes(seed * 1000 + round, 20));
      const batch = scanned(bytes);
      const decoded = EnvelopeBatch.decode(bytes).batch;
      t.is(batch.count, decoded.length);
      for (const [row, envelope] of decoded.entries()) assertSame(t, batch, row, envelope);
    }
  });

  test(`gives protobufjs' verdict on mutated and truncated batches, seed ${seed}`, (t) => {
    const random = randomFrom(seed);
    const batch = new Batch();
    let refused = 0;
    for (let round = 0; round < 4000; round += 1) {
      const sound = encodeBatch(randomEnvelopes(seed * 7 + (round % 40), 3));
      const bytes = mutated(sound, random);
      const accepted = scanBatch(bytes, batch);
      t.is(accepted, decodes(bytes), bytes.toString('hex'));
      assertInBounds(t, batch);
      if (!accepted) refused += 1;
    }
    t.true(refused > 400 && refused < 3600, `${refused} of 4000 were refused`);
  });
}

function assertSame(
  t: ExecutionContext,
  batch: Batch,
  row: number,
  envelope: loggregator.v2.IEnvelope & { message?: keyof typeof Kind },
): void {
  t.is(batch.sourceId(row), envelope.source_id ?? '');
  t.is(batch.instanceId(row), envelope.instance_id ?? '');
  t.is(batch.timestamp(row), BigInt(String(envelope.timestamp ?? 0)));
  t.is(batch.kind[row], envelope.message ? Kind[envelope.message] : Kind.none);
  const [firstMetric = ''] = Object.keys(envelope.gauge?.metrics ?? {});
  const name = envelope.counter?.name ?? envelope.timer?.name ?? envelope.event?.title;
  t.is(batch.name(row), name ?? firstMetric);
}

function assertInBounds(t: ExecutionContext, batch: Batch): void {
  const ends = [batch.end, batch.sourceEnd, batch.instanceEnd, batch.nameEnd, batch.bodyEnd];
  for (let row = 0; row < batch.count; row += 1) {
    for (const column of ends) t.true((column[row] ?? 0) <= batch.bytes.length);
  }
}

/** Changes, cuts off, repeats or puts in a few bytes. */
function mutated(sound: Buffer, random: (below: number) => number): Buffer {
  const bytes = Buffer.from(sound);
  if (!random(4)) return bytes.subarray(0, random(bytes.length + 1));
  if (!random(4)) {
    const at = random(bytes.length + 1);
    const extra = Buffer.from(Array.from({ length: 1 + random(4) }, () => random(256)));
    return Buffer.concat([bytes.subarray(0, at), extra, bytes.subarray(at)]);
  }
  for (let times = 1 + random(3); times > 0 && bytes.length > 0; times -= 1) {
    bytes[random(bytes.length)] = random(256);
  }
  return bytes;
}

function decodes(bytes: Buffer): boolean {
  try {
    EnvelopeBatch.decode(bytes);
    return true;
  } catch {
    return false;
  }
}

function scanned(bytes: Buffer): Batch {
  const batch = new Batch();
  if (!scanBatch(bytes, batch)) throw new Error(batch.mistake);
  return batch;
}

/** Hand-made messages for the corners that mutation seldom reaches. */
function strangeMessages(): [string, string][] {
  const groups = (depth: number) =>
    `0a${hexLength(depth * 2)}${'0b'.repeat(depth)}${'0c'.repeat(depth)}`;
  return [
    ['a length beyond the end', '0a 05 08 01'],
    ['a length of 2^31', '0a 80 80 80 80 08'],
    ['a length of 2^32 - 1', '0a ff ff ff ff 0f'],
    ['a length in more bytes than it needs', '0a 82 80 00 08 01'],
    ['a tag in more bytes than it needs', '8a 00 02 08 01'],
    ['a tag of 33 bits', '8a 80 80 80 10 00'],
    ['field number 0', '0a 02 00 01'],
    ['field number 0, length-delimited', '0a 02 02 00'],
    ['field number 0 in the batch', '02 00'],
    ['wire type 6', '0a 01 0e'],
    ['an end of a group that never began', '0a 01 0c'],
    ['an unknown group', '0a 04 a3 01 a4 01'],
    ['a group closed under another number', '0a 04 a3 01 ac 01'],
    ['a group that is not closed', '0a 02 a3 01'],
    ['97 nested groups', groups(97)],
    ['98 nested groups', groups(98)],
    ['99 nested groups', groups(99)],
    ['100 nested groups', groups(100)],
    ['101 nested groups', groups(101)],
    ['a timestamp of eleven bytes', '0a 0c 08 80 80 80 80 80 80 80 80 80 80 01'],
    ['a timestamp of ten bytes, above 64 bits', '0a 0b 08 ff ff ff ff ff ff ff ff ff 7f'],
    ['an unknown varint of twelve bytes', '0a 0e a0 01 80 80 80 80 80 80 80 80 80 80 80 01'],
    ['a source id that is not UTF-8', '0a 03 12 01 ff'],
    ['an overlong slash', '0a 04 12 02 c0 af'],
    ['a surrogate', '0a 05 12 03 ed a0 80'],
    ['a code point beyond the last', '0a 06 12 04 f4 90 80 80'],
    ['a cut-off sequence', '0a 04 12 02 e2 82'],
    ['the last code point', '0a 06 12 04 f4 8f bf bf'],
    ['a tag entry without a key', '0a 05 4a 03 12 01 61'],
    ['a tag entry with value and key swapped', '0a 08 4a 06 12 01 61 0a 01 62'],
    ['a tag entry with the key twice', '0a 08 4a 06 0a 01 61 0a 01 ff'],
    ['a tag value that is not UTF-8', '0a 08 4a 06 0a 01 61 12 01 80'],
    ['a tag entry that claims more than it has', '0a 08 4a 06 0a 01 61 12 02 62'],
    ['a source id sent as a varint', '0a 02 10 01'],
    ['a log type of ten bytes', '0a 0d 22 0b 10 ff ff ff ff ff ff ff ff ff 01'],
    ['a gauge value cut off in its double', '0a 0b 32 09 0a 07 12 05 11 00 00 00 00'],
    ['a deprecated tag with a decimal', '0a 10 1a 0e 0a 01 61 12 09 19 00 00 00 00 00 00 f0 3f'],
    ['unknown fields between envelopes', '10 05 0a 02 08 01 1a 01 61'],
  ];
}

function hexLength(length: number): string {
  return length < 128
    ? length.toString(16).padStart(2, '0')
    : ((length & 0x7f) | 0x80).toString(16) + (length >> 7).toString(16).padStart(2, '0');
}
