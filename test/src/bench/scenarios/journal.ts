/**
 * A Doppler whose cache keeps a journal, beside one that keeps none. Both caches are so small that
 * snapshots are counted in, and that what is measured begins when files are written over, as in the
 * long run: until then the kernel has to find new pages for all that is written. What is to be told
 * is less than what the machine does beside it, hence many turns.
 */

import { join } from 'node:path';
import { warmUp } from '../flow.ts';
import { throughDoppler } from '../flows.ts';
import { beside, type Scenario } from '../scenario.ts';

const RATE = { lean: 60_000, cf: 30_000 };
const TURNS = 8;
const SECONDS_AT_LEAST = 12;
const FILES_WRITTEN_OVER_SECONDS = 15;
const CACHE = { MEMORY_LIMIT_BYTES: String(16 * 2 ** 20) };

export const journal: Scenario = {
  name: 'journal',
  about: 'a Doppler with a journal, beside one without',
  shapes: ['lean'],
  async play(options) {
    const { stage, shape, rateFactor } = options;
    const seconds = Math.max(SECONDS_AT_LEAST, options.seconds);
    const one = await throughDoppler(stage, shape, { settings: CACHE });
    const keeping = {
      ...CACHE,
      LOG_CACHE_DATA_DIR: join(stage.folder, 'data'),
      LOG_CACHE_JOURNAL: 'true',
    };
    const flow = await throughDoppler(stage, shape, { settings: keeping });
    await warmUp(flow, RATE[shape] * rateFactor, FILES_WRITTEN_OVER_SECONDS);
    return [
      await beside({ ...options, seconds }, flow, one, { perSecond: RATE[shape], turns: TURNS }),
    ];
  },
};
