/** What a message costs a Doppler beside its envelopes: the same load in messages of 1, 10 and 100. */

import { floor, load, throughDoppler } from '../flows.ts';
import { beside, type Figures, type Scenario } from '../scenario.ts';

/** Envelopes in a message, and a rate that one core can take of them. */
const SIZES = [
  { perMessage: 1, perSecond: 10_000 },
  { perMessage: 10, perSecond: 50_000 },
  { perMessage: 100, perSecond: 100_000 },
];

/** For a floor; and for one that has been warm with messages of another size. */
const WARM_SECONDS = 4;
const WARM_ANEW_SECONDS = 2;

export const messageSize: Scenario = {
  name: 'message-size',
  about: 'the same, in messages of few envelopes',
  shapes: ['lean'],
  async play(options) {
    const { stage, shape } = options;
    const figures: Figures[] = [];
    const least = await floor(stage, { shape });
    for (const { perMessage, perSecond } of SIZES) {
      const flow = await throughDoppler(stage, shape, { loads: { perMessage } });
      // The same process each time: with each size it is warmer.
      const warmUpSeconds = figures.length === 0 ? WARM_SECONDS : WARM_ANEW_SECONDS;
      const feed = await load(stage, least.peers, { shape, perMessage });
      const other = { ...least, feed, warmUpSeconds };
      const detail = `messages of ${perMessage}`;
      figures.push(await beside(options, flow, other, { perSecond, detail }));
    }
    return figures;
  },
};
