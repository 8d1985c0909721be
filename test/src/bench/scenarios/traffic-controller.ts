/** The traffic controller between a Doppler and a nozzle's websocket. */

import { only, toWebsocket } from '../pipelines.ts';
import { besideFloor, type Scenario } from '../scenario.ts';

const RATE = { lean: 50_000, cf: 25_000 };

export const trafficController: Scenario = {
  name: 'traffic-controller',
  about: 'traffic controller: a firehose websocket (v1)',
  shapes: ['lean'],
  async play(options) {
    const whole = await toWebsocket(options.stage, options.shape, { from: 'doppler' });
    const flow = only(whole, 'traffic-controller');
    return [await besideFloor(options, flow, { perSecond: RATE[options.shape] })];
  },
};
