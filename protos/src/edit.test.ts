import test from 'ava';
import { loggregator } from '../gen/messages.js';
import { CounterReader } from './counter-reader.ts';
import { EnvelopeEdit, encodeTag } from './edit.ts';
import { TAG_KEYS_MAX, TagKeys } from './tag-keys.ts';
import { TagReader } from './tag-reader.ts';
import { encodeEnvelope, longOf, randomEnvelopes, randomFrom } from './testing.ts';

const { Envelope } = loggregator.v2;
type EnvelopeInit = loggregator.v2.IEnvelope;

test('an encoded tag can be appended to any envelope', (t) => {
  const bytes = Buffer.concat([encodeEnvelope({ source_id: 'a' }), encodeTag('job', 'dopplér')]);
  t.deepEqual(Envelope.decode(bytes).tags, { job: 'dopplér' });
});

test('says which of its keys an envelope has', (t) => {
  const keys = new TagKeys(['job', 'origin', 'ip', '']);
  t.is(found(keys, { tags: { origin: 'x', other: 'y' } }), 0b0010);
  t.is(found(keys, { tags: { ip: '', job: '' } }), 0b0101);
  t.is(found(keys, { tags: { '': '' } }), 0b1000);
  t.is(found(keys, { tags: { jo: 'b', jobs: '' } }), 0);
  t.is(found(keys, { source_id: 'job', log: { payload: Buffer.from('\x4a\x05\x0a\x03job') } }), 0);
});

test('finds keys among long values and behind a long payload', (t) => {
  const keys = new TagKeys(['job']);
  const log = { payload: Buffer.alloc(100_000, 0x4a) };
  t.is(found(keys, { log, tags: { x: 'y'.repeat(300), job: 'z'.repeat(300) } }), 1);
});

test('finds a key in entries that are laid out in any way', (t) => {
  const keys = new TagKeys(['ab']);
  const entries = [
    '4a 04 0a026162', // no value
    '4a 07 120178 0a026162', // the value first
    '4a 0b 0a026363 0a026162 120178', // of two keys the last
    '4a 09 0a026162 1801 120178', // an unknown field between
    'ca00 07 0a026162 120178', // a tag of two bytes
    '4a 8700 0a026162 120178', // a length of two bytes
  ];
  for (const entry of entries) {
    const bytes = Buffer.from(entry.replaceAll(' ', ''), 'hex');
    t.deepEqual(Object.keys(Envelope.decode(bytes).tags), ['ab'], entry);
    t.is(keys.find(bytes, 0, bytes.length), 1, entry);
  }
  const replaced = Buffer.from('4a0b 0a026162 0a026363 120178'.replaceAll(' ', ''), 'hex');
  t.is(keys.find(replaced, 0, replaced.length), 0);
});

test('sees deprecated tags', (t) => {
  const keys = new TagKeys(['job']);
  t.is(found(keys, { deprecated_tags: { job: { text: 'x' } } }), 0);
  t.true(keys.hasDeprecated);
  found(keys, { tags: { job: 'x' } });
  t.false(keys.hasDeprecated);
});

test('refuses more keys than it has bits, and keys longer than a byte can say', (t) => {
  const many = Array.from({ length: TAG_KEYS_MAX + 1 }, (_, index) => `k${index}`);
  t.throws(() => new TagKeys(many), { instanceOf: RangeError });
  t.throws(() => new TagKeys(['k'.repeat(128)]), { instanceOf: RangeError });
  const full = new TagKeys(many.slice(1));
  t.is(found(full, { tags: { k1: '', k31: '' } }), (1 << 30) | 1);
});

test('sets a total, and leaves everything else of the envelope as it was', (t) => {
  const init: EnvelopeInit = {
    timestamp: longOf(5n),
    source_id: 's',
    counter: { name: 'requests', delta: 7 },
    tags: { a: 'b' },
  };
  for (const total of [0n, 1n, 127n, 128n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 63n, 2n ** 64n - 1n]) {
    const decoded = Envelope.decode(withTotal(encodeEnvelope(init), total));
    t.is(BigInt.asUintN(64, BigInt(String(decoded.counter?.total ?? 0))), total);
    t.is(decoded.counter?.name, 'requests');
    t.is(Number(decoded.counter?.delta), 7);
    t.deepEqual(decoded.tags, { a: 'b' });
    t.is(decoded.source_id, 's');
  }
});

test('replaces a total that is there, and joins a counter that stands in pieces', (t) => {
  const bytes = Buffer.concat([
    encodeEnvelope({ counter: { name: 'old', total: longOf(99n) } }),
    encodeEnvelope({ source_id: 's', counter: { name: 'new' } }),
    encodeEnvelope({ tags: { a: 'b' }, counter: { delta: 3, total: longOf(300n) } }),
  ]);
  const edited = withTotal(bytes, 12n);
  const { counter, source_id, tags } = Envelope.decode(edited);
  t.deepEqual([counter?.name, Number(counter?.delta), Number(counter?.total)], ['new', 3, 12]);
  t.deepEqual([source_id, tags], ['s', { a: 'b' }]);
  t.is(edited.filter((byte) => byte === 0x2a).length, 1);
});

test('reads tags that are laid out in any way', (t) => {
  const entries = [
    '4a06 0a0161 120162',
    '4a03 0a0161', // no value
    '4a06 120162 0a0161', // the value first
    'ca0006 0a0161 120162', // a tag of two bytes
    '1a09 0a0161 1204 0a026262', // deprecated
    '4a0b 0a0161 120178 120162 5801', // the value twice, and an unknown field
  ].map((hex) => Buffer.from(hex.replaceAll(' ', ''), 'hex'));
  const bytes = Buffer.concat([
    Buffer.from('0805', 'hex'),
    ...entries,
    Buffer.from('120173', 'hex'),
  ]);
  const seen: string[] = [];
  for (const tags = new TagReader().over(bytes, 0, bytes.length); tags.next(); ) {
    const key = bytes.toString('utf8', tags.keyStart, tags.keyEnd);
    const value = bytes.toString('hex', tags.valueStart, tags.valueEnd);
    seen.push(`${tags.isDeprecated ? 'deprecated ' : ''}${key}=${value}`);
  }
  t.deepEqual(seen, ['a=62', 'a=', 'a=62', 'a=62', 'deprecated a=0a026262', 'a=62']);
});

test('reads a counter that stands in pieces as one', (t) => {
  const bytes = Buffer.concat([
    encodeEnvelope({ counter: { name: 'n', delta: 4 } }),
    encodeEnvelope({ counter: { total: longOf(2n ** 40n) } }),
  ]);
  const counter = new CounterReader().over(bytes, 0, bytes.length);
  t.is(bytes.toString('utf8', counter.nameStart, counter.nameEnd), 'n');
  t.deepEqual([counter.deltaHigh, counter.deltaLow], [0, 4]);
  t.deepEqual([counter.totalHigh, counter.totalLow], [256, 0]);
});

// What an edit gives must decode to what the same change to the decoded envelope gives.
for (const seed of [1, 2, 3, 5, 8, 13]) {
  test(`edits bytes as one would edit the decoded envelope, seed ${seed}`, (t) => {
    const random = randomFrom(seed);
    const edit = new EnvelopeEdit();
    for (const init of randomEnvelopes(seed, 300)) {
      const bytes = encodeEnvelope(init);
      const model = Envelope.decode(bytes);
      edit.over(bytes, 0, bytes.length);
      if (random(2)) {
        cutTags(edit, bytes, 'job');
        delete model.tags.job;
      }
      if (random(2)) {
        const source = Buffer.from(`__new ${random(100)}__`);
        edit.appendSourceId(source, 2, source.length - 2);
        model.source_id = source.toString('utf8', 2, source.length - 2);
      }
      for (let added = random(3); added > 0; added -= 1) {
        const [key, value] = [`key ${random(4)}`, 'v'.repeat(random(300))];
        edit.appendTag(Buffer.from(key), Buffer.from(value));
        model.tags[key] = value;
      }
      edit.finish();
      t.deepEqual(Envelope.decode(edit.bytes.subarray(0, edit.length)), model);
    }
  });

  test(`finds the keys that the decoded envelope has, seed ${seed}`, (t) => {
    const names = ['origin', 'job', 'index', 'deployment', 'cpu', 'ü', ''];
    const keys = new TagKeys(names);
    for (const init of randomEnvelopes(seed, 300)) {
      const bytes = encodeEnvelope(init);
      const { tags, deprecated_tags } = Envelope.decode(bytes);
      const wanted = names.reduce((bits, name, i) => bits | (name in tags ? 1 << i : 0), 0);
      t.is(keys.find(bytes, 0, bytes.length), wanted);
      t.is(keys.hasDeprecated, Object.keys(deprecated_tags).length > 0);
    }
  });
}

function found(keys: TagKeys, init: EnvelopeInit): number {
  const bytes = encodeEnvelope(init);
  const framed = Buffer.concat([Buffer.from([0xff]), bytes, Buffer.from([0x4a, 5])]);
  return keys.find(framed, 1, 1 + bytes.length);
}

function withTotal(bytes: Buffer, total: bigint): Buffer {
  const edit = new EnvelopeEdit();
  const counter = new CounterReader().over(bytes, 0, bytes.length);
  edit.over(bytes, 0, bytes.length);
  edit.setTotal(counter, Number(total >> 32n), Number(total & 0xffffffffn));
  return Buffer.from(edit.bytes.subarray(0, edit.length));
}

function cutTags(edit: EnvelopeEdit, bytes: Buffer, key: string): void {
  for (const tags = new TagReader().over(bytes, 0, bytes.length); tags.next(); ) {
    const isIt = bytes.toString('utf8', tags.keyStart, tags.keyEnd) === key;
    if (isIt && !tags.isDeprecated) edit.cut(tags.fieldStart, tags.fieldEnd);
  }
}
