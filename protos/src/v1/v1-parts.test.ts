import test from 'ava';
import { events } from '../../gen/messages.js';
import { FieldReader } from '../fields.ts';
import { randomFrom } from '../testing.ts';
import { V1Parts } from './v1-parts.ts';

type V1 = Partial<events.IEnvelope>;

const { EventType } = events.Envelope;

const SOUND: Readonly<Record<string, V1>> = {
  'a log': envelope({ logMessage: { message: Buffer.from('x'), message_type: 1, timestamp: 1 } }),
  'an HTTP request': envelope({
    httpStartStop: {
      startTimestamp: 1,
      stopTimestamp: 2,
      requestId: { low: 1, high: 2 },
      peerType: 1,
      method: 1,
      uri: '',
      remoteAddress: '',
      userAgent: '',
      statusCode: 200,
      contentLength: -1,
      applicationId: { low: 3, high: 4 },
      forwarded: ['a', 'b'],
    },
  }),
  'a value': envelope({ valueMetric: { name: '', value: 0, unit: '' } }),
  'a counter': envelope({ counterEvent: { name: '', delta: 0 } }),
  'an error': envelope({ error: { source: '', code: 0, message: '' } }),
  'a container': envelope({
    containerMetric: {
      applicationId: 'a',
      instanceIndex: 0,
      cpuPercentage: 0,
      memoryBytes: 0,
      diskBytes: 0,
    },
  }),
  'an envelope without a body': envelope({ tags: { a: 'b' }, deployment: 'd' }),
};

for (const [what, sound] of Object.entries(SOUND)) {
  test(`reads ${what}, and refuses it cut off anywhere within a field`, (t) => {
    const bytes = encoded(sound);
    const parts = new V1Parts();
    t.true(parts.read(bytes, 0, bytes.length));
    for (let end = 0; end < bytes.length; end += 1) {
      t.is(parts.read(bytes, 0, end), decodes(bytes.subarray(0, end)), `at ${end}`);
    }
  });

  test(`refuses ${what} as soon as a required field is missing`, (t) => {
    const parts = new V1Parts();
    for (const bytes of withoutEach(encoded(sound), [7, 8, 9, 10, 11, 12])) {
      t.is(parts.read(bytes, 0, bytes.length), decodes(bytes), bytes.toString('hex'));
    }
  });
}

test('a message in several pieces is one, and of a scalar the last counts', (t) => {
  const whole = encoded(SOUND['an HTTP request'] ?? {});
  // httpStartStop in two more pieces: statusCode 404, and a request id's high word.
  const bytes = Buffer.concat([whole, Buffer.from('3a034894033a041a021007', 'hex')]);
  const parts = new V1Parts();
  t.true(parts.read(bytes, 0, bytes.length));
  t.is(parts.http.low[9], 404);
  t.is(parts.requestId.low[1], 1);
  t.is(parts.requestId.low[2], 7);
});

test('pieces are complete together, if not each', (t) => {
  // counterEvent {name} and counterEvent {delta}.
  const bytes = Buffer.from('0a0010075202' + '0a00' + '52021001', 'hex');
  t.true(new V1Parts().read(bytes, 0, bytes.length));
  t.false(new V1Parts().read(bytes, 0, bytes.length - 4));
});

test('reads an envelope in the midst of other bytes', (t) => {
  const bytes = encoded(envelope({ origin: 'here' }));
  const around = Buffer.concat([Buffer.alloc(7, 0xff), bytes, Buffer.alloc(7, 0xff)]);
  const parts = new V1Parts();
  t.true(parts.read(around, 7, 7 + bytes.length));
  t.is(around.toString('utf8', parts.envelope.start[1], parts.envelope.end[1]), 'here');
  t.false(parts.read(around, 7, 8 + bytes.length));
});

test('strings may be any bytes, which is noted', (t) => {
  const parts = new V1Parts();
  const bytes = Buffer.from('0a02c3281005', 'hex');
  t.true(parts.read(bytes, 0, bytes.length));
  t.true(parts.hasBrokenText);
  const payload = encoded(
    envelope({
      logMessage: { message: Buffer.from('c328', 'hex'), message_type: 1, timestamp: 1 },
    }),
  );
  t.true(parts.read(payload, 0, payload.length));
  t.false(parts.hasBrokenText);
});

test('reads integers and doubles to the last bit', (t) => {
  const parts = new V1Parts();
  const bytes = encoded(
    envelope({
      timestamp: -1,
      valueMetric: { name: 'n', value: -0.1, unit: 'u' },
      counterEvent: { name: 'c', delta: 4294967295, total: 2 ** 52 },
    }),
  );
  t.true(parts.read(bytes, 0, bytes.length));
  t.deepEqual([parts.envelope.high[6], parts.envelope.low[6]], [0xffffffff, 0xffffffff]);
  t.deepEqual([parts.counter.high[2], parts.counter.low[2]], [0, 0xffffffff]);
  t.deepEqual([parts.counter.high[3], parts.counter.low[3]], [2 ** 20, 0]);
  const double = Buffer.alloc(8);
  double.writeUInt32LE(parts.value.low[2] ?? 0, 0);
  double.writeUInt32LE(parts.value.high[2] ?? 0, 4);
  t.is(double.readDoubleLE(), -0.1);
});

// protobufjs refuses what Go refuses, but for enums: to it a number that has no name is not there.
// So the enums here are never touched.
for (const seed of [1, 2, 3, 5, 8]) {
  test(`agrees with protobufjs on damaged bytes, seed ${seed}`, (t) => {
    const random = randomFrom(seed);
    const parts = new V1Parts();
    const sound = Object.values(SOUND).filter(({ httpStartStop }) => !httpStartStop);
    for (let round = 0; round < 3000; round += 1) {
      const bytes = encoded(sound[random(sound.length)] ?? {});
      const copy = Buffer.from(bytes);
      copy[random(copy.length)] = random(256);
      if (hasStrangeEnum(copy)) continue;
      t.is(parts.read(copy, 0, copy.length), decodes(copy), copy.toString('hex'));
    }
  });
}

function envelope(body: V1): V1 {
  return { origin: 'o', eventType: EventType.LogMessage, timestamp: 5, ...body };
}

function encoded(init: V1): Buffer {
  return Buffer.from(events.Envelope.encode({ origin: '', eventType: 5, ...init }).finish());
}

function decodes(bytes: Buffer): boolean {
  try {
    events.Envelope.decode(bytes);
    return true;
  } catch {
    return false;
  }
}

/** Whether an enum is there with a number that has no name: to protobufjs it is then missing. */
function hasStrangeEnum(bytes: Buffer): boolean {
  const parts = new V1Parts();
  if (!parts.read(bytes, 0, bytes.length) || decodes(bytes)) return false;
  const type = parts.envelope.low[2] ?? 0;
  const logType = parts.log.low[2] ?? 0;
  return type < 4 || type > 9 || (parts.log.seen !== 0 && (logType < 1 || logType > 2));
}

/** The message without each of its fields, and without each field of those that are messages. */
function* withoutEach(message: Buffer, messages: readonly number[]): Generator<Buffer> {
  const fields = new FieldReader().over(message, 0, message.length);
  while (fields.next()) {
    const { field, tagStart, start, end } = fields;
    const before = message.subarray(0, tagStart);
    const after = message.subarray(end);
    yield Buffer.concat([before, after]);
    if (!messages.includes(field)) continue;
    const nested = field === 7 ? [3, 12] : [];
    for (const less of withoutEach(message.subarray(start, end), nested)) {
      yield Buffer.concat([before, Buffer.from([(field << 3) | 2, less.length]), less, after]);
    }
  }
}
