import test from 'ava';
import type { loggregator } from '../gen/messages.js';
import { Batch } from './batch.ts';
import { JsonWriter } from './json.ts';
import { scanBatch } from './scan.ts';
import { encodeBatch, encodeEnvelope, longOf, randomEnvelopes, randomFrom } from './testing.ts';
import { ToV1 } from './v1/to-v1.ts';

type EnvelopeInit = loggregator.v2.IEnvelope;

/** What a batch becomes, as JSON and as v1 with whom each envelope is for. */
class Formats {
  readonly #json = new JsonWriter();
  readonly #toV1 = new ToV1();
  readonly #batch = new Batch();

  of(bytes: Buffer): readonly unknown[] {
    if (!scanBatch(bytes, this.#batch)) throw new Error(this.#batch.mistake);
    const json = this.#json.batch(bytes).take().toString();
    const v1 = this.#toV1.convert(this.#batch);
    const rows = Array.from({ length: v1.count }, (_, row) => [
      v1.app(row),
      v1.isLog[row],
      v1.frameStart[row],
      v1.start[row],
      v1.end[row],
    ]);
    return [json, v1.bytes.toString('hex'), rows];
  }
}

for (const seed of [1, 2, 3, 5, 8, 13]) {
  test(`a batch becomes what it would become if none had come before, seed ${seed}`, (t) => {
    const random = randomFrom(seed);
    const formats = new Formats();
    const shapes = randomEnvelopes(seed, 30);
    for (let round = 0; round < 100; round += 1) {
      const envelopes = Array.from({ length: 1 + random(10) }, (): EnvelopeInit => {
        const shape = shapes[random(shapes.length)] ?? {};
        const payload = Buffer.from('x'.repeat(random(3) * random(300)));
        return {
          ...shape,
          timestamp: longOf(BigInt(random(1_000_000_000)) * 1_700_000_001n),
          ...(shape.log ? { log: { payload, type: random(3) } } : {}),
        };
      });
      const bytes = encodeBatch(envelopes);
      t.deepEqual(formats.of(bytes), new Formats().of(bytes));
    }
  });
}

const LOG: EnvelopeInit = {
  timestamp: longOf(1_700_000_000_123_456_789n),
  source_id: '73467cc3-261a-472e-80e8-d6eadfd30d98',
  instance_id: '0',
  tags: { origin: 'rep', deployment: 'cf', source_type: 'APP', zone: 'z' },
  log: { payload: Buffer.from('first') },
};

for (const [what, change] of [
  ['another source of the same length', { source_id: '73467cc3-261a-472e-80e8-d6eadfd30d99' }],
  ['another instance', { instance_id: '1' }],
  ['another tag', { tags: { ...LOG.tags, zone: 'y' } }],
  ['an old tag', { deprecated_tags: { zone: { text: 'old' } } }],
  ['the tag that makes it an Error', { tags: { ...LOG.tags, __v1_type: 'Error' } }],
  ['no payload', { log: {} }],
  ['a long payload', { log: { payload: Buffer.alloc(20_000, 'x') } }],
] as const) {
  test(`a log that differs in ${what} becomes what it is`, (t) => {
    const formats = new Formats();
    for (const init of [LOG, { ...LOG, ...change }, LOG, { ...LOG, ...change }]) {
      const bytes = encodeBatch([init]);
      t.deepEqual(formats.of(bytes), new Formats().of(bytes));
    }
  });
}

test('an envelope with a second time or a second message is never remembered', (t) => {
  for (const more of [
    { timestamp: longOf(5n) },
    { log: { type: 1 } },
    { counter: { name: 'c' } },
  ]) {
    const formats = new Formats();
    for (const payload of ['one', 'two', 'three']) {
      const log = { payload: Buffer.from(payload) };
      const envelope = Buffer.concat([encodeEnvelope({ ...LOG, log }), encodeEnvelope(more)]);
      const head = Buffer.from([0x0a, (envelope.length & 0x7f) | 0x80, envelope.length >>> 7]);
      const bytes = Buffer.concat([head, envelope]);
      t.deepEqual(formats.of(bytes), new Formats().of(bytes));
    }
  }
});

test('more instances than there are places become what they are', (t) => {
  const formats = new Formats();
  for (let round = 0; round < 2; round += 1) {
    for (let first = 0; first < 3000; first += 100) {
      const bytes = encodeBatch(
        Array.from({ length: 100 }, (_, index) => ({ ...LOG, instance_id: `${first + index}` })),
      );
      t.deepEqual(formats.of(bytes), new Formats().of(bytes));
    }
  }
});
