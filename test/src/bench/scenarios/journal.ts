/**
 * A Doppler whose cache keeps a journal, beside one that keeps none. The cache is small, so that its
 * snapshots are counted in; what is measured begins when files are written over, as in the long run.
 */

import { join } from 'node:path';
import { warmUp } from '../flow.ts';
import { throughDoppler } from '../flows.ts';
import { beside, type Scenario } from '../scenario.ts';

const RATE = { lean: 60_000, cf: 30_000 };
const SMALL_CACHE = { MEMORY_LIMIT_BYTES: String(64 * 2 ** 20) };
/** Of three seconds each; a snapshot is taken every five at most. */
const WARM_UPS = 4;

export const journal: Scenario = {
  name: 'journal',
  about: 'a Doppler with a journal, beside one without',
  async play(options) {
    const { stage, shape, rateFactor } = options;
    const one = await throughDoppler(stage, shape, { settings: SMALL_CACHE });
    const keeping = { LOG_CACHE_DATA_DIR: join(stage.folder, 'data'), LOG_CACHE_JOURNAL: 'true' };
    const flow = await throughDoppler(stage, shape, { settings: { ...SMALL_CACHE, ...keeping } });
    for (let round = 0; round < WARM_UPS; round += 1) await warmUp(flow, RATE[shape] * rateFactor);
    return [await beside(options, flow, one, { perSecond: RATE[shape] })];
  },
};
