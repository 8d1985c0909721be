import test from 'ava';
import { loggregator } from '../gen/messages.js';
import { FieldReader } from './fields.ts';
import { encodeEnvelope, longOf, randomFrom } from './testing.ts';
import { joinTime } from './time.ts';

test('walks the fields in their order, with the bounds of each value', (t) => {
  const bytes = encodeEnvelope({ timestamp: longOf(-2n), source_id: 'abc', event: { title: 't' } });
  t.deepEqual(walk(bytes), [
    [1, 0, ''],
    [2, 2, 'abc'],
    [10, 2, '\n\u0001t'],
  ]);
});

test('reads varints and doubles as two words', (t) => {
  const { Counter, GaugeValue } = loggregator.v2;
  const fields = new FieldReader();
  for (const value of [0n, 127n, 128n, 2n ** 32n, 2n ** 63n + 5n, 2n ** 64n - 1n]) {
    const bytes = Counter.encode({ name: 'x', total: longOf(BigInt.asIntN(64, value)) }).finish();
    let found = 0n;
    for (fields.over(bytes, 0, bytes.length); fields.next(); ) {
      if (fields.field === 3) found = BigInt.asUintN(64, joinTime(fields.high, fields.low));
    }
    t.is(found, value);
  }
  const gauge = Buffer.from(GaugeValue.encode({ value: -0.23 }).finish());
  fields.over(gauge, 0, gauge.length);
  t.true(fields.next());
  t.is(gauge.readDoubleLE(fields.start), -0.23);
  t.is(fields.low, gauge.readUInt32LE(fields.start));
});

test('passes over a group', (t) => {
  t.deepEqual(walk(Buffer.from('a301080aa4011005', 'hex')), [[2, 0, '']]);
});

test('passes over any number of groups', (t) => {
  t.deepEqual(walk(Buffer.from(`${'5b5c'.repeat(200_000)}1005`, 'hex')), [[2, 0, '']]);
});

for (const seed of [1, 2, 3]) {
  test(`ends on any bytes and stays within them, seed ${seed}`, (t) => {
    const random = randomFrom(seed);
    const fields = new FieldReader();
    for (let round = 0; round < 5000; round += 1) {
      const bytes = Buffer.from(Array.from({ length: random(40) }, () => random(256)));
      const end = random(bytes.length + 1);
      let steps = 0;
      for (fields.over(bytes, 0, end); fields.next(); steps += 1) t.true(fields.end <= end);
      t.true(steps <= end);
    }
  });
}

function walk(bytes: Buffer): [number, number, string][] {
  const found: [number, number, string][] = [];
  const fields = new FieldReader();
  for (fields.over(bytes, 0, bytes.length); fields.next(); ) {
    const text = fields.wireType === 2 ? bytes.toString('utf8', fields.start, fields.end) : '';
    found.push([fields.field, fields.wireType, text]);
  }
  return found;
}
