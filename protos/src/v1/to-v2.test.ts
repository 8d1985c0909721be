import test from 'ava';
import { events, loggregator } from '../../gen/messages.js';
import { Batch } from '../batch.ts';
import { BatchBuilder } from '../builder.ts';
import { scanBatch } from '../scan.ts';
import { longOf } from '../testing.ts';
import { KeepV1 } from './keep-v1.ts';
import { ToV2 } from './to-v2.ts';
import { V1Parts } from './v1-parts.ts';

type V1 = Partial<events.IEnvelope>;
type Plain = Record<string, unknown>;

const { EventType } = events.Envelope;
const APP = 'b3015d69-09cd-476d-aace-ad2d824d5ab7';
const APP_UUID = { low: longOf(0x6d47cd09695d01b3n), high: longOf(0xb75a4d822dadceaan) };
const REQUEST = '954f61c4-ac84-44be-9217-cdfa3117fb41';
const REQUEST_UUID = { low: longOf(0xbe4484acc4614f95n), high: longOf(0x41fb1731facd1792n) };
const NO_UUID = '00000000-0000-0000-0000-000000000000';
const TIME = 1_700_000_000_123_456_789n;

const BASE = { origin: 'o', deployment: 'cf', job: 'cell', index: '1', ip: '1.2.3.4' };
const base = (type: number, more: V1 = {}): V1 => ({
  ...BASE,
  timestamp: longOf(TIME),
  eventType: type,
  ...more,
});

const http = (more: Partial<events.IHttpStartStop> = {}): V1 =>
  base(EventType.HttpStartStop, {
    httpStartStop: {
      startTimestamp: 1,
      stopTimestamp: longOf(TIME),
      requestId: REQUEST_UUID,
      peerType: 2,
      method: 33,
      uri: '/x',
      remoteAddress: 'r',
      userAgent: 'u',
      statusCode: 404,
      contentLength: longOf(-1n),
      ...more,
    },
  });

const httpTags = {
  ...BASE,
  __v1_type: 'HttpStartStop',
  request_id: REQUEST,
  peer_type: 'Server',
  method: 'SHOWMETHOD',
  uri: '/x',
  remote_address: 'r',
  user_agent: 'u',
  status_code: '404',
  content_length: '-1',
  routing_instance_id: '',
  forwarded: '',
};

const timer = { name: 'http', start: '1', stop: String(TIME) };
const time = { timestamp: String(TIME) };

const ROWS: readonly (readonly [string, V1, Plain | undefined])[] = [
  [
    'a LogMessage becomes a Log of its app',
    base(EventType.LogMessage, {
      tags: { zone: 'z', origin: 'overwritten', source_type: 'overwritten', __v1_type: 'x' },
      logMessage: {
        message: Buffer.from('hello'),
        message_type: 1,
        timestamp: 7,
        app_id: APP,
        source_type: 'APP',
        source_instance: '3',
      },
    }),
    {
      ...time,
      source_id: APP,
      instance_id: '3',
      tags: { ...BASE, zone: 'z', __v1_type: 'LogMessage', source_type: 'APP' },
      log: { payload: 'aGVsbG8=' },
    },
  ],
  [
    'a LogMessage of ERR without an app belongs to its job',
    base(EventType.LogMessage, {
      logMessage: { message: Buffer.from('x'), message_type: 2, timestamp: 7 },
    }),
    {
      ...time,
      source_id: 'cf/cell',
      tags: { ...BASE, __v1_type: 'LogMessage', source_type: '' },
      log: { payload: 'eA==', type: 'ERR' },
    },
  ],
  [
    'the tag source_id is the source id, even if empty, and no tag',
    base(EventType.CounterEvent, {
      tags: { source_id: '', instance_id: '9', a: 'b' },
      counterEvent: { name: 'c', delta: 3, total: longOf(-1n) },
    }),
    {
      ...time,
      instance_id: '9',
      tags: { ...BASE, __v1_type: 'CounterEvent', a: 'b' },
      counter: { name: 'c', delta: '3', total: '18446744073709551615' },
    },
  ],
  [
    'what is not set becomes an empty tag, and the source id a slash',
    { origin: '', eventType: EventType.CounterEvent, counterEvent: { name: 'c', delta: 0 } },
    {
      source_id: '/',
      tags: {
        origin: '',
        deployment: '',
        job: '',
        index: '',
        ip: '',
        __v1_type: 'CounterEvent',
      },
      counter: { name: 'c' },
    },
  ],
  [
    'a ValueMetric becomes a Gauge of one, and its instance id stays a tag',
    base(EventType.ValueMetric, {
      tags: { source_id: 's', instance_id: '9' },
      valueMetric: { name: 'n', value: 0.25, unit: 'ms' },
    }),
    {
      ...time,
      source_id: 's',
      instance_id: '9',
      tags: { ...BASE, __v1_type: 'ValueMetric', instance_id: '9' },
      gauge: { metrics: { n: { unit: 'ms', value: 0.25 } } },
    },
  ],
  [
    'a ContainerMetric becomes a Gauge of five of its app',
    base(EventType.ContainerMetric, {
      tags: { source_id: 's' },
      containerMetric: {
        applicationId: APP,
        instanceIndex: 4,
        cpuPercentage: 0.5,
        memoryBytes: longOf(2n ** 53n + 2n),
        diskBytes: 2,
        memoryBytesQuota: 3,
      },
    }),
    {
      ...time,
      source_id: APP,
      instance_id: '4',
      tags: { ...BASE, __v1_type: 'ContainerMetric' },
      gauge: {
        metrics: {
          cpu: { unit: 'percentage', value: 0.5 },
          memory: { unit: 'bytes', value: 2 ** 53 + 2 },
          disk: { unit: 'bytes', value: 2 },
          memory_quota: { unit: 'bytes', value: 3 },
          disk_quota: { unit: 'bytes' },
        },
      },
    },
  ],
  [
    'an HttpStartStop becomes a Timer of its app',
    http({ applicationId: APP_UUID, instanceIndex: 5, instanceId: 'i', forwarded: ['a', '', 'b'] }),
    {
      ...time,
      source_id: APP,
      instance_id: '5',
      tags: { ...httpTags, routing_instance_id: 'i', forwarded: 'a\n\nb' },
      timer,
    },
  ],
  [
    'an HttpStartStop without an app belongs to its job',
    http({ applicationId: { low: 0, high: 0 } }),
    { ...time, source_id: 'cf/cell', instance_id: '0', tags: httpTags, timer },
  ],
  [
    'an Error becomes a Log of OUT',
    base(EventType.Error, {
      tags: { source_id: 's', source_type: 'kept' },
      error: { source: 'src', code: -7, message: 'bad' },
    }),
    {
      ...time,
      source_id: 's',
      tags: { ...BASE, __v1_type: 'Error', source_type: 'kept', source: 'src', code: '-7' },
      log: { payload: 'YmFk' },
    },
  ],
  [
    'the event type decides, and a missing body counts as empty',
    base(EventType.HttpStartStop, { counterEvent: { name: 'c', delta: 1 } }),
    {
      ...time,
      source_id: 'cf/cell',
      instance_id: '0',
      tags: {
        ...httpTags,
        request_id: NO_UUID,
        peer_type: 'Client',
        method: 'GET',
        uri: '',
        remote_address: '',
        user_agent: '',
        status_code: '0',
        content_length: '0',
      },
      timer: { name: 'http' },
    },
  ],
  ['an unknown event type becomes nothing', base(77), undefined],
];

for (const [what, v1, expected] of ROWS) {
  test(what, (t) => {
    t.deepEqual(convert(encoded(v1)), expected);
  });
}

test('every v2 copy of v1 has __v1_type and five tags, even if empty', (t) => {
  const types = ['LogMessage', 'HttpStartStop', 'ValueMetric', 'CounterEvent', 'Error'] as const;
  const bodies: V1 = {
    logMessage: { message: Buffer.from('x'), message_type: 1, timestamp: 1 },
    valueMetric: { name: 'n', value: 1, unit: 'u' },
    counterEvent: { name: 'n', delta: 1 },
    error: { source: 's', code: 1, message: 'm' },
    httpStartStop: http().httpStartStop ?? null,
  };
  for (const type of types) {
    const v2 = convert(encoded({ origin: '', eventType: EventType[type], ...bodies }));
    const tags = v2?.tags as Plain;
    t.is(tags.__v1_type, type);
    for (const name of ['origin', 'deployment', 'job', 'index', 'ip']) t.is(tags[name], '', type);
  }
});

test('an unknown enum of a request becomes its number', (t) => {
  // A peer type of 9 and a method of -1, in a second piece of the body.
  const bytes = Buffer.concat([
    encoded(http()),
    Buffer.from('3a0d200928ffffffffffffffffff01', 'hex'),
  ]);
  t.like(convert(bytes)?.tags, { peer_type: '9', method: '-1' });
});

test('strings that are not UTF-8 are repaired, and payloads left alone', (t) => {
  const broken = Buffer.from('61ff62', 'hex');
  const tag = Buffer.from('8a01080a03ff6b311201fe', 'hex');
  const bytes = Buffer.concat([
    Buffer.from('0a03', 'hex'),
    broken,
    Buffer.from('1005', 'hex'),
    Buffer.from('420e0a03ffffff10011800', 'hex'),
    Buffer.from('2203', 'hex'),
    broken,
    tag,
  ]);
  t.like(convert(bytes), {
    source_id: 'a\ufffdb',
    log: { payload: Buffer.from('ffffff', 'hex').toString('base64') },
    tags: { origin: 'a\ufffdb', '\ufffdk1': '\ufffd' },
  });
});

test('several envelopes gather in one builder', (t) => {
  const builder = new BatchBuilder();
  const toV2 = new ToV2();
  const parts = new V1Parts();
  for (const [, v1] of ROWS) {
    const bytes = encoded(v1);
    t.true(parts.read(bytes, 0, bytes.length));
    toV2.add(parts, builder);
  }
  t.is(builder.count, ROWS.length - 1);
  const { batch } = loggregator.v2.EnvelopeBatch.decode(builder.take().bytes);
  t.deepEqual(
    batch.map((envelope) => plain(loggregator.v2.Envelope.create(envelope))),
    ROWS.map(([, , expected]) => expected).filter((expected) => expected !== undefined),
  );
});

test('v1 envelopes are kept as they are, routed as v1 is', (t) => {
  const keep = new KeepV1();
  const parts = new V1Parts();
  for (let round = 0; round < 2; round += 1) {
    keep.begin();
    const all = [...ROWS.map(([, v1]) => encoded(v1)), encoded(http({ applicationId: APP_UUID }))];
    for (const bytes of all) {
      t.true(parts.read(bytes, 0, bytes.length));
      keep.add(parts);
    }
    const kept = keep.finish();
    t.is(kept.count, all.length);
    t.deepEqual(
      all.map((_, index) => kept.bytes.subarray(kept.start[index], kept.end[index])),
      all,
    );
    const apps = [...all.keys()].map((index) => kept.app(index));
    t.deepEqual(apps.slice(0, 3), [APP, '', 'system']);
    t.deepEqual(apps.slice(5, 9), [APP, APP, NO_UUID, 'system']);
    t.deepEqual(apps.slice(10), ['system', APP]);
    t.deepEqual([...kept.isLog.subarray(0, 4)], [1, 1, 0, 0]);
  }
});

function encoded(v1: V1): Buffer {
  return Buffer.from(events.Envelope.encode({ origin: '', eventType: 4, ...v1 }).finish());
}

function convert(bytes: Buffer): Plain | undefined {
  const parts = new V1Parts();
  if (!parts.read(bytes, 0, bytes.length)) throw new Error('not a v1 envelope');
  const builder = new BatchBuilder();
  if (!new ToV2().add(parts, builder)) return undefined;
  const batch = new Batch();
  if (!scanBatch(builder.take().bytes, batch)) throw new Error(batch.mistake);
  return plain(loggregator.v2.Envelope.decode(batch.envelope(0)));
}

function plain(envelope: loggregator.v2.Envelope): Plain {
  return loggregator.v2.Envelope.toObject(envelope, {
    longs: String,
    bytes: String,
    enums: String,
  });
}
