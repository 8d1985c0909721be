/** Statsd lines, twenty in a datagram, on their way to a Doppler; what they cost the injector. */

import { measured, reader } from '../flows.ts';
import { besideFloor, type Scenario } from '../scenario.ts';
import { peerOf } from '../stage.ts';

const RATE = 40_000;
const PER_DATAGRAM = 20;
const NAMES = ['doppler az1/0', 'metron az1', 'statsd-injector'];

export const statsd: Scenario = {
  name: 'statsd',
  about: 'statsd injector: twenty lines a datagram, to a Doppler',
  shapes: ['lean'],
  async play(options) {
    const { stage } = options;
    const started = await stage.start({ names: NAMES });
    const [, port] = started('statsd-injector').address('udp').split(':');
    const flow = {
      outlet: await reader(stage, [peerOf(started('doppler az1/0'), 'doppler')]),
      feed: await stage.worker('statsd', { port: Number(port), perDatagram: PER_DATAGRAM }),
      processes: measured([started('statsd-injector')]),
    };
    return [await besideFloor(options, flow, { perSecond: RATE })];
  },
};
