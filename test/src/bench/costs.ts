/** What docs/scaling.md computes with, from the rows of the suite. */

import type { Costs } from '../scaling/scaling.ts';
import type { Row } from './row.ts';

/** The costs; undefined, if not all of the scenarios that they come from were played. */
export function costsOf(rows: readonly Row[]): Costs | undefined {
  const lean = (scenario: string, detail = ''): Row | undefined =>
    rows.find((row) => row.shape === 'lean' && row.scenario === scenario && row.detail === detail);
  const single = lean('message-size', 'messages of 1');
  const hundred = lean('message-size', 'messages of 100');
  const [agent, controller] = [lean('metron'), lean('traffic-controller')];
  const [v2, v1] = [lean('doppler'), lean('doppler', 'a firehose of v1')];
  const further = lean('ten-firehoses')?.further['µs for each further one'];
  if (!single || !hundred || !agent || !controller || !v1 || !v2) return undefined;
  if (further === undefined) return undefined;

  const doppler = split(single.cpuMicros, hundred.cpuMicros);
  // A bare process receives a message and sends it; about half is for the sending.
  const floor = split(single.beside?.cpuMicros ?? 0, hundred.beside?.cpuMicros ?? 0);
  const agentMessage = floor.message / 2;
  return {
    agentEnvelope: agent.cpuMicros - agentMessage / 100,
    agentMessage,
    dopplerEnvelope: doppler.envelope,
    dopplerMessage: doppler.message,
    v1Envelope: Math.max(0, v1.cpuMicros - v2.cpuMicros),
    firehoseEnvelope: Math.max(0, further),
    controllerEnvelope: controller.cpuMicros,
  };
}

/** What a message costs and what an envelope does, from messages of one and of a hundred. */
function split(single: number, hundred: number): { message: number; envelope: number } {
  const message = Math.max(0, (single - hundred) / 0.99);
  return { message, envelope: hundred - message / 100 };
}
