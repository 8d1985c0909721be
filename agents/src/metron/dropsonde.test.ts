import { Metrics } from '@standpipe/plumbing';
import { spyLog } from '@standpipe/plumbing/testing';
import { events, loggregator } from '@standpipe/protos';
import test from 'ava';
import fc from 'fast-check';
import { Dropsonde } from './dropsonde.ts';
import { type MetronMetrics, metronMetrics } from './metrics.ts';

type Envelope = loggregator.v2.Envelope;

const { EventType } = events.Envelope;
const VALUE = { eventType: EventType.ValueMetric, valueMetric: { name: 'n', value: 1, unit: 'u' } };

test('fills in what an envelope lacks, and leaves what it has, be it empty', (t) => {
  const it = door();
  it.send({ ...VALUE, origin: 'o' });
  it.send({ ...VALUE, origin: 'o', deployment: '', job: 'mine', tags: { source_id: 's' } });
  const [lacking, having] = it.envelopes;
  t.like(lacking?.tags, { deployment: 'cf', job: 'router', index: '7', ip: '10.0.0.1' });
  t.is(lacking?.source_id, 'o');
  t.like(having?.tags, { deployment: '', job: 'mine', index: '7', ip: '10.0.0.1' });
  t.is(having?.source_id, 's');
});

test('gives the origin for an empty source id too', (t) => {
  const it = door();
  it.send({ ...VALUE, origin: 'o', tags: { source_id: '' } });
  t.is(it.envelopes[0]?.source_id, 'o');
});

test('makes a v2 envelope of each type', (t) => {
  const it = door();
  const uuid = { low: 1, high: 2 };
  const http = {
    startTimestamp: 1,
    stopTimestamp: 2,
    requestId: uuid,
    peerType: 1,
    method: 1,
    uri: '/',
    remoteAddress: 'a',
    userAgent: 'b',
    statusCode: 200,
    contentLength: 3,
  };
  const log = { message: Buffer.from('hi'), message_type: 1, timestamp: 1, app_id: 'app' };
  const container = { applicationId: 'app', instanceIndex: 1, cpuPercentage: 1 };
  for (const init of [
    { eventType: EventType.HttpStartStop, httpStartStop: http },
    { eventType: EventType.LogMessage, logMessage: log },
    VALUE,
    { eventType: EventType.CounterEvent, counterEvent: { name: 'c', delta: 5 } },
    { eventType: EventType.Error, error: { source: 's', code: 1, message: 'm' } },
    {
      eventType: EventType.ContainerMetric,
      containerMetric: { ...container, memoryBytes: 1, diskBytes: 2 },
    },
  ]) {
    it.send({ ...init, origin: 'o' });
  }
  const kinds = it.envelopes.map(
    ({ timer, log, gauge, counter }) =>
      (timer && 'timer') ?? (log && 'log') ?? (gauge && 'gauge') ?? (counter && 'counter'),
  );
  t.deepEqual(kinds, ['timer', 'log', 'gauge', 'counter', 'log', 'gauge']);
  t.is(it.metrics.malformedV1.value, 0);
});

test('refuses an envelope whose body is not of its type, and counts it', (t) => {
  const it = door();
  it.send({ ...VALUE, eventType: EventType.CounterEvent, origin: 'o' });
  it.take(Buffer.alloc(0));
  t.is(it.envelopes.length, 0);
  t.is(it.metrics.ingressV1.value, 2);
  t.is(it.metrics.malformedV1.value, 2);
});

test('throws at nothing, and counts every datagram in and out', (t) => {
  const it = door();
  const whole = Buffer.from(events.Envelope.encode({ ...VALUE, origin: 'o' }).finish());
  const datagram = fc.oneof(
    fc.uint8Array({ maxLength: 100 }),
    fc.tuple(fc.nat(whole.length - 1), fc.nat(255)).map(([at, byte]) => {
      const changed = Buffer.from(whole);
      changed[at] = byte;
      return changed;
    }),
    fc.nat(whole.length).map((length) => whole.subarray(0, length)),
  );
  fc.assert(
    fc.property(datagram, (bytes) => {
      it.take(Buffer.from(bytes));
      const { ingressV1, malformedV1 } = it.metrics;
      return ingressV1.value === malformedV1.value + it.envelopes.length;
    }),
    { numRuns: 3000, seed: 1 },
  );
  t.true(it.envelopes.length > 50);
});

interface Door {
  readonly envelopes: Envelope[];
  readonly metrics: MetronMetrics;
  send(init: events.IEnvelope): void;
  take(datagram: Buffer): void;
}

function door(): Door {
  const envelopes: Envelope[] = [];
  const metrics = metronMetrics(new Metrics({ origin: 'metron' }), {
    connected: () => 0,
    waiting: () => 0,
  });
  const dropsonde = new Dropsonde({
    defaults: { deployment: 'cf', job: 'router', index: '7', ip: '10.0.0.1' },
    process(batch) {
      const { batch: decoded } = loggregator.v2.EnvelopeBatch.decode(batch.bytes);
      envelopes.push(...(decoded as Envelope[])); // Decoded, so complete.
    },
    metrics,
    log: spyLog(),
  });
  return {
    envelopes,
    metrics,
    send: (init) => dropsonde.take(Buffer.from(events.Envelope.encode(init).finish())),
    take: (datagram) => dropsonde.take(datagram),
  };
}
