/** All of the way: an agent, a Doppler with its cache, the traffic controller, a websocket. */

import { fillCaches } from '../fill.ts';
import { load, measured } from '../flows.ts';
import { besideFloor, type Scenario } from '../scenario.ts';
import { peerOf } from '../stage.ts';

const RATE = { lean: 60_000, cf: 30_000 };
const NAMES = ['metron az1', 'doppler az1/0', 'traffic-controller'];

export const chain: Scenario = {
  name: 'chain',
  about: 'the chain: metron, Doppler with cache, controller, websocket',
  async play(options) {
    const { stage, shape } = options;
    const started = await stage.start({ names: NAMES });
    // Before the websocket is there: a slow one is hung up.
    await fillCaches(stage, [started('doppler az1/0')], shape);
    const address = started('traffic-controller').address('ws');
    const flow = {
      outlet: await stage.worker('websocket', { address, path: '/firehose/bench' }),
      feed: await load(stage, [peerOf(started('metron az1'), 'metron')], { shape }),
      processes: measured(NAMES.map(started)),
    };
    return [await besideFloor(options, flow, { perSecond: RATE[shape] })];
  },
};
