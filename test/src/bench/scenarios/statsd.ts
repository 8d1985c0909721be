/** Statsd lines, twenty in a datagram, on their way to a Doppler; what they cost the injector. */

import { fromStatsd, only } from '../pipelines.ts';
import { besideFloor, type Scenario } from '../scenario.ts';

const RATE = 40_000;

export const statsd: Scenario = {
  name: 'statsd',
  about: 'statsd injector: twenty lines a datagram, to a Doppler',
  shapes: ['lean'],
  async play(options) {
    const flow = only(await fromStatsd(options.stage), 'statsd-injector');
    return [await besideFloor(options, flow, { perSecond: RATE })];
  },
};
