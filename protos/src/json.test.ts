import test from 'ava';
import { loggregator } from '../gen/messages.js';
import { JsonWriter } from './json.ts';
import { encodeBatch, encodeEnvelope, longOf, randomEnvelopes, randomFrom } from './testing.ts';

type EnvelopeInit = loggregator.v2.IEnvelope;

// What log-cache-release v3.2.0 answers to a read of one app, row by row.
const HEAD = (time: bigint, instance: string) => ({
  timestamp: longOf(time),
  source_id: 'app-1',
  instance_id: instance,
});

const ROWS: readonly (readonly [string, EnvelopeInit, string])[] = [
  [
    'a log with tags',
    {
      ...HEAD(1714564800123456000n, '0'),
      tags: { source_type: 'APP/PROC/WEB', deployment: 'cf' },
      log: { payload: Buffer.from('hello <world> & "q"'), type: 0 },
    },
    '{"timestamp":"1714564800123456000","source_id":"app-1","instance_id":"0","deprecated_tags":{},"tags":{"deployment":"cf","source_type":"APP/PROC/WEB"},"log":{"payload":"aGVsbG8gPHdvcmxkPiAmICJxIg==","type":"OUT"}}',
  ],
  [
    'an error log',
    {
      ...HEAD(1714564801123456000n, '1'),
      tags: { source_type: 'APP/PROC/WEB' },
      log: { payload: Buffer.from('oops'), type: 1 },
    },
    '{"timestamp":"1714564801123456000","source_id":"app-1","instance_id":"1","deprecated_tags":{},"tags":{"source_type":"APP/PROC/WEB"},"log":{"payload":"b29wcw==","type":"ERR"}}',
  ],
  [
    'a gauge',
    {
      ...HEAD(1714564802123456000n, '1'),
      tags: { job: 'cell' },
      gauge: { metrics: { cpu: { unit: 'percentage', value: 0.23 } } },
    },
    '{"timestamp":"1714564802123456000","source_id":"app-1","instance_id":"1","deprecated_tags":{},"tags":{"job":"cell"},"gauge":{"metrics":{"cpu":{"unit":"percentage","value":0.23}}}}',
  ],
  [
    'a counter',
    {
      ...HEAD(1714564803123456000n, '1'),
      counter: { name: 'http.requests', delta: 5, total: 10 },
    },
    '{"timestamp":"1714564803123456000","source_id":"app-1","instance_id":"1","deprecated_tags":{},"tags":{},"counter":{"name":"http.requests","delta":"5","total":"10"}}',
  ],
  [
    'a timer',
    { ...HEAD(1714564804123456000n, '2'), timer: { name: 'http', start: 1000, stop: 3000 } },
    '{"timestamp":"1714564804123456000","source_id":"app-1","instance_id":"2","deprecated_tags":{},"tags":{},"timer":{"name":"http","start":"1000","stop":"3000"}}',
  ],
  [
    'an event',
    { ...HEAD(1714564805123456000n, '2'), event: { title: 't1', body: 'b1' } },
    '{"timestamp":"1714564805123456000","source_id":"app-1","instance_id":"2","deprecated_tags":{},"tags":{},"event":{"title":"t1","body":"b1"}}',
  ],
  [
    'a gauge that is not a number',
    {
      ...HEAD(1714564806123456000n, '3'),
      gauge: { metrics: { nan: { unit: '', value: Number.NaN } } },
    },
    '{"timestamp":"1714564806123456000","source_id":"app-1","instance_id":"3","deprecated_tags":{},"tags":{},"gauge":{"metrics":{"nan":{"unit":"","value":"NaN"}}}}',
  ],
  [
    'an envelope with nothing set',
    {},
    '{"timestamp":"0","source_id":"","instance_id":"","deprecated_tags":{},"tags":{}}',
  ],
  [
    'deprecated tags of each type',
    {
      deprecated_tags: {
        text: { text: 'v' },
        integer: { integer: longOf(-5n) },
        decimal: { decimal: 1.5 },
        none: {},
      },
    },
    '{"timestamp":"0","source_id":"","instance_id":"","deprecated_tags":{"decimal":{"decimal":1.5},"integer":{"integer":"-5"},"none":{},"text":{"text":"v"}},"tags":{}}',
  ],
  [
    'deprecated tags that are set to their zero',
    { deprecated_tags: { a: { text: '' }, b: { integer: 0 }, c: { decimal: 0 } } },
    '{"timestamp":"0","source_id":"","instance_id":"","deprecated_tags":{"a":{"text":""},"b":{"integer":"0"},"c":{"decimal":0}},"tags":{}}',
  ],
  [
    'a gauge with no metrics',
    { gauge: { metrics: {} } },
    '{"timestamp":"0","source_id":"","instance_id":"","deprecated_tags":{},"tags":{},"gauge":{"metrics":{}}}',
  ],
  [
    'doubles at the limits of the exponent',
    {
      gauge: {
        metrics: {
          a: { value: 1e21 },
          b: { value: 1e20 },
          c: { value: 1e-6 },
          d: { value: 1e-7 },
          e: { value: -0 },
          f: { value: Number.POSITIVE_INFINITY },
          g: { value: Number.NEGATIVE_INFINITY },
        },
      },
    },
    '{"timestamp":"0","source_id":"","instance_id":"","deprecated_tags":{},"tags":{},"gauge":{"metrics":{"a":{"unit":"","value":1e+21},"b":{"unit":"","value":100000000000000000000},"c":{"unit":"","value":0.000001},"d":{"unit":"","value":1e-7},"e":{"unit":"","value":-0},"f":{"unit":"","value":"Infinity"},"g":{"unit":"","value":"-Infinity"}}}}',
  ],
  [
    'the largest and the smallest integers',
    {
      timestamp: longOf(-9223372036854775808n),
      counter: { delta: longOf(-1n), total: longOf(9223372036854775807n) },
    },
    '{"timestamp":"-9223372036854775808","source_id":"","instance_id":"","deprecated_tags":{},"tags":{},"counter":{"name":"","delta":"18446744073709551615","total":"9223372036854775807"}}',
  ],
  [
    'a negative start',
    { timer: { start: longOf(-1n), stop: longOf(-1_000_000_000_000n) } },
    '{"timestamp":"0","source_id":"","instance_id":"","deprecated_tags":{},"tags":{},"timer":{"name":"","start":"-1","stop":"-1000000000000"}}',
  ],
  [
    'an unknown log type as its number',
    { log: { type: 7 as 0 } },
    '{"timestamp":"0","source_id":"","instance_id":"","deprecated_tags":{},"tags":{},"log":{"payload":"","type":7}}',
  ],
  [
    'text that must be escaped, and text that need not be',
    { source_id: 'a"\\\b\f\n\r\t\u0000\u001f\u007f/<>&é€😀\u2028' },
    '{"timestamp":"0","source_id":"a\\"\\\\\\b\\f\\n\\r\\t\\u0000\\u001f\u007f/<>&é€😀\u2028","instance_id":"","deprecated_tags":{},"tags":{}}',
  ],
  [
    'keys in the order of their code points',
    { tags: { b: '1', '😀': '2', a: '3', '': '4', '\uffff': '5', ab: '6' } },
    '{"timestamp":"0","source_id":"","instance_id":"","deprecated_tags":{},"tags":{"":"4","a":"3","ab":"6","b":"1","\uffff":"5","😀":"2"}}',
  ],
];

for (const [what, envelope, json] of ROWS) {
  test(`writes ${what} as Log Cache does`, (t) => {
    const bytes = encodeEnvelope(envelope);
    t.is(new JsonWriter().envelope(bytes, 0, bytes.length).take().toString(), json);
  });
}

test('writes a batch, and an empty one', (t) => {
  const writer = new JsonWriter();
  const two = writer.batch(encodeBatch([{ source_id: 'a' }, { source_id: 'b' }])).take();
  const none = writer.batch(Buffer.alloc(0)).take();
  t.is(
    two.toString(),
    `{"batch":[${reference({ source_id: 'a' })},${reference({ source_id: 'b' })}]}`,
  );
  t.is(none.toString(), '{"batch":[]}');
});

test('writes what stands around the JSON, and counts the bytes', (t) => {
  const writer = new JsonWriter();
  t.is(writer.raw('data: ').batch(Buffer.alloc(0)).raw('\n\né').byteLength, 22);
  t.is(writer.take().toString(), 'data: {"batch":[]}\n\né');
  t.is(writer.byteLength, 0);
});

test('what was taken is never written over', (t) => {
  const writer = new JsonWriter();
  const envelopes = randomEnvelopes(7, 2000);
  const taken = envelopes.map((envelope) => writer.batch(encodeBatch([envelope])).take());
  for (const [index, envelope] of envelopes.entries()) {
    t.is(taken[index]?.toString(), `{"batch":[${reference(envelope)}]}`);
  }
});

test('writes payloads of every length, and one of a megabyte', (t) => {
  const writer = new JsonWriter();
  const all = Buffer.from(
    Array.from({ length: 1_000_000 }, (_, index) => (index * 31) ^ (index >> 8)),
  );
  for (const length of [...Array(520).keys(), 1_000_000]) {
    const bytes = encodeEnvelope({ log: { payload: all.subarray(0, length) } });
    const { log } = JSON.parse(writer.envelope(bytes, 0, bytes.length).take().toString());
    t.true(Buffer.from(log.payload, 'base64').equals(all.subarray(0, length)), `${length}`);
    t.is(log.payload.length, Math.ceil(length / 3) * 4);
  }
});

test('writes a thousand tags, of which some are there twice, in order', (t) => {
  const random = randomFrom(11);
  const tags = Array.from(
    { length: 1000 },
    (_, index) => [`k${random(600)}`, `v${index}`] as const,
  );
  const bytes = Buffer.concat(
    tags.map(([key, value]) => encodeEnvelope({ tags: { [key]: value } })),
  );
  const json = new JsonWriter().envelope(bytes, 0, bytes.length).take().toString();
  t.is(json, reference({ tags: Object.fromEntries(tags) }));
});

// Fields that occur twice: of scalars and map keys the last counts, messages are merged, and of
// the kinds in the oneof the last one counts. What a writer in pieces meant is put as one message.
const PIECES: readonly (readonly [string, readonly EnvelopeInit[], EnvelopeInit])[] = [
  ['the last source id', [{ source_id: 'a' }, { source_id: 'b' }], { source_id: 'b' }],
  ['the last value of a tag', [{ tags: { k: '1' } }, { tags: { k: '2' } }], { tags: { k: '2' } }],
  [
    'a log in two pieces as one',
    [{ log: { payload: Buffer.from('x') } }, { log: { type: 1 } }],
    { log: { payload: Buffer.from('x'), type: 1 } },
  ],
  [
    'gauges in two pieces as one',
    [
      { gauge: { metrics: { a: { value: 1 }, b: { value: 2 } } } },
      { gauge: { metrics: { b: { unit: 'u' } } } },
    ],
    { gauge: { metrics: { a: { value: 1 }, b: { unit: 'u', value: 0 } } } },
  ],
  [
    'the last kind only',
    [{ log: { payload: Buffer.from('x') } }, { counter: { name: 'c' } }, { log: { type: 1 } }],
    { log: { payload: Buffer.from(''), type: 1 } },
  ],
];

for (const [what, pieces, whole] of PIECES) {
  test(`writes ${what}`, (t) => {
    const bytes = Buffer.concat(pieces.map(encodeEnvelope));
    t.is(new JsonWriter().envelope(bytes, 0, bytes.length).take().toString(), reference(whole));
  });
}

test('merges the pieces of a map value', (t) => {
  // gauge { metrics: entry { key "a", value { value: 1 }, value { unit: "u" } } }
  const entry = '0a0161' + '1209' + '11000000000000f03f' + '1203' + '0a0175';
  const gauge = `0a${(entry.length / 2).toString(16).padStart(2, '0')}${entry}`;
  const bytes = Buffer.from(`32${(gauge.length / 2).toString(16).padStart(2, '0')}${gauge}`, 'hex');
  t.is(
    new JsonWriter().envelope(bytes, 0, bytes.length).take().toString(),
    reference({ gauge: { metrics: { a: { unit: 'u', value: 1 } } } }),
  );
});

test('passes over unknown fields, groups, and known fields of another wire type', (t) => {
  // Field 100 as varint, group 11 with a field inside, source_id as varint, timestamp as bytes.
  const odd = Buffer.from('a006015b08015c10050a0178', 'hex');
  const bytes = Buffer.concat([odd, encodeEnvelope({ source_id: 's' }), odd]);
  t.is(
    new JsonWriter().envelope(bytes, 0, bytes.length).take().toString(),
    reference({ source_id: 's' }),
  );
});

for (const seed of [1, 2, 3, 5, 8]) {
  test(`agrees with a decode and a slow writer, seed ${seed}`, (t) => {
    const writer = new JsonWriter();
    for (const envelope of randomEnvelopes(seed, 500)) {
      const bytes = encodeEnvelope(envelope);
      const json = writer.envelope(bytes, 0, bytes.length).take().toString();
      t.is(json, reference(loggregator.v2.Envelope.decode(bytes)));
      t.notThrows(() => JSON.parse(json));
    }
  });
}

/** The same JSON from values, the slow way. */
function reference(envelope: EnvelopeInit): string {
  const fields = [
    ['timestamp', text(String(envelope.timestamp ?? 0))],
    ['source_id', text(envelope.source_id ?? '')],
    ['instance_id', text(envelope.instance_id ?? '')],
    ['deprecated_tags', map(envelope.deprecated_tags, deprecated)],
    ['tags', map(envelope.tags, text)],
  ];
  const { log, counter, gauge, timer, event } = envelope;
  if (log) {
    const payload = text(Buffer.from(log.payload ?? []).toString('base64'));
    const type = ['"OUT"', '"ERR"'][log.type ?? 0] ?? String(log.type);
    fields.push([
      'log',
      object([
        ['payload', payload],
        ['type', type],
      ]),
    ]);
  }
  if (counter) fields.push(['counter', named(counter.name, counter, ['delta', 'total'])]);
  if (gauge) fields.push(['gauge', object([['metrics', map(gauge.metrics, metric)]])]);
  if (timer) fields.push(['timer', named(timer.name, timer, ['start', 'stop'])]);
  if (event) {
    fields.push([
      'event',
      object([
        ['title', text(event.title ?? '')],
        ['body', text(event.body ?? '')],
      ]),
    ]);
  }
  return object(fields);
}

function named(name: string | null | undefined, values: object, keys: string[]): string {
  const integers = new Map(Object.entries(values));
  for (const key of keys) integers.set(key, integers.get(key) ?? Reflect.get(values, key) ?? 0);
  const rest = keys.map((key) => [key, text(String(integers.get(key)))]);
  return object([['name', text(name ?? '')], ...rest]);
}

function deprecated(value: loggregator.v2.IValue): string {
  if (Object.hasOwn(value, 'text')) return object([['text', text(value.text ?? '')]]);
  if (Object.hasOwn(value, 'integer')) return object([['integer', text(String(value.integer))]]);
  if (Object.hasOwn(value, 'decimal')) return object([['decimal', double(value.decimal ?? 0)]]);
  return '{}';
}

function metric(value: loggregator.v2.IGaugeValue): string {
  return object([
    ['unit', text(value.unit ?? '')],
    ['value', double(value.value ?? 0)],
  ]);
}

function double(value: number): string {
  if (Number.isFinite(value)) return Object.is(value, -0) ? '-0' : String(value);
  return text(String(value));
}

function map<T>(
  entries: Record<string, T> | null | undefined,
  write: (value: T) => string,
): string {
  const sorted = Object.entries(entries ?? {}).toSorted(([a], [b]) =>
    Buffer.compare(Buffer.from(a), Buffer.from(b)),
  );
  return object(sorted.map(([key, value]) => [key, write(value)]));
}

function object(fields: readonly (readonly (string | undefined)[])[]): string {
  return `{${fields.map(([key = '', value = '']) => `${text(key)}:${value}`).join(',')}}`;
}

function text(value: string): string {
  return JSON.stringify(value);
}
