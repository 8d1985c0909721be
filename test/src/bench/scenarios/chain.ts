/** All of the way: an agent, a Doppler with its cache, the traffic controller, a websocket. */

import { toWebsocket } from '../pipelines.ts';
import { besideFloor, type Scenario } from '../scenario.ts';

const RATE = { lean: 60_000, cf: 30_000 };

export const chain: Scenario = {
  name: 'chain',
  about: 'the chain: metron, Doppler with cache, controller, websocket',
  async play(options) {
    const flow = await toWebsocket(options.stage, options.shape, { from: 'metron' });
    return [await besideFloor(options, flow, { perSecond: RATE[options.shape] })];
  },
};
