import type { loggregator } from '@standpipe/protos';
import { randomEnvelopes } from '@standpipe/protos/testing';
import test from 'ava';
import { FrameBuffer } from './framing.ts';
import { UNSENDABLE } from './rfc5424.ts';
import { readMessages, type SyslogMessage, writeEnvelope } from './testing.ts';

type EnvelopeInit = loggregator.v2.IEnvelope;

// What is written must read back: an RFC 5424 parser that knows nothing of the writer (testing.ts)
// finds in it what the envelope said. A failure names the seed, and the seed repeats the run.
for (const seed of [1, 2, 3, 5, 8, 13]) {
  test(`writes what a parser reads back, seed ${seed}`, (t) => {
    const frames = new FrameBuffer();
    for (const envelope of randomEnvelopes(seed, 300)) {
      const count = writeEnvelope(frames, envelope, 'bound.host');
      const messages = readMessages(frames.take());
      if (count === UNSENDABLE) {
        t.true(isBad(envelope), `refused ${JSON.stringify(envelope)}`);
        t.is(messages.length, 0);
        continue;
      }
      t.is(messages.length, count);
      t.deepEqual(messages, expectedOf(envelope));
    }
  });
}

function isBad(envelope: EnvelopeInit): boolean {
  const visible = /^[!-~]*$/;
  const source = Buffer.from(envelope.source_id ?? '')
    .subarray(0, 48)
    .toString('latin1');
  return (
    !visible.test(source) || Object.keys(envelope.tags ?? {}).some((key) => !visible.test(key))
  );
}

/** What an envelope's messages must say, told by its fields. */
function expectedOf(envelope: EnvelopeInit): SyslogMessage[] {
  const { tags, counter, gauge, timer, event } = envelope;
  const app = (envelope.source_id ?? '').slice(0, 48) || '-';
  const tagged = tags && Object.keys(tags).length > 0 ? { 'tags@47450': tags } : {};
  const metric = (data: SyslogMessage['data']): SyslogMessage => ({
    priority: '14',
    app,
    data: { ...data, ...tagged },
    text: ' \n',
  });
  if (envelope.log) {
    const payload = Buffer.from((envelope.log.payload ?? []).filter((byte: number) => byte !== 0));
    const text = ` ${payload.toString('latin1')}`.replace(/([^\n])$/, '$1\n');
    return [{ priority: envelope.log.type === 1 ? '11' : '14', app, data: tagged, text }];
  }
  if (counter) {
    const { name, total, delta } = counter;
    return [
      metric({
        'counter@47450': { name: name ?? '', total: `${total ?? 0}`, delta: `${delta ?? 0}` },
      }),
    ];
  }
  if (timer) {
    const { name, start, stop } = timer;
    return [
      metric({ 'timer@47450': { name: name ?? '', start: `${start ?? 0}`, stop: `${stop ?? 0}` } }),
    ];
  }
  if (event) {
    return [metric({ 'event@47450': { title: event.title ?? '', body: event.body ?? '' } })];
  }
  const metrics = Object.entries(gauge?.metrics ?? {});
  metrics.sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  return metrics.map(([name, { value, unit }]) =>
    metric({ 'gauge@47450': { name, value: goText(value ?? 0), unit: unit ?? '' } }),
  );
}

const GO_TEXT: ReadonlyMap<number, string> = new Map([
  [-1e21, '-1e+21'],
  [134217728, '1.34217728e+08'],
  [Number.POSITIVE_INFINITY, '+Inf'],
]);

function goText(value: number): string {
  return GO_TEXT.get(value) ?? String(value);
}
