import test from 'ava';
import { events, loggregator } from '../../gen/messages.js';
import { Batch } from '../batch.ts';
import { PackedBatch } from '../packed-batch.ts';
import { scanBatch } from '../scan.ts';
import { encodeBatch, encodeEnvelope, longOf, randomEnvelopes, randomFrom } from '../testing.ts';
import { ToV1, V1_BYTES_MAX } from './to-v1.ts';
import { V1Parts } from './v1-parts.ts';

type V2 = loggregator.v2.IEnvelope;
type V1 = events.IEnvelope;
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
  ['a timer without a request id becomes nothing', http({ request_id: '' }), []],
  ['a timer whose request id is no UUID becomes nothing', http({ request_id: `${REQUEST}0` }), []],
  [
    'a timer whose request id is not in hex becomes nothing',
    http({ request_id: REQUEST.replace('9', 'g') }),
    [],
  ],
  ['an event becomes nothing', { source_id: 's', event: { title: 't', body: 'b' } }, []],
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

for (const seed of [1, 2, 3, 5, 8, 13]) {
  test(`agrees with a conversion of values, seed ${seed}`, (t) => {
    const toV1 = new ToV1();
    const envelopes = [...randomEnvelopes(seed, 200), ...richEnvelopes(seed, 300)];
    for (let at = 0; at < envelopes.length; at += 50) {
      const some = envelopes.slice(at, at + 50);
      const v1 = toV1.convert(scanned(some));
      t.deepEqual(plain(v1), some.flatMap(slowly).map(normal));
    }
  });
}

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

/** As it looks after it has been on the wire. */
function normal(envelope: V1): Plain {
  return decoded(events.Envelope.encode(envelope).finish());
}

/** Timers that are HTTP, container gauges, errors: what `randomEnvelopes` hardly makes. */
function richEnvelopes(seed: number, count: number): V2[] {
  const random = randomFrom(seed);
  const pick = <T>(...values: readonly [T, ...T[]]): T =>
    values[random(values.length)] ?? values[0];
  return Array.from({ length: count }, () => {
    const tags: Record<string, string> = {};
    const set = (key: string, ...values: readonly [string, ...string[]]) => {
      if (random(4) > 0) tags[key] = pick(...values);
    };
    set('request_id', REQUEST, REQUEST, 'x');
    tags.method = pick('GET', 'POST', 'VERSION_CONTROL');
    tags.peer_type = pick('Client', 'Server');
    set('uri', '/', '');
    set(
      'status_code',
      '200',
      '+404',
      '',
      '1e3',
      '-0',
      '00000000000000000000012',
      '18446744073709551617',
    );
    set('content_length', '12345678901', '-9223372036854775808', ' 1');
    set('forwarded', '', 'a', 'a\nb\n');
    set('routing_instance_id', 'r');
    set('source_type', 'APP', 'RTR');
    set('origin', 'rep');
    set('source_id', 'tag');
    set('instance_id', 'tag');
    set('other', 'ü');
    if (random(3) === 0) tags.__v1_type = pick('Error', 'LogMessage');
    if (random(3) === 0) tags.code = pick('1', '-2147483649');
    const envelope: V2 = {
      source_id: pick(APP, '', 's', APP.toUpperCase()),
      instance_id: pick('', '0', '12', '-1', 'x', '2147483647'),
      tags,
    };
    if (random(3) === 0) {
      envelope.deprecated_tags = {
        [pick('origin', 'method', 'other', 'source_id')]: { text: 'Client' },
        ip: { integer: longOf(7n) },
        more: { decimal: pick(0.1, 1 / 128, 1e22) },
      };
      tags.method = 'GET';
    }
    const metrics = Object.fromEntries(
      ['cpu', 'memory', 'disk', 'memory_quota', 'disk_quota', 'instance_index', 'x']
        .filter(() => random(12) > 0)
        .map((name) => [name, { unit: pick('bytes', ''), value: pick(0, 1.9, 3e9, 1e15) }]),
    );
    const message = pick<V2>(
      { log: { payload: Buffer.from('p'), type: pick(0, 1) } },
      { gauge: { metrics } },
      { timer: { name: 't', start: longOf(-5n), stop: longOf(TIME) } },
    );
    return { ...envelope, ...message };
  });
}

/** The conversion put in values, from the rules alone. */
function slowly(init: V2): V1[] {
  const v2 = loggregator.v2.Envelope.fromObject(init);
  const texts = Object.fromEntries(
    Object.entries(v2.deprecated_tags).map(([key, tag]) => [key, textOf(tag)]),
  );
  const tag = (key: string): string => v2.tags[key] ?? texts[key] ?? '';
  const tags: Record<string, string> = { ...v2.tags, ...texts };
  const remove = (...keys: string[]) => {
    for (const key of keys) delete tags[key];
  };
  const base = {
    origin: tag('origin'),
    timestamp: v2.timestamp,
    deployment: tag('deployment'),
    job: tag('job'),
    index: tag('index'),
    ip: tag('ip'),
    tags,
  };
  const { EventType } = events.Envelope;
  remove('origin', 'deployment', 'job', 'index', 'ip', '__v1_type');
  if (v2.source_id) tags.source_id = v2.source_id;
  const int = (text: string, bits: number): bigint => {
    if (!/^[+-]?\d+$/.test(text)) return 0n;
    const number = BigInt(text.replace('+', ''));
    return BigInt.asIntN(bits, number) === number ? number : 0n;
  };
  const int32 = (text: string): number => Number(BigInt.asIntN(32, int(text, 64)));

  if (v2.log && tag('__v1_type') === 'Error') {
    remove('source', 'code');
    const message = Buffer.from(v2.log.payload ?? []).toString();
    const error = { source: tag('source'), code: int32(tag('code')), message };
    return [{ ...base, eventType: EventType.Error, error }];
  }
  if (v2.log) {
    remove('source_type');
    if (!v2.log.payload?.length) return [];
    const logMessage = {
      message: v2.log.payload,
      message_type: v2.log.type ? 2 : 1,
      timestamp: v2.timestamp,
      app_id: v2.source_id,
      source_type: tag('source_type'),
      source_instance: v2.instance_id,
    };
    return [{ ...base, eventType: EventType.LogMessage, logMessage }];
  }
  if (v2.counter) {
    if (v2.instance_id) tags.instance_id = v2.instance_id;
    const { name, delta, total } = loggregator.v2.Counter.fromObject(v2.counter);
    return [{ ...base, eventType: EventType.CounterEvent, counterEvent: { name, delta, total } }];
  }
  if (v2.gauge) {
    const metrics = v2.gauge.metrics ?? {};
    const [cpu, memory, disk, memoryQuota, diskQuota] = [
      'cpu',
      'memory',
      'disk',
      'memory_quota',
      'disk_quota',
    ].map((name) => metrics[name]);
    const counts = (metric: loggregator.v2.IGaugeValue | undefined) =>
      metric !== undefined && (Boolean(metric.unit) || metric.value !== 0);
    const whole = (metric: loggregator.v2.IGaugeValue | undefined) =>
      longOf(BigInt(Math.trunc(metric?.value ?? 0)));
    if ([cpu, memory, disk, memoryQuota, diskQuota].every(counts)) {
      const index = metrics.instance_index;
      const containerMetric = {
        applicationId: v2.source_id,
        instanceIndex: index
          ? Math.min(Math.trunc(index.value ?? 0), 2147483647)
          : Number(int(v2.instance_id, 32)),
        cpuPercentage: cpu?.value ?? 0,
        memoryBytes: whole(memory),
        diskBytes: whole(disk),
        memoryBytesQuota: whole(memoryQuota),
        diskBytesQuota: whole(diskQuota),
      };
      return [{ ...base, eventType: EventType.ContainerMetric, containerMetric }];
    }
    if (v2.instance_id) tags.instance_id = v2.instance_id;
    return Object.entries(metrics)
      .toSorted(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
      .map(([name, { unit, value: number }]) => ({
        ...base,
        eventType: EventType.ValueMetric,
        valueMetric: { name, unit: unit ?? '', value: number ?? 0 },
      }));
  }
  if (v2.timer) {
    const requestId = uuid(tag('request_id'));
    if (!requestId) return [];
    const applicationId = uuid(v2.source_id);
    const { start, stop } = loggregator.v2.Timer.fromObject(v2.timer);
    const numberOf = (names: object, name: string): number => Reflect.get(names, name) ?? 0;
    const httpStartStop: events.IHttpStartStop = {
      startTimestamp: start,
      stopTimestamp: stop,
      requestId,
      peerType: numberOf(events.PeerType, tag('peer_type')),
      method: numberOf(events.Method, tag('method')),
      uri: tag('uri'),
      remoteAddress: tag('remote_address'),
      userAgent: tag('user_agent'),
      statusCode: int32(tag('status_code')),
      contentLength: longOf(int(tag('content_length'), 64)),
      instanceIndex: Number(int(v2.instance_id, 32)),
      instanceId: tag('routing_instance_id'),
      forwarded: tag('forwarded').split('\n'),
    };
    if (applicationId) httpStartStop.applicationId = applicationId;
    remove('request_id', 'peer_type', 'method', 'uri', 'remote_address', 'user_agent');
    remove('status_code', 'content_length', 'routing_instance_id', 'forwarded');
    return [{ ...base, eventType: EventType.HttpStartStop, httpStartStop }];
  }
  return [];
}

function textOf(tag: loggregator.v2.IValue): string {
  if (tag.integer != null && Object.hasOwn(tag, 'integer')) return String(tag.integer);
  if (tag.decimal != null && Object.hasOwn(tag, 'decimal')) {
    if (tag.decimal === 1e22) return '10000000000000000000000.000000';
    return tag.decimal === 1 / 128 ? '0.007812' : tag.decimal.toFixed(6);
  }
  return tag.text ?? '';
}

function uuid(text: string): events.IUUID | undefined {
  const hex = text.replaceAll('-', '');
  if (!/^[0-9a-fA-F]{32}$/.test(hex) || text.length !== 36) return undefined;
  const bytes = Buffer.from(hex, 'hex');
  return { low: longOf(bytes.readBigInt64LE(0)), high: longOf(bytes.readBigInt64LE(8)) };
}
