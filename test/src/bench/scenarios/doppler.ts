/**
 * One Doppler that takes in, keeps in its cache and sends all to one firehose: envelopes whose tags
 * stand in the same order each time, and such as Go's encoders write.
 */

import { throughDoppler } from '../flows.ts';
import { besideFloor, type Scenario } from '../scenario.ts';

const RATE = { lean: 100_000, cf: 50_000 };

export const doppler: Scenario = {
  name: 'doppler',
  about: 'a Doppler: ingest, cache, one firehose',
  async play(options) {
    const { stage, shape } = options;
    const course = { perSecond: RATE[shape] };
    const flow = await throughDoppler(stage, shape);
    const shuffled = await throughDoppler(stage, shape, { loads: { isShuffled: true } });
    return [
      await besideFloor(options, flow, course),
      await besideFloor(options, shuffled, { ...course, detail: 'tags in any order' }),
    ];
  },
};
