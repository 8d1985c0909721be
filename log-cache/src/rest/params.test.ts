import { randomFrom } from '@standpipe/protos/testing';
import test from 'ava';
import { ReadError } from '../reader.ts';
import { metaParams, parseForm, readParams, sourceIdOf } from './params.ts';

const DEFAULTS = {
  sourceId: 'a',
  startTime: 0n,
  endTime: 0n,
  limit: 0n,
  envelopeTypes: [],
  descending: false,
  nameFilter: '',
  contains: '',
  matches: '',
  tags: [],
};

test('takes every field by either of its names', (t) => {
  for (const query of [
    'start_time=1&end_time=2&limit=3&envelope_types=LOG&descending=true&name_filter=x&tag=k:v',
    'startTime=1&endTime=2&limit=3&envelopeTypes=1&descending=True&nameFilter=x&tag=k%3Av',
  ]) {
    t.deepEqual(readParams('a', parseForm(query)), {
      sourceId: 'a',
      startTime: 1n,
      endTime: 2n,
      limit: 3n,
      envelopeTypes: [1],
      descending: true,
      nameFilter: 'x',
      contains: '',
      matches: '',
      tags: ['k:v'],
    });
  }
  t.deepEqual(readParams('a', parseForm('')), DEFAULTS);
});

for (const [text, value] of [
  ['9223372036854775807', 2n ** 63n - 1n],
  ['-9223372036854775808', -(2n ** 63n)],
  ['+1', 1n],
  ['-0', 0n],
  ['0000000000000000000000000000000000000007', 7n],
] as const) {
  test(`reads ${text} as a 64-bit integer`, (t) => {
    const form = parseForm(`start_time=${encodeURIComponent(text)}`);
    t.is(readParams('a', form).startTime, value);
  });
}

for (const [text, reason] of [
  ['9223372036854775808', 'value out of range'],
  ['-9223372036854775809', 'value out of range'],
  ['1'.repeat(5000), 'value out of range'],
  ['1e3', 'invalid syntax'],
  ['0x10', 'invalid syntax'],
  ['1_000', 'invalid syntax'],
  [' 1', 'invalid syntax'],
  ['--1', 'invalid syntax'],
  ['-', 'invalid syntax'],
  ['١', 'invalid syntax'],
] as const) {
  test(`refuses ${text.slice(0, 30)} as a 64-bit integer: ${reason}`, (t) => {
    const form = parseForm(`limit=${encodeURIComponent(text)}`);
    t.throws(() => readParams('a', form), {
      instanceOf: ReadError,
      message: `parsing field "limit": strconv.ParseInt: parsing "${text}": ${reason}`,
    });
  });
}

test('quotes what it refuses as Go does', (t) => {
  const form = parseForm('limit=%22%5C%00%0a%7f%c2%a0%f0%9f%98%80%ef%bb%bf');
  t.throws(() => readParams('a', form), {
    message:
      'parsing field "limit": strconv.ParseInt: parsing "\\"\\\\\\x00\\n\\x7f\\u00a0😀\\ufeff": invalid syntax',
  });
});

for (const text of ['1', 't', 'T', 'TRUE', 'true', 'True']) {
  test(`takes ${text} for true`, (t) => {
    t.true(metaParams(parseForm(`local_only=${text}`)).localOnly);
  });
}
for (const text of ['0', 'f', 'F', 'FALSE', 'false', 'False']) {
  test(`takes ${text} for false`, (t) => {
    t.false(metaParams(parseForm(`local_only=${text}`)).localOnly);
  });
}
for (const text of ['', 'yes', 'tRUE', '2']) {
  test(`takes "${text}" for neither`, (t) => {
    t.throws(() => metaParams(parseForm(`local_only=${text}`)), { instanceOf: ReadError });
  });
}

test('reads brackets in a name as another value', (t) => {
  const form = parseForm('envelope_types[LOG]=GAUGE&envelope_types=TIMER');
  t.deepEqual(readParams('a', form).envelopeTypes.toSorted(), [1, 3, 4]);
});

test('reads as many brackets as a request has room for, each once', (t) => {
  // At a cost that grew with their square, this would take minutes.
  const count = 100_000;
  const text = Array.from({ length: count }, (_, n) => `k[${n}]=`).join('&');
  t.is(parseForm(text).get('k')?.length, 2 * count);
});

test('decodes the source id, and says when it cannot', (t) => {
  t.is(sourceIdOf('/a%2fb/c%20+'), 'a/b/c +');
  t.is(sourceIdOf(''), '');
  t.is(sourceIdOf('/%'), undefined);
  t.is(sourceIdOf('/%4'), undefined);
  t.throws(() => sourceIdOf('/%ff'), { instanceOf: ReadError });
});

// Whatever comes, it is a request or an error that says why.
for (const seed of [1, 2, 3]) {
  test(`reads or refuses any query, seed ${seed}`, (t) => {
    const random = randomFrom(seed);
    const parts = [
      'limit',
      'start_time',
      'envelope_types',
      'name_filter',
      '=',
      '&',
      '%',
      '%4',
      '%41',
    ];
    parts.push(
      '[',
      ']',
      '.',
      ';',
      '+',
      '1',
      '-',
      '9999999999999999999',
      'LOG',
      'true',
      'ü',
      '\0',
      '%ff',
    );
    let read = 0;
    for (let round = 0; round < 3000; round += 1) {
      const query = Array.from({ length: random(8) }, () => parts[random(parts.length)]).join('');
      try {
        readParams('a', parseForm(query));
        read += 1;
      } catch (error) {
        t.true(error instanceof ReadError, `${query}: ${error}`);
      }
    }
    t.true(read > 100);
  });
}
