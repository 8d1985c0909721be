/** Self metrics as they reach an agent, against bytes written by the field numbers of loggregator-api. */

import { Metrics, readTls } from '@standpipe/plumbing';
import { eventually, spyLog, testTls } from '@standpipe/plumbing/testing';
import { double, field, fieldsInOrder, number } from '@standpipe/protos/testing';
import test, { type ExecutionContext } from 'ava';
import { emitMetrics } from './metric-emitter.ts';
import { startAgent } from './testing.ts';

/** Text in a map of `deprecated_tags`. */
const deprecated = (key: string, text: string): Buffer =>
  field(3, field(1, key), field(2, field(1, text)));

const TAGS = [deprecated('origin', 'loggregator.doppler'), deprecated('metric_version', '2.0')];
const SOURCE = field(2, 'doppler');

test('the agent is sent a counter with its gain alone, all tags deprecated, and nothing else', async (t) => {
  const sent = await sentOf(t, (metrics) => {
    metrics.counter('dropped', 'Help.', { direction: 'egress' }).add(300);
  });
  const counter = field(5, field(1, 'dropped'), number(2, 300));
  t.deepEqual(sent, sorted(SOURCE, ...TAGS, deprecated('direction', 'egress'), counter));
});

test('the agent is sent a gain of zero as no delta, which is zero', async (t) => {
  const sent = await sentOf(t, (metrics) => metrics.counter('ingress', 'Help.'));
  t.deepEqual(sent, sorted(SOURCE, ...TAGS, field(5, field(1, 'ingress'))));
});

test('the agent is sent a gauge with its unit and two decimals, all tags deprecated', async (t) => {
  const sent = await sentOf(t, (metrics) => {
    metrics.gauge('subscriptions', 'Help.', { unit: 'subscriptions' }).set(2.345);
  });
  const value = field(2, field(1, 'subscriptions'), double(2, 2.35));
  const gauge = field(6, field(1, field(1, 'subscriptions'), value));
  t.deepEqual(sent, sorted(SOURCE, ...TAGS, gauge));
});

/** The fields that the agent got, but for the time. */
async function sentOf(
  t: ExecutionContext,
  declare: (metrics: Metrics) => unknown,
): Promise<readonly string[]> {
  const { metron, doppler } = await testTls('metron', 'doppler');
  await using agent = await startAgent({ tls: metron });
  const metrics = new Metrics({ origin: 'doppler' });
  declare(metrics);
  await using _emitter = emitMetrics(metrics, {
    agent: { address: agent.address, tls: readTls(doppler) },
    sourceId: 'doppler',
    origin: 'loggregator.doppler',
    intervalMs: 20,
    log: spyLog(),
  });
  const [message] = await eventually(() => agent.messages.length > 0 && agent.messages);
  const [time, ...others] = fieldsInOrder(message ?? Buffer.alloc(0));
  t.regex(time ?? '', /^08/, 'the time is there');
  return others;
}

function sorted(...fields: readonly Buffer[]): readonly string[] {
  return fieldsInOrder(Buffer.concat(fields));
}
