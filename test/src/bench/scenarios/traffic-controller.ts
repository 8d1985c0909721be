/** The traffic controller between a Doppler and a nozzle's websocket. */

import { fillCaches } from '../fill.ts';
import { load, measured } from '../flows.ts';
import { besideFloor, type Scenario } from '../scenario.ts';
import { peerOf } from '../stage.ts';

const RATE = { lean: 50_000, cf: 25_000 };
const NAMES = ['doppler az1/0', 'traffic-controller'];

export const trafficController: Scenario = {
  name: 'traffic-controller',
  about: 'traffic controller: a firehose websocket (v1)',
  async play(options) {
    const { stage, shape } = options;
    const started = await stage.start({ names: NAMES });
    // Before the websocket is there: a slow one is hung up.
    await fillCaches(stage, [started('doppler az1/0')], shape);
    const controller = started('traffic-controller');
    const address = controller.address('ws');
    const flow = {
      outlet: await stage.worker('websocket', { address, path: '/firehose/bench' }),
      feed: await load(stage, [peerOf(started('doppler az1/0'), 'doppler')], { shape }),
      processes: measured([controller]),
    };
    return [await besideFloor(options, flow, { perSecond: RATE[shape] })];
  },
};
