/**
 * A Doppler whose cache keeps a journal, beside one that keeps none. Both caches are so small that
 * snapshots are counted in, and that what is measured begins when files are written over, as in the
 * long run: until then the kernel has to find new pages for all that is written.
 */

import { join } from 'node:path';
import { warmUp } from '../flow.ts';
import { throughDoppler } from '../flows.ts';
import { beside, type Scenario } from '../scenario.ts';

const RATE = { lean: 60_000, cf: 30_000 };
const CACHE = { MEMORY_LIMIT_BYTES: String(16 * 2 ** 20) };

export const journal: Scenario = {
  name: 'journal',
  about: 'a Doppler with a journal, beside one without',
  shapes: ['lean'],
  async play(options) {
    const { stage, shape, rateFactor } = options;
    const one = await throughDoppler(stage, shape, { settings: CACHE });
    const keeping = {
      ...CACHE,
      LOG_CACHE_DATA_DIR: join(stage.folder, 'data'),
      LOG_CACHE_JOURNAL: 'true',
    };
    const flow = await throughDoppler(stage, shape, { settings: keeping });
    // A snapshot is taken every five seconds at most; before it is measured it warms up once more.
    await warmUp(flow, RATE[shape] * rateFactor);
    return [await beside(options, flow, one, { perSecond: RATE[shape] })];
  },
};
