import test from 'ava';
import fc from 'fast-check';
import { Line, type Rejection, TAG_BYTES_MAX, TAGS_MAX } from './line.ts';

interface Read {
  readonly name: string;
  readonly type: string;
  readonly value: string;
  readonly rate?: number;
  readonly tags?: readonly string[];
}

const ACCEPTED: readonly [string, Read][] = [
  ['app.requests:1|c', { name: 'app requests', type: 'counter', value: '1' }],
  ['app.requests:-3|c', { name: 'app requests', type: 'counter', value: '-3' }],
  ['app.requests:+3|c', { name: 'app requests', type: 'counter', value: '+3' }],
  ['app.temp:21.50|g', { name: 'app temp', type: 'gauge', value: '21.5' }],
  ['app.temp:+0.1|g', { name: 'app temp', type: 'gauge', value: '+0.1' }],
  ['app.temp:-12|g', { name: 'app temp', type: 'gauge', value: '-12' }],
  ['app.took:320|ms', { name: 'app took', type: 'timer', value: '320' }],
  ['a.b.c.d:1|c', { name: 'a b.c.d', type: 'counter', value: '1' }],
  ['a b.ü/x,y=z:1|c', { name: 'a b ü/x,y=z', type: 'counter', value: '1' }],
  ['a.b:1|c|@0.1', { name: 'a b', type: 'counter', value: '1', rate: 0.1 }],
  ['a.b:1|c|@0.5|#x:1', { name: 'a b', type: 'counter', value: '1', rate: 0.5, tags: ['x=1'] }],
  ['a.b:1|c|#x:1|@0.5', { name: 'a b', type: 'counter', value: '1', rate: 0.5, tags: ['x=1'] }],
  [
    'a.b:1|g|#env:prod-1,host:x.y/z,bare,url:http://h:1/',
    {
      name: 'a b',
      type: 'gauge',
      value: '1',
      tags: ['env=prod-1', 'host=x.y/z', 'bare=', 'url=http://h:1/'],
    },
  ],
  ['a.b:1|g|#,,x:1,,:y,z:,', { name: 'a b', type: 'gauge', value: '1', tags: ['x=1', 'z='] }],
  ['a.b:1|g|#', { name: 'a b', type: 'gauge', value: '1' }],
  ['a.b:1|g|#x:1|#y:2', { name: 'a b', type: 'gauge', value: '1', tags: ['x=1', 'y=2'] }],
  ['a.b:1|c|T1656581400|c:in-12|e:x|card:low', { name: 'a b', type: 'counter', value: '1' }],
  ['a.b:1|c||#x:1|', { name: 'a b', type: 'counter', value: '1', tags: ['x=1'] }],
  ['a.b:1e-7|g', { name: 'a b', type: 'gauge', value: '1e-7' }],
  ['a.b:1.5E+3|g', { name: 'a b', type: 'gauge', value: '1500' }],
  ['a.b:0|g', { name: 'a b', type: 'gauge', value: '0' }],
  ['a.b:12345678901234567890|g', { name: 'a b', type: 'gauge', value: '12345678901234567000' }],
  ['a.b:0.30000000000000004|g', { name: 'a b', type: 'gauge', value: '0.30000000000000004' }],
];

for (const [line, expected] of ACCEPTED) {
  test(`reads ${line}`, (t) => {
    const [rejection, read] = parse(line);
    t.is(rejection, '');
    t.deepEqual(read, { rate: 1, tags: [], ...expected });
  });
}

const REFUSED: readonly [string, Rejection][] = [
  ['', 'name'],
  ['a', 'name'],
  ['a.b', 'name'],
  ['a.b|c', 'name'],
  [':1|c', 'name'],
  ['a.:1|c', 'name'],
  ['.b:1|c', 'origin'],
  ['ab:1|c', 'origin'],
  ['_e{5,4}:title|text', 'origin'],
  ['_sc|a.b|0|m:1|c', 'name'],
  ['a.b:|c', 'value'],
  ['a.b:1', 'type'],
  ['a.b:1|', 'type'],
  ['a.b:x|c', 'value'],
  ['a.b:.5|c', 'value'],
  ['a.b:5.|c', 'value'],
  ['a.b:--5|c', 'value'],
  ['a.b:+|c', 'value'],
  ['a.b:1 |c', 'value'],
  ['a.b:1e|c', 'value'],
  ['a.b:1e+|c', 'value'],
  ['a.b:1e999|c', 'value'],
  ['a.b:NaN|g', 'value'],
  ['a.b:Infinity|g', 'value'],
  ['a.b:0x10|g', 'value'],
  ['a.b:1_000|g', 'value'],
  ['a.b:1:2:3|c', 'value'],
  ['a.b:1|h', 'type'],
  ['a.b:1|s', 'type'],
  ['a.b:1|gauge', 'type'],
  ['a.b:1|m', 'type'],
  ['a.b:1|C', 'type'],
  ['a.b:1|c|@', 'rate'],
  ['a.b:1|c|@0', 'rate'],
  ['a.b:1|c|@-1', 'rate'],
  ['a.b:1|c|@x', 'rate'],
  ['xx a.b:1|g gibberish', 'type'],
];

for (const [line, rejection] of REFUSED) {
  test(`refuses "${line}" for its ${rejection}`, (t) => {
    t.is(parse(line)[0], rejection);
  });
}

test('leaves out tags beyond the limit, and those that are too long', (t) => {
  const tags = Array.from({ length: TAGS_MAX + 6 }, (_, index) => `k${index}:v`);
  const [, many] = parse(`a.b:1|c|#${tags.join(',')}`);
  t.is(many?.tags?.length, TAGS_MAX);
  const line = new Line();
  const bytes = Buffer.from(`a.b:1|c|#ok:1,long:${'x'.repeat(TAG_BYTES_MAX)},${tags.join(',')}`);
  t.is(line.parse(bytes, 0, bytes.length), '');
  t.is(line.tagsLeftOut, 1 + 7);
});

test('reads a line where it stands, and nothing around it', (t) => {
  const bytes = Buffer.from('9|c|#x:1\na.b:1|c|#k:v\n:2|g');
  const line = new Line();
  t.is(line.parse(bytes, 9, 21), '');
  t.is(bytes.toString('utf8', line.keyStart[0], line.textEnd[0]), 'k:v');
  t.is(line.tagCount, 1);
});

test('never throws, never reads past its end, and judges as one would with strings', (t) => {
  const part = fc.constantFrom(
    ...[
      'a',
      '.',
      ':',
      '|',
      '#',
      '@',
      ',',
      '1',
      '0',
      '-',
      '+',
      'c',
      'g',
      'ms',
      'e',
      '0.5',
      'ü',
      ' ',
    ],
  );
  const text = fc.oneof(
    fc.array(part, { maxLength: 30 }).map((parts) => parts.join('')),
    fc.array(part, { maxLength: 12 }).map((parts) => `a.b:1|c|${parts.join('')}`),
    fc.string(),
  );
  fc.assert(
    fc.property(text, fc.string(), (line, rest) => {
      const oneLine = line.replaceAll('\n', '');
      return parse(oneLine, rest)[0] === verdict(oneLine);
    }),
    { numRuns: 5000, seed: 1 },
  );
  t.pass();
});

test('never throws, whatever the bytes', (t) => {
  const line = new Line();
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (array) => {
      const bytes = Buffer.from(array);
      line.parse(bytes, 0, bytes.length);
      return line.tagCount <= TAGS_MAX;
    }),
    { numRuns: 5000, seed: 2 },
  );
  t.pass();
});

/** The grammar again, as simply as it can be written. */
function verdict(line: string): Rejection | '' {
  const colon = line.search(/[:|]/);
  if (colon <= 0 || line[colon] === '|') return 'name';
  const dot = line.indexOf('.');
  if (dot <= 0 || dot > colon) return 'origin';
  if (dot + 1 === colon) return 'name';
  const [value = '', type = '', ...fields] = line.slice(colon + 1).split('|');
  if (!/^[+-]?\d+(\.\d+)?(e[+-]?\d+)?$/i.test(value) || !Number.isFinite(Number(value))) {
    return 'value';
  }
  if (!['c', 'g', 'ms'].includes(type)) return 'type';
  for (const field of fields) {
    if (!field.startsWith('@')) continue;
    const rate = field.slice(1);
    if (!/^\d+(\.\d+)?(e[+-]?\d+)?$/i.test(rate)) return 'rate';
    if (!(Number(rate) > 0 && Number.isFinite(Number(rate)))) return 'rate';
  }
  return '';
}

/** Parses a line that stands in front of other bytes. */
function parse(text: string, rest = ''): [Rejection | '', Read?] {
  const length = Buffer.byteLength(text);
  const bytes = Buffer.from(`${text}\n${rest}`);
  const line = new Line();
  const rejection = line.parse(bytes, 0, length);
  if (rejection !== '') return [rejection];
  const slice = (start: number, end: number): string => bytes.toString('utf8', start, end);
  const origin = slice(line.originStart, line.originEnd);
  const tags = Array.from({ length: line.tagCount }, (_, index) => {
    const key = slice(line.keyStart[index] ?? 0, line.keyEnd[index] ?? 0);
    return `${key}=${slice(line.textStart[index] ?? 0, line.textEnd[index] ?? 0)}`;
  });
  const read = {
    name: `${origin} ${slice(line.nameStart, line.nameEnd)}`,
    type: line.type,
    value: `${line.sign}${line.value}`,
    rate: line.rate,
    tags,
  };
  return ['', read];
}
