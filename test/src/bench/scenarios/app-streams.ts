/**
 * A thousand app streams over a thousand sources, beside one firehose of the same load.
 *
 * The load is the worst there is for them: in a message of a hundred, no two envelopes are for the
 * same stream. All streams are on one connection, as the traffic controller's are.
 */

import { throughDoppler } from '../flows.ts';
import { beside, type Scenario } from '../scenario.ts';

const RATE = { lean: 30_000, cf: 15_000 };
const SOURCES = 1000;

export const appStreams: Scenario = {
  name: 'app-streams',
  about: 'a thousand app streams, beside one firehose',
  shapes: ['lean'],
  async play(options) {
    const { stage, shape } = options;
    const loads = { sources: SOURCES };
    const flow = await throughDoppler(stage, shape, { loads, reads: { appStreams: SOURCES } });
    const firehose = await throughDoppler(stage, shape, { loads });
    return [await beside(options, flow, firehose, { perSecond: RATE[shape] })];
  },
};
