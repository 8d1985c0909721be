import test from 'ava';
import { costsOf } from './costs.ts';
import type { Row } from './row.ts';

function row(scenario: string, detail: string, figures: Partial<Row>): Row {
  const counts = { askedPerSecond: 1, inPerSecond: 1, outPerSecond: 1, lost: 0 };
  const none = { cpuMicros: 0 };
  return {
    ...{ ...counts, ...none, processes: [], further: {} },
    ...{ scenario, shape: 'lean', detail, ...figures },
  };
}

test('a message and an envelope are told apart by messages of one and of a hundred', (t) => {
  const rows = [
    row('message-size', 'messages of 1', {
      cpuMicros: 22,
      beside: { cpuMicros: 11, inPerSecond: 1, lost: 0 },
    }),
    row('message-size', 'messages of 100', {
      cpuMicros: 2.2,
      beside: { cpuMicros: 1.1, inPerSecond: 1, lost: 0 },
    }),
    row('doppler', '', { cpuMicros: 2.5 }),
    row('doppler', 'a firehose of v1', { cpuMicros: 3.25 }),
    row('ten-firehoses', '', { further: { 'µs for each further one': 0.25 } }),
    row('metron', '', { cpuMicros: 1.55 }),
    row('traffic-controller', '', { cpuMicros: 1.25 }),
  ];
  const costs = costsOf(rows);
  const expected = {
    agentEnvelope: 1.5,
    agentMessage: 5,
    dopplerEnvelope: 2,
    dopplerMessage: 20,
    v1Envelope: 0.75,
    firehoseEnvelope: 0.25,
    controllerEnvelope: 1.25,
  };
  for (const [name, value] of Object.entries(expected)) {
    const found = costs?.[name as keyof typeof expected] ?? Number.NaN;
    t.true(Math.abs(found - value) < 1e-9, `${name} is ${found}`);
  }
  t.is(costsOf(rows.slice(1)), undefined);
});
