import test from 'ava';
import { events, type loggregator } from '../../gen/messages.js';
import { Batch } from '../batch.ts';
import { PackedBatch } from '../packed-batch.ts';
import { scanBatch } from '../scan.ts';
import { encodeBatch, encodeEnvelope, longOf, randomEnvelopes } from '../testing.ts';
import { ToV1, V1_BYTES_MAX } from './to-v1.ts';
import { V1Parts } from './v1-parts.ts';

type V2 = loggregator.v2.IEnvelope;
type Plain = Record<string, unknown>;

const APP = 'b3015d69-09cd-476d-aace-ad2d824d5ab7';
const REQUEST = '954f61c4-ac84-44be-9217-cdfa3117fb41';
const APP_UUID = { low: String(0x6d47cd09695d01b3n), high: String(0xb75a4d822dadceaan) };
const REQUEST_UUID = { low: String(0xbe4484acc4614f95n), high: String(0x41fb1731facd1792n) };
const TIME = 1_700_000_000_123_456_789n;

const NO_TAGS = { origin: '', deployment: '', job: '', index: '', ip: '' };
const BASE = { ...NO_TAGS, timestamp: String(TIME) };

/** What it is; the v2 envelope; the v1 envelopes and the app ids they are routed by. */
type Row = readonly [string, V2, readonly (readonly [Plain, string])[]];

const http = (tags: Record<string, string>, more: V2 = {}): V2 => ({
  timestamp: longOf(TIME),
  source_id: APP,
  instance_id: '3',
  tags: { request_id: REQUEST, method: 'PUT', peer_type: 'Server', ...tags },
  timer: { name: 'any', start: 1000, stop: longOf(TIME) },
  ...more,
});

const httpBody = {
  startTimestamp: '1000',
  stopTimestamp: String(TIME),
  requestId: REQUEST_UUID,
  peerType: 'Server',
  method: 'PUT',
  uri: '',
  remoteAddress: '',
  userAgent: '',
  statusCode: 0,
  contentLength: '0',
  applicationId: APP_UUID,
  instanceIndex: 3,
  instanceId: '',
  forwarded: [''],
};

const container = (metrics: Record<string, loggregator.v2.IGaugeValue> = {}): V2 => ({
  timestamp: longOf(TIME),
  source_id: APP,
  instance_id: '2',
  tags: { instance_id: 'kept', zone: 'z' },
  gauge: {
    metrics: {
      cpu: { unit: 'percentage', value: 0.5 },
      memory: { unit: 'bytes', value: 1024.9 },
      disk: { unit: 'bytes', value: 2 ** 40 },
      memory_quota: { unit: 'bytes', value: 0 },
      disk_quota: { value: 7 },
      ...metrics,
    },
  },
});

const containerBody = {
  applicationId: APP,
  instanceIndex: 2,
  cpuPercentage: 0.5,
  memoryBytes: '1024',
  diskBytes: String(2n ** 40n),
  memoryBytesQuota: '0',
  diskBytesQuota: '7',
};

const value = (name: string, unit: string, number: number, tags: Plain, system = 'system') =>
  [
    { ...BASE, eventType: 'ValueMetric', tags, valueMetric: { name, unit, value: number } },
    system,
  ] as const;

const ROWS: readonly Row[] = [
  [
    'a log becomes a LogMessage of its app',
    {
      timestamp: longOf(TIME),
      source_id: APP,
      instance_id: '7',
      tags: {
        source_type: 'APP',
        origin: 'rep',
        deployment: 'cf',
        job: 'j',
        index: 'i',
        ip: '1.2.3.4',
        zone: 'z',
      },
      log: { payload: Buffer.from('hello'), type: 0 },
    },
    [
      [
        {
          origin: 'rep',
          deployment: 'cf',
          job: 'j',
          index: 'i',
          ip: '1.2.3.4',
          timestamp: String(TIME),
          eventType: 'LogMessage',
          tags: { zone: 'z', source_id: APP },
          logMessage: {
            message: 'aGVsbG8=',
            message_type: 'OUT',
            timestamp: String(TIME),
            app_id: APP,
            source_type: 'APP',
            source_instance: '7',
          },
        },
        APP,
      ],
    ],
  ],
  [
    'a log that is not OUT becomes an ERR, and its source need not be an app',
    { timestamp: longOf(TIME), log: { payload: Buffer.from('x'), type: 7 as 0 } },
    [
      [
        {
          ...BASE,
          eventType: 'LogMessage',
          tags: {},
          logMessage: {
            message: 'eA==',
            message_type: 'ERR',
            timestamp: String(TIME),
            app_id: '',
            source_type: '',
            source_instance: '',
          },
        },
        '',
      ],
    ],
  ],
  ['a log with an empty payload becomes nothing', { source_id: 's', log: { type: 1 } }, []],
  [
    'a log whose __v1_type is Error becomes an Error',
    {
      timestamp: longOf(TIME),
      source_id: 's',
      instance_id: '1',
      tags: { __v1_type: 'Error', source: 'router', code: '-5', source_type: 'kept' },
      log: { payload: Buffer.from('bad') },
    },
    [
      [
        {
          ...BASE,
          eventType: 'Error',
          tags: { source_type: 'kept', source_id: 's' },
          error: { source: 'router', code: -5, message: 'bad' },
        },
        'system',
      ],
    ],
  ],
  [
    'an Error may be empty, and a code that is no number is 0',
    { timestamp: longOf(TIME), tags: { __v1_type: 'Error', code: '1x' }, log: {} },
    [
      [
        { ...BASE, eventType: 'Error', tags: {}, error: { source: '', code: 0, message: '' } },
        'system',
      ],
    ],
  ],
  [
    'a code beyond 32 bits is cut to them',
    { timestamp: longOf(TIME), tags: { __v1_type: 'Error', code: '99999999999' }, log: {} },
    [
      [
        {
          ...BASE,
          eventType: 'Error',
          tags: {},
          error: { source: '', code: 1215752191, message: '' },
        },
        'system',
      ],
    ],
  ],
  [
    'a counter becomes a CounterEvent of the system, its instance a tag',
    {
      timestamp: longOf(TIME),
      source_id: APP,
      instance_id: '4',
      tags: { instance_id: 'replaced', source_id: 'replaced', __v1_type: 'CounterEvent', a: 'b' },
      counter: { name: 'c', delta: 5, total: longOf(-1n) },
    },
    [
      [
        {
          ...BASE,
          eventType: 'CounterEvent',
          tags: { a: 'b', source_id: APP, instance_id: '4' },
          counterEvent: { name: 'c', delta: '5', total: '18446744073709551615' },
        },
        'system',
      ],
    ],
  ],
  [
    'tags of the names of ids stay where there is no id',
    { timestamp: longOf(TIME), tags: { instance_id: '9', source_id: 'x' }, counter: {} },
    [
      [
        {
          ...BASE,
          eventType: 'CounterEvent',
          tags: { instance_id: '9', source_id: 'x' },
          counterEvent: { name: '', delta: '0', total: '0' },
        },
        'system',
      ],
    ],
  ],
  [
    'a gauge becomes a ValueMetric for each metric',
    {
      timestamp: longOf(TIME),
      source_id: 's',
      instance_id: '1',
      gauge: { metrics: { b: { unit: 'ms', value: 1.5 }, a: {} } },
    },
    [
      value('a', '', 0, { source_id: 's', instance_id: '1' }),
      value('b', 'ms', 1.5, { source_id: 's', instance_id: '1' }),
    ],
  ],
  ['a gauge without metrics becomes nothing', { gauge: {} }, []],
  [
    'a gauge of cpu alone is a ValueMetric',
    { timestamp: longOf(TIME), gauge: { metrics: { cpu: { value: 1 } } } },
    [value('cpu', '', 1, {})],
  ],
  [
    'a gauge with all of a container is one ContainerMetric of its app',
    container(),
    [
      [
        {
          ...BASE,
          eventType: 'ContainerMetric',
          tags: { instance_id: 'kept', zone: 'z', source_id: APP },
          containerMetric: containerBody,
        },
        APP,
      ],
    ],
  ],
  [
    'the metric instance_index is the index, and other metrics of a container are lost',
    container({ instance_index: { value: 6.9 }, other: { value: 1 } }),
    [
      [
        {
          ...BASE,
          eventType: 'ContainerMetric',
          tags: { instance_id: 'kept', zone: 'z', source_id: APP },
          containerMetric: { ...containerBody, instanceIndex: 6 },
        },
        APP,
      ],
    ],
  ],
  [
    'values of a container that are no whole number in range become the nearest that are',
    container({
      memory: { value: -1 },
      disk: { value: Number.NaN },
      memory_quota: { value: 1e30 },
      disk_quota: { value: 2 ** 63 },
      instance_index: { value: -1 },
    }),
    [
      [
        {
          ...BASE,
          eventType: 'ContainerMetric',
          tags: { instance_id: 'kept', zone: 'z', source_id: APP },
          containerMetric: {
            ...containerBody,
            instanceIndex: -1,
            memoryBytes: '0',
            diskBytes: '0',
            memoryBytesQuota: '18446744073709549568',
            diskBytesQuota: '9223372036854775808',
          },
        },
        APP,
      ],
    ],
  ],
  [
    'a container with a zero that has no unit becomes five ValueMetrics of the system',
    container({ memory_quota: {} }),
    [
      ['cpu', 'percentage', 0.5] as const,
      ['disk', 'bytes', 2 ** 40] as const,
      ['disk_quota', '', 7] as const,
      ['memory', 'bytes', 1024.9] as const,
      ['memory_quota', '', 0] as const,
    ].map(([name, unit, number]) =>
      value(name, unit, number, { zone: 'z', source_id: APP, instance_id: '2' }),
    ),
  ],
  [
    'metrics of a container that come in several gauges are ValueMetrics of the system',
    {
      timestamp: longOf(TIME),
      source_id: APP,
      gauge: { metrics: { cpu: { unit: 'percentage', value: 1 }, memory: { unit: 'bytes' } } },
    },
    [
      value('cpu', 'percentage', 1, { source_id: APP }),
      value('memory', 'bytes', 0, { source_id: APP }),
    ],
  ],
  [
    'an instance_index that is no number is 0, and one beyond 32 bits the nearest',
    container({ instance_index: { value: Number.NaN }, memory: { value: 2 ** 64 } }),
    [
      [
        {
          ...BASE,
          eventType: 'ContainerMetric',
          tags: { instance_id: 'kept', zone: 'z', source_id: APP },
          containerMetric: {
            ...containerBody,
            instanceIndex: 0,
            memoryBytes: '18446744073709549568',
          },
        },
        APP,
      ],
    ],
  ],
  [
    'a timer becomes an HttpStartStop of its app, whatever its name',
    http({
      uri: 'https://x/y',
      remote_address: '10.0.0.1:80',
      user_agent: 'curl',
      status_code: '200',
      content_length: '9223372036854775807',
      routing_instance_id: 'r-1',
      forwarded: 'a\n\nb',
      source_type: 'kept',
    }),
    [
      [
        {
          ...BASE,
          eventType: 'HttpStartStop',
          tags: { source_type: 'kept', source_id: APP },
          httpStartStop: {
            ...httpBody,
            uri: 'https://x/y',
            remoteAddress: '10.0.0.1:80',
            userAgent: 'curl',
            statusCode: 200,
            contentLength: '9223372036854775807',
            instanceId: 'r-1',
            forwarded: ['a', '', 'b'],
          },
        },
        APP,
      ],
    ],
  ],
  [
    'a timer without its tags but the request id has empty fields',
    http({}, { instance_id: '2147483648' }),
    [
      [
        {
          ...BASE,
          eventType: 'HttpStartStop',
          tags: { source_id: APP },
          httpStartStop: { ...httpBody, instanceIndex: 0 },
        },
        APP,
      ],
    ],
  ],
  [
    'a timer whose source is no UUID belongs to the system',
    http({ status_code: '-1', content_length: '9223372036854775808' }, { source_id: 'gorouter' }),
    [
      [
        {
          ...BASE,
          eventType: 'HttpStartStop',
          tags: { source_id: 'gorouter' },
          httpStartStop: (({ applicationId: _, ...rest }) => ({ ...rest, statusCode: -1 }))(
            httpBody,
          ),
        },
        'system',
      ],
    ],
  ],
  [
    'a status code beyond 32 bits is cut to them',
    http({ status_code: '99999999999' }),
    [
      [
        {
          ...BASE,
          eventType: 'HttpStartStop',
          tags: { source_id: APP },
          httpStartStop: { ...httpBody, statusCode: 1215752191 },
        },
        APP,
      ],
    ],
  ],
  [
    'an app id in capitals is routed by its canonical form',
    http({ request_id: REQUEST.toUpperCase() }, { source_id: APP.toUpperCase() }),
    [
      [
        {
          ...BASE,
          eventType: 'HttpStartStop',
          tags: { source_id: APP.toUpperCase() },
          httpStartStop: httpBody,
        },
        APP,
      ],
    ],
  ],
  [
    'a timer without a request id, as those of apps, never reaches v1',
    http({ request_id: '' }),
    [],
  ],
  ['a timer whose request id is no UUID becomes nothing', http({ request_id: `${REQUEST}0` }), []],
  [
    'a timer whose request id is not in hex becomes nothing',
    http({ request_id: REQUEST.replace('9', 'g') }),
    [],
  ],
  ['an event never reaches v1', { source_id: 's', event: { title: 't', body: 'b' } }, []],
  ['an envelope without a message becomes nothing', { source_id: 's', tags: { a: 'b' } }, []],
  [
    'deprecated tags come over tags, but fields prefer tags',
    {
      timestamp: longOf(TIME),
      tags: { origin: 'new', a: 'new' },
      deprecated_tags: {
        origin: { text: 'old' },
        job: { text: 'old' },
        index: { integer: 5 },
        a: { text: 'old' },
        b: { integer: longOf(-9223372036854775808n) },
        c: { decimal: 1_000_000 },
        d: {},
      },
      counter: { name: 'c' },
    },
    [
      [
        {
          ...BASE,
          origin: 'new',
          job: 'old',
          index: '5',
          eventType: 'CounterEvent',
          tags: { a: 'old', b: '-9223372036854775808', c: '1000000.000000', d: '' },
          counterEvent: { name: 'c', delta: '0', total: '0' },
        },
        'system',
      ],
    ],
  ],
  [
    'an old tag that an agent has copied to the new ones is there once, as v1 prints it',
    {
      timestamp: longOf(TIME),
      tags: { ratio: '1000000', origin: 'o' },
      deprecated_tags: { ratio: { decimal: 1_000_000 }, origin: { text: 'o' } },
      counter: { name: 'c' },
    },
    [
      [
        {
          ...BASE,
          origin: 'o',
          eventType: 'CounterEvent',
          tags: { ratio: '1000000.000000' },
          counterEvent: { name: 'c', delta: '0', total: '0' },
        },
        'system',
      ],
    ],
  ],
  [
    'an Error is known by a deprecated tag too',
    {
      timestamp: longOf(TIME),
      tags: { source: 'new' },
      deprecated_tags: {
        __v1_type: { text: 'Error' },
        source: { text: 'old' },
        code: { integer: 3 },
      },
      log: {},
    },
    [
      [
        { ...BASE, eventType: 'Error', tags: {}, error: { source: 'new', code: 3, message: '' } },
        'system',
      ],
    ],
  ],
];

for (const [what, envelope, expected] of ROWS) {
  test(what, (t) => {
    const v1 = convert([envelope]);
    t.deepEqual(
      v1.envelopes,
      expected.map(([plain]) => plain),
    );
    t.deepEqual(
      v1.apps,
      expected.map(([, app]) => app),
    );
    t.deepEqual(
      v1.isLog,
      expected.map(([{ eventType }]) => eventType === 'LogMessage'),
    );
  });
}

test('an unknown method and peer type become 0, as in the original', (t) => {
  const v1 = new ToV1().convert(scanned([http({ method: 'YELL', peer_type: '' })]));
  const parts = new V1Parts();
  t.true(parts.read(v1.bytes, v1.start[0] ?? 0, v1.end[0] ?? 0));
  t.is(parts.http.low[4], 0);
  t.is(parts.http.low[5], 0);
  t.true(parts.http.has(4) && parts.http.has(5));
});

test('the tags __v1_type, origin, deployment, job, index and ip are fields of v1, never tags', (t) => {
  const tags = { ...NO_TAGS, __v1_type: 'x', kept: 'k' };
  const all: V2[] = [
    { tags, log: { payload: Buffer.from('x') } },
    { tags: { ...tags, __v1_type: 'Error' }, log: {} },
    { tags, counter: {} },
    { tags, gauge: { metrics: { a: {} } } },
    container({}),
    http(tags),
  ];
  for (const envelope of all) envelope.tags = { ...envelope.tags, ...tags, ...envelope.tags };
  const { envelopes } = convert(all);
  t.is(envelopes.length, all.length);
  for (const { tags: left } of envelopes) {
    t.like(left, { kept: 'k' });
    for (const key of [...Object.keys(NO_TAGS), '__v1_type'])
      t.false(Object.hasOwn(left as object, key));
  }
});

test('every v1 envelope has an origin, an event type and all five fields, even if empty', (t) => {
  const batch = scanned([
    { log: { payload: Buffer.from('x') } },
    { counter: {} },
    container(),
    http({}),
  ]);
  const v1 = new ToV1().convert(batch);
  const parts = new V1Parts();
  for (let index = 0; index < v1.count; index += 1) {
    t.true(parts.read(v1.bytes, v1.start[index] ?? 0, v1.end[index] ?? 0));
    for (const field of [1, 2, 6, 13, 14, 15, 16])
      t.true(parts.envelope.has(field), `field ${field}`);
  }
});

test('the frames of a batch are an encoded BatchResponse, and so is each', (t) => {
  const batch = scanned([container(), http({}), { event: {} }, { counter: {} }]);
  const v1 = new ToV1().convert(batch);
  t.is(v1.count, 3);
  t.is(v1.frameStart[0], 0);
  t.is(v1.end[2], v1.bytes.length);
  for (let index = 1; index < v1.count; index += 1) t.is(v1.frameStart[index], v1.end[index - 1]);
  const packed = v1.pack();
  t.is(packed.count, 3);
  t.is(packed.withoutFirst(2).bytes.length, v1.bytes.length - (v1.frameStart[2] ?? 0));
});

test('gives back what a batch of very many envelopes took', (t) => {
  const batch = new Batch();
  const toV1 = new ToV1();
  const frame = encodeBatch([{ counter: { name: 'a' } }]);
  t.true(scanBatch(Buffer.concat(new Array<Buffer>(70_000).fill(frame)), batch));
  t.is(toV1.convert(batch).count, 70_000);
  t.true(scanBatch(frame, batch));
  const small = toV1.convert(batch);
  t.is(small.count, 1);
  t.is(small.app(0), 'system');
  t.true(small.start.length < 1000);
});

test('what was converted before is not written over', (t) => {
  const toV1 = new ToV1();
  const kept: { bytes: Buffer; copy: Buffer }[] = [];
  for (let seed = 0; seed < 200; seed += 1) {
    const { bytes } = toV1.convert(scanned(randomEnvelopes(seed, 20)));
    kept.push({ bytes, copy: Buffer.from(bytes) });
  }
  t.true(kept.every(({ bytes, copy }) => bytes.equals(copy)));
});

test('a gauge that would become too many bytes is cut off, and what is left out is counted', (t) => {
  const tags = { big: 'x'.repeat(1_000_000) };
  const metrics = Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`m${index}`, {}]));
  const v1 = new ToV1().convert(scanned([{ tags, gauge: { metrics } }]));
  t.true(v1.bytes.length <= V1_BYTES_MAX);
  t.is(v1.count, Math.floor(V1_BYTES_MAX / 1_000_064));
  t.is(v1.count + v1.dropped, 100);
});

test('an envelope in pieces is one', (t) => {
  const pieces = [
    { source_id: 's', timestamp: longOf(TIME), log: { payload: Buffer.from('x') } },
    { log: { type: 1 }, tags: { a: '1' } },
    { tags: { a: '2' } },
  ] satisfies V2[];
  const bytes = Buffer.concat(pieces.map(encodeEnvelope));
  const batch = new Batch();
  scanBatch(PackedBatch.of(bytes).bytes, batch);
  t.like(plain(new ToV1().convert(batch)), [
    {
      logMessage: { message: 'eA==', message_type: 'ERR' },
      tags: { a: '2', source_id: 's' },
    },
  ]);
});

function scanned(envelopes: readonly V2[]): Batch {
  const batch = new Batch();
  if (!scanBatch(encodeBatch(envelopes), batch)) throw new Error(batch.mistake);
  return batch;
}

function convert(envelopes: readonly V2[]) {
  const v1 = new ToV1().convert(scanned(envelopes));
  const indexes = [...Array(v1.count).keys()];
  return {
    envelopes: plain(v1),
    apps: indexes.map((index) => v1.app(index)),
    isLog: indexes.map((index) => v1.isLog[index] === 1),
  };
}

function plain(v1: ReturnType<ToV1['convert']>): Plain[] {
  return Array.from({ length: v1.count }, (_, index) =>
    decoded(v1.bytes.subarray(v1.start[index], v1.end[index])),
  );
}

function decoded(bytes: Uint8Array): Plain {
  const envelope = events.Envelope.decode(bytes);
  return events.Envelope.toObject(envelope, {
    longs: String,
    bytes: String,
    enums: String,
    objects: true,
    json: true,
  });
}
