import test from 'ava';
import { loggregator } from '../gen/messages.js';
import { Batch } from './batch.ts';
import { BatchBuilder } from './builder.ts';
import { scanBatch } from './scan.ts';
import { TagPreference } from './tags.ts';
import { encodeBatch, encodeEnvelope, longOf, randomEnvelopes } from './testing.ts';

type EnvelopeInit = loggregator.v2.IEnvelope;
type Plain = Record<string, unknown>;

const PREFER: readonly (readonly [string, EnvelopeInit, EnvelopeInit])[] = [
  [
    'values of each type become text',
    {
      deprecated_tags: {
        text: { text: 'v' },
        integer: { integer: longOf(-9223372036854775808n) },
        small: { decimal: 0.00001 },
        plain: { decimal: 123456.5 },
        large: { decimal: 1_000_000 },
        endless: { decimal: Number.POSITIVE_INFINITY },
        none: {},
      },
    },
    {
      tags: {
        text: 'v',
        integer: '-9223372036854775808',
        small: '1e-05',
        plain: '123456.5',
        large: '1e+06',
        endless: '+Inf',
        none: '',
      },
    },
  ],
  [
    'a deprecated tag overwrites the tag of its name, and others stay',
    { tags: { a: 'new', b: 'stays' }, deprecated_tags: { a: { text: 'old' } } },
    { tags: { a: 'old', b: 'stays' } },
  ],
  [
    'all else stays as it is',
    {
      timestamp: longOf(5n),
      source_id: 's',
      instance_id: 'i',
      deprecated_tags: { a: { text: '' } },
      log: { payload: Buffer.from('x'), type: 1 },
    },
    {
      timestamp: longOf(5n),
      source_id: 's',
      instance_id: 'i',
      tags: { a: '' },
      log: { payload: Buffer.from('x'), type: 1 },
    },
  ],
];

for (const [what, envelope, expected] of PREFER) {
  test(`preferred: ${what}`, (t) => {
    t.deepEqual(plain(only('prefer', encodeBatch([envelope]))), plain(encodeEnvelope(expected)));
  });
}

const DEPRECATE: readonly (readonly [string, EnvelopeInit, EnvelopeInit])[] = [
  [
    'tags become text values',
    { source_id: 's', tags: { a: '1', '': '' }, counter: { name: 'c', delta: 1 } },
    {
      source_id: 's',
      deprecated_tags: { a: { text: '1' }, '': { text: '' } },
      counter: { name: 'c', delta: 1 },
    },
  ],
  [
    'a tag overwrites the deprecated tag of its name, and others stay',
    { tags: { a: 'new' }, deprecated_tags: { a: { integer: 1 }, b: { decimal: 0.5 } } },
    { deprecated_tags: { b: { decimal: 0.5 }, a: { text: 'new' } } },
  ],
];

for (const [what, envelope, expected] of DEPRECATE) {
  test(`deprecated: ${what}`, (t) => {
    t.deepEqual(plain(only('deprecate', encodeBatch([envelope]))), plain(encodeEnvelope(expected)));
  });
}

test('an envelope that needs no change is copied byte for byte', (t) => {
  const bytes = encodeBatch([{ source_id: 's', tags: { a: 'b' } }]);
  t.deepEqual(moved('prefer', bytes), bytes);
  const old = encodeBatch([{ source_id: 's', deprecated_tags: { a: { integer: 1 } } }]);
  t.deepEqual(moved('deprecate', old), old);
});

test('what is overwritten is cut out, not left for the last to win', (t) => {
  const bytes = encodeBatch([
    { tags: { a: 'x'.repeat(100) }, deprecated_tags: { a: { text: '1' } } },
  ]);
  t.deepEqual(moved('prefer', bytes), encodeBatch([{ tags: { a: '1' } }]));
});

test('unknown fields and groups stay', (t) => {
  // A group 11 with a field in it, and field 100 as a varint, around a tag.
  const unknown = Buffer.from('5b08015ca00605', 'hex');
  const envelope = Buffer.concat([unknown, encodeEnvelope({ tags: { a: 'b' } }), unknown]);
  const only = Buffer.concat([Buffer.from([0x0a, envelope.length]), envelope]);
  const expected = Buffer.concat([
    unknown,
    unknown,
    encodeEnvelope({ deprecated_tags: { a: { text: 'b' } } }),
  ]);
  t.deepEqual(moved('deprecate', only).subarray(2), expected);
});

test('a deprecated value in pieces is one', (t) => {
  // deprecated_tags { key "a", value { integer 1 }, value { text "x" } }
  const entry = '0a01611202100112030a0178';
  const bytes = Buffer.from(`0a0e1a0c${entry}`, 'hex');
  t.deepEqual(plain(only('prefer', bytes)), { tags: { a: 'x' } });
});

test('moves thousands of tags over as many', (t) => {
  const names = Array.from({ length: 20_000 }, (_, index) => `k${index}`);
  const tags = Object.fromEntries(names.map((name) => [name, 'new']));
  const old = Object.fromEntries(names.map((name) => [name, { integer: 7 }]));
  const bytes = encodeBatch([{ tags, deprecated_tags: old }]);
  t.deepEqual(plain(only('prefer', bytes)), {
    tags: Object.fromEntries(names.map((name) => [name, '7'])),
  });
});

for (const seed of [1, 2, 3]) {
  test(`agrees with moving values, seed ${seed}`, (t) => {
    const envelopes = randomEnvelopes(seed, 300);
    const bytes = encodeBatch(envelopes);
    const decoded = loggregator.v2.EnvelopeBatch.decode(bytes).batch.map((envelope) =>
      loggregator.v2.Envelope.create(envelope),
    );
    const preferred = loggregator.v2.EnvelopeBatch.decode(moved('prefer', bytes)).batch;
    const deprecated = loggregator.v2.EnvelopeBatch.decode(moved('deprecate', bytes)).batch;
    for (const [index, envelope] of decoded.entries()) {
      const { tags, deprecated_tags: old } = envelope;
      const texts = Object.entries(old).map(([key, value]) => [key, textOf(value)]);
      t.deepEqual(preferred[index]?.tags, { ...tags, ...Object.fromEntries(texts) });
      t.deepEqual(preferred[index]?.deprecated_tags, {});
      const values = Object.entries(tags).map(([key, text]) => [key, { text }]);
      t.deepEqual(
        Object.fromEntries(
          Object.entries(deprecated[index]?.deprecated_tags ?? {}).map(([key, value]) => [
            key,
            { ...value },
          ]),
        ),
        { ...plainValues(old), ...Object.fromEntries(values) },
      );
      t.deepEqual(deprecated[index]?.tags, {});
    }
  });
}

function moved(how: 'prefer' | 'deprecate', bytes: Buffer): Buffer {
  const batch = new Batch();
  if (!scanBatch(bytes, batch)) throw new Error(batch.mistake);
  const builder = new BatchBuilder();
  const preference = new TagPreference();
  for (let index = 0; index < batch.count; index += 1) preference[how](batch, index, builder);
  return builder.take().bytes;
}

function only(how: 'prefer' | 'deprecate', bytes: Buffer): Buffer {
  const batch = new Batch();
  if (!scanBatch(moved(how, bytes), batch)) throw new Error(batch.mistake);
  return batch.envelope(0);
}

function plain(bytes: Buffer): Plain {
  return loggregator.v2.Envelope.toObject(loggregator.v2.Envelope.decode(bytes), { longs: String });
}

function plainValues(values: Record<string, loggregator.v2.IValue>): Plain {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, { ...value }]));
}

function textOf(value: loggregator.v2.IValue): string {
  const { text, integer, decimal } = { ...value };
  return text ?? String(integer ?? decimal ?? '');
}
