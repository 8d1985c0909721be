import type { loggregator } from '@standpipe/protos';
import { encodeEnvelope, longOf, randomEnvelopes, randomFrom } from '@standpipe/protos/testing';
import test from 'ava';
import { FrameBuffer } from './framing.ts';
import { type MessageStyle, Rfc5424Writer } from './rfc5424.ts';

type EnvelopeInit = loggregator.v2.IEnvelope;

const STYLE: MessageStyle = { hostname: Buffer.from('host'), metadata: true };
const BARE: MessageStyle = { hostname: Buffer.from('other'), metadata: false };

/** Writes one envelope after another, and says what each became. */
class Writing {
  readonly #frames = new FrameBuffer();
  readonly #writer = new Rfc5424Writer(this.#frames);

  write(bytes: Buffer, style: MessageStyle = STYLE): string {
    this.#writer.write(bytes, 0, bytes.length, style);
    return this.#frames.take().toString('latin1');
  }
}

/** What a writer says that has seen nothing before. */
function fresh(bytes: Buffer, style: MessageStyle = STYLE): string {
  return new Writing().write(bytes, style);
}

const LOG: EnvelopeInit = {
  timestamp: longOf(1_700_000_000_123_456_789n),
  source_id: 'app',
  instance_id: '0',
  tags: { organization_name: 'org', space_name: 'space', app_name: 'app', source_type: 'APP' },
  log: { payload: Buffer.from('first') },
};

for (const seed of [1, 2, 3, 5, 8]) {
  test(`says of an envelope what it would say if it had seen no other, seed ${seed}`, (t) => {
    const random = randomFrom(seed);
    const writing = new Writing();
    const shapes = randomEnvelopes(seed, 40);
    for (let round = 0; round < 600; round += 1) {
      const shape = shapes[random(shapes.length)] ?? {};
      const type = random(3);
      const payload = Buffer.from(`line ${random(1000)}\0 ${'x'.repeat(random(400))}`);
      const init = {
        ...shape,
        timestamp: longOf(BigInt(random(1_000_000_000)) * 1_700_000_001n),
        ...(shape.log ? { log: { payload, type } } : {}),
      };
      const bytes = encodeEnvelope(init);
      const style = random(4) === 0 ? BARE : STYLE;
      t.is(writing.write(bytes, style), fresh(bytes, style));
    }
  });
}

for (const [what, change] of [
  ['another time', { timestamp: longOf(1_700_000_001_000_000_000n) }],
  ['another payload', { log: { payload: Buffer.from('second') } }],
  ['another type', { log: { payload: Buffer.from('first'), type: 1 } }],
  ['another instance', { instance_id: '1' }],
  ['another source', { source_id: 'ppa' }],
  ['another tag of the same length', { tags: { ...LOG.tags, app_name: 'ppa' } }],
  ['no tags', { tags: {} }],
] as const) {
  test(`a log that differs in ${what} is written as it is`, (t) => {
    const writing = new Writing();
    writing.write(encodeEnvelope(LOG));
    const other = encodeEnvelope({ ...LOG, ...change });
    t.is(writing.write(other), fresh(other));
    t.is(writing.write(encodeEnvelope(LOG)), fresh(encodeEnvelope(LOG)));
  });
}

test('an envelope with a second time or a second message is never remembered', (t) => {
  for (const more of [
    { timestamp: longOf(1_600_000_000_000_000_000n) },
    { log: { payload: Buffer.from('later') } },
    { counter: { name: 'c' } },
  ]) {
    const writing = new Writing();
    for (const payload of ['one', 'two', 'three']) {
      const log = { payload: Buffer.from(payload) };
      const bytes = Buffer.concat([encodeEnvelope({ ...LOG, log }), encodeEnvelope(more)]);
      t.is(writing.write(bytes), fresh(bytes));
    }
  }
});

test('the same log of two drains has the host name and the tags that each wants', (t) => {
  const writing = new Writing();
  const bytes = encodeEnvelope({ ...LOG, tags: { source_type: 'APP', zone: 'z' } });
  for (const style of [STYLE, BARE, STYLE, BARE]) {
    t.is(writing.write(bytes, style), fresh(bytes, style));
  }
  t.regex(fresh(bytes, STYLE), / host app .*zone="z"/);
  t.regex(fresh(bytes, BARE), / other app \[APP\/0\] - - first/);
});

test('a log that is refused is refused again', (t) => {
  const writing = new Writing();
  const bytes = encodeEnvelope({ ...LOG, tags: { 'a b': 'x' } });
  t.is(writing.write(bytes), '');
  t.is(writing.write(bytes), '');
});
