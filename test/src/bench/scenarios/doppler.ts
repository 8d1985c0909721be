/**
 * One Doppler that takes in, keeps in its cache and sends all to one firehose: envelopes whose tags
 * stand in the same order each time, such as Go's encoders write, and a firehose of v1.
 */

import { inTurns } from '../flow.ts';
import { floor, throughDoppler } from '../flows.ts';
import { figuresOf, type Scenario } from '../scenario.ts';

const RATE = { lean: 100_000, cf: 50_000 };
/** By the details of the figures. */
const CHOICES = {
  '': {},
  'tags in any order': { loads: { isShuffled: true } },
  'a firehose of v1': { reads: { firehoses: 1, protocol: 'v1' } },
} as const;

export const doppler: Scenario = {
  name: 'doppler',
  about: 'a Doppler: ingest, cache, one firehose',
  async play({ stage, shape, seconds, rateFactor }) {
    const asked = RATE[shape] * rateFactor;
    const flows = [];
    for (const choice of Object.values(CHOICES)) {
      flows.push(await throughDoppler(stage, shape, choice));
    }
    const least = await floor(stage, { shape });
    const [other, ...usages] = await inTurns([least, ...flows], { perSecond: asked, seconds });
    const details = Object.keys(CHOICES);
    return usages.map((usage, index) => {
      const detail = details[index] ?? '';
      return figuresOf({ shape, detail, asked, usage, other });
    });
  },
};
