/** An agent between its programs and a Doppler. */

import { load, measured } from '../flows.ts';
import { besideFloor, type Scenario } from '../scenario.ts';
import { peerOf } from '../stage.ts';

const RATE = { lean: 60_000, cf: 30_000 };

export const metron: Scenario = {
  name: 'metron',
  about: 'metron: in, tags, out to a Doppler',
  async play(options) {
    const { stage, shape } = options;
    const sink = await stage.worker('sink', { tls: stage.tls('doppler') });
    const dopplerAddress = sink.ready.address ?? '';
    const started = await stage.start({ names: ['metron az1'], dopplerAddress });
    const agent = started('metron az1');
    const flow = {
      outlet: sink,
      feed: await load(stage, [peerOf(agent, 'metron')], { shape }),
      processes: measured([agent]),
    };
    return [await besideFloor(options, flow, { perSecond: RATE[shape] })];
  },
};
