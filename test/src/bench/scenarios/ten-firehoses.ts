/** One Doppler with ten firehoses beside one with one: what each further one costs. */

import { throughDoppler } from '../flows.ts';
import { beside, type Scenario } from '../scenario.ts';

const RATE = { lean: 30_000, cf: 15_000 };
const FIREHOSES = 10;

export const tenFirehoses: Scenario = {
  name: 'ten-firehoses',
  about: 'ten firehoses, beside one',
  shapes: ['lean'],
  async play(options) {
    const { stage, shape } = options;
    const reads = { firehoses: FIREHOSES };
    const flow = await throughDoppler(stage, shape, { reads, copies: FIREHOSES });
    const one = await throughDoppler(stage, shape);
    const figures = await beside(options, flow, one, { perSecond: RATE[shape] });
    const more = figures.usage.cpuMicros - (figures.other?.cpuMicros ?? 0);
    return [{ ...figures, further: { 'µs for each further one': more / (FIREHOSES - 1) } }];
  },
};
