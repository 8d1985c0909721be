import test from 'ava';
import { events, loggregator } from '../../gen/messages.js';
import { Batch } from '../batch.ts';
import { FieldReader } from '../fields.ts';
import { PackedBatch } from '../packed-batch.ts';
import { scanBatch } from '../scan.ts';
import { encodeBatch, encodeEnvelope, longOf, randomEnvelopes, randomFrom } from '../testing.ts';
import { encodeVarint } from '../varint.ts';
import { ToV1 } from './to-v1.ts';
import type { V1Batch } from './v1-batch.ts';

// The conversion to v1 held against another, which is put in values and written from the rules of
// go-loggregator v10 alone.

type V2 = loggregator.v2.IEnvelope;
type V1 = events.IEnvelope;
type Random = (below: number) => number;
type Plain = Record<string, unknown>;

const APP = 'b3015d69-09cd-476d-aace-ad2d824d5ab7';
const REQUEST = '954f61c4-ac84-44be-9217-cdfa3117fb41';
const TIME = 1_700_000_000_123_456_789n;

for (const seed of [1, 2, 3, 5, 8, 13]) {
  test(`v2 becomes the v1 that a conversion of values makes, seed ${seed}`, (t) => {
    const toV1 = new ToV1();
    const envelopes = [...randomEnvelopes(seed, 200), ...richEnvelopes(seed, 300)];
    for (let at = 0; at < envelopes.length; at += 50) {
      const some = envelopes.slice(at, at + 50);
      const v1 = toV1.convert(scanned(encodeBatch(some)));
      const expected = some.flatMap(slowly);
      t.deepEqual(plain(v1), expected.map(normal));
      t.deepEqual(
        expected.map((_, index) => v1.app(index)),
        expected.map(appOf),
      );
      t.deepEqual(
        expected.map((_, index) => v1.isLog[index] === 1),
        expected.map(({ logMessage }) => logMessage !== undefined),
      );
    }
  });

  test(`however an envelope is laid out, it becomes the same v1, seed ${seed}`, (t) => {
    const random = randomFrom(seed);
    const toV1 = new ToV1();
    const envelopes = [...randomEnvelopes(seed, 100), ...richEnvelopes(seed, 200)];
    for (const bytes of envelopes.map(encodeEnvelope)) {
      const plainly = plain(toV1.convert(scanned(PackedBatch.of(bytes).bytes)));
      const odd = oddly(bytes, random);
      t.deepEqual(plain(toV1.convert(scanned(PackedBatch.of(odd).bytes))), plainly);
    }
  });
}

/** The same envelope with its fields in any order, in pieces, and with others between them. */
function oddly(bytes: Buffer, random: Random): Buffer {
  const unknown = ['7863', 'c23e03616263', 'fd7e01020304', 'a3010801a401', '59ffffffffffffffff'];
  const fields: Buffer[] = [];
  const reader = new FieldReader().over(bytes, 0, bytes.length);
  while (reader.next()) {
    const content = bytes.subarray(reader.start, reader.end);
    if (reader.wireType !== 2) fields.push(bytes.subarray(reader.tagStart, reader.end));
    else if (reader.field === 9)
      fields.push(field(9, random(3) ? content : turned(content), random));
    else if (reader.field === 3 || reader.field === 2 || reader.field === 8) {
      fields.push(field(reader.field, content, random));
    } else
      fields.push(
        Buffer.concat(pieces(content, random).map((p) => field(reader.field, p, random))),
      );
  }
  for (let count = random(3); count > 0; count -= 1) {
    fields.push(Buffer.from(unknown[random(unknown.length)] ?? '', 'hex'));
  }
  for (let at = fields.length - 1; at > 0; at -= 1) {
    const other = random(at + 1);
    [fields[at], fields[other]] = [fields[other] as Buffer, fields[at] as Buffer];
  }
  return Buffer.concat(fields);
}

/** A message as one piece, or as two that it is cut into between its fields. */
function pieces(content: Buffer, random: Random): Buffer[] {
  const ends: number[] = [];
  const reader = new FieldReader().over(content, 0, content.length);
  while (reader.next()) ends.push(reader.end);
  const end = random(2) ? undefined : ends[random(ends.length)];
  return end === undefined ? [content] : [content.subarray(0, end), content.subarray(end)];
}

/** A map entry with its value before its key. */
function turned(entry: Buffer): Buffer {
  const fields: Buffer[] = [];
  const reader = new FieldReader().over(entry, 0, entry.length);
  while (reader.next()) fields.unshift(entry.subarray(reader.tagStart, reader.end));
  return Buffer.concat(fields);
}

/** A field whose tag and length are sometimes longer than they need be. */
function field(number: number, content: Buffer, random: Random): Buffer {
  return Buffer.concat([
    varint((number << 3) | 2, random(4) === 0),
    varint(content.length, random(4) === 0),
    content,
  ]);
}

function varint(value: number, isLonger: boolean): Buffer {
  const bytes = Buffer.alloc(6);
  const end = encodeVarint(bytes, 0, value);
  if (!isLonger) return bytes.subarray(0, end);
  bytes[end - 1] = (bytes[end - 1] ?? 0) | 0x80;
  return bytes.subarray(0, end + 1);
}

function scanned(bytes: Buffer): Batch {
  const batch = new Batch();
  if (!scanBatch(bytes, batch)) throw new Error(batch.mistake);
  return batch;
}

function plain(v1: V1Batch): Plain[] {
  return Array.from({ length: v1.count }, (_, index) =>
    decoded(v1.bytes.subarray(v1.start[index], v1.end[index])),
  );
}

function decoded(bytes: Uint8Array): Plain {
  return events.Envelope.toObject(events.Envelope.decode(bytes), {
    longs: String,
    bytes: String,
    objects: true,
  });
}

/** As it looks after it has been on the wire. */
function normal(envelope: V1): Plain {
  return decoded(events.Envelope.encode(envelope).finish());
}

/** What a v1 envelope is routed by. */
function appOf({ logMessage, containerMetric, httpStartStop }: V1): string {
  if (logMessage) return logMessage.app_id ?? '';
  if (containerMetric) return containerMetric.applicationId;
  const app = httpStartStop?.applicationId;
  if (!app) return 'system';
  const bytes = Buffer.alloc(16);
  bytes.writeBigUInt64LE(BigInt.asUintN(64, BigInt(String(app.low))), 0);
  bytes.writeBigUInt64LE(BigInt.asUintN(64, BigInt(String(app.high))), 8);
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
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
