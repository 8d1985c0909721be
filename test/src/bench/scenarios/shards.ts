/** The same load over one, two and four Dopplers, each of which gets what it owns. */

import { inTurns } from '../flow.ts';
import { throughDoppler } from '../flows.ts';
import { figuresOf, type Scenario } from '../scenario.ts';

const RATE = { lean: 60_000, cf: 30_000 };
const COUNTS = [1, 2, 4];

export const shards: Scenario = {
  name: 'shards',
  about: 'two and four Dopplers, beside one',
  shapes: ['lean'],
  async play({ stage, shape, seconds, rateFactor }) {
    const asked = RATE[shape] * rateFactor;
    const flows = [];
    for (const dopplers of COUNTS) flows.push(await throughDoppler(stage, shape, { dopplers }));
    const usages = await inTurns(flows, { perSecond: asked, seconds });
    const [one, ...more] = usages;
    return more.map((usage, index) => {
      const detail = `${COUNTS[index + 1]} Dopplers`;
      return figuresOf({ shape, detail, asked, usage, other: one });
    });
  },
};
