/** One Doppler that takes in, keeps in its cache and sends all to one firehose. */

import { throughDoppler } from '../flows.ts';
import { besideFloor, type Scenario } from '../scenario.ts';

const RATE = { lean: 100_000, cf: 50_000 };

export const doppler: Scenario = {
  name: 'doppler',
  about: 'a Doppler: ingest, cache, one firehose',
  async play(options) {
    const flow = await throughDoppler(options.stage, options.shape);
    return [await besideFloor(options, flow, { perSecond: RATE[options.shape] })];
  },
};
