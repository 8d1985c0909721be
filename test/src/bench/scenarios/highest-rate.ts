/**
 * The highest rate at which one Doppler with its cache loses nothing to one firehose, found by
 * steps of a third and then halves, and the floor at the same rate.
 *
 * The load and the reader have their own share of the machine: on few cores it is theirs that ends.
 */

import { measure, type Usage, warmUp } from '../flow.ts';
import { floor, throughDoppler } from '../flows.ts';
import { figuresOf, type Scenario } from '../scenario.ts';

const FIRST = { lean: 100_000, cf: 50_000 };
const STEP = 1.33;
const HALVINGS = 2;
const STEPS_MAX = 10;
/** A load that is held up this much does not bring what it was asked for. */
const SENT_AT_LEAST = 0.97;

export const highestRate: Scenario = {
  name: 'highest-rate',
  about: 'the highest rate that loses none: a Doppler, one firehose',
  async play({ stage, shape, seconds, rateFactor }) {
    const flow = await throughDoppler(stage, shape);
    const least = await floor(stage, { shape });
    const first = FIRST[shape] * rateFactor;
    await warmUp(flow, first / 2);
    await warmUp(least, first / 2);

    const tried = async (perSecond: number): Promise<Usage | undefined> => {
      const usage = await measure(flow, { perSecond, seconds });
      const isSent = usage.sent >= perSecond * seconds * SENT_AT_LEAST;
      return usage.lost === 0 && isSent ? usage : undefined;
    };
    const best = await highest(first, tried);
    if (!best) throw new Error(`even ${first} a second were not carried without a loss`);
    const { rate: asked, usage } = best;
    const { cpuMicros: floorMicros } = await measure(least, { perSecond: asked, seconds });
    return [figuresOf({ shape, detail: '', asked, usage, floorMicros })];
  },
};

interface Best {
  readonly rate: number;
  readonly usage: Usage;
}

/** The highest rate that `tried` has a usage for, as far as it is looked for. */
async function highest(
  first: number,
  tried: (rate: number) => Promise<Usage | undefined>,
): Promise<Best | undefined> {
  let best: Best | undefined;
  let tooMuch = first;
  for (let step = 0; step < STEPS_MAX; step += 1) {
    // What fails at first is tried lower; once something went well, higher.
    const rate = best ? best.rate * STEP : first / STEP ** step;
    const usage = await tried(rate);
    if (usage) best = { rate, usage };
    else tooMuch = rate;
    if (best && !usage) break;
    if (best && tooMuch < first) break;
  }
  for (let halving = 0; best && tooMuch > best.rate && halving < HALVINGS; halving += 1) {
    const rate: number = (best.rate + tooMuch) / 2;
    const usage = await tried(rate);
    if (usage) best = { rate, usage };
    else tooMuch = rate;
  }
  return best;
}
