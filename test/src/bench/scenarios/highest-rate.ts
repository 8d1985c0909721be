/**
 * The highest rate at which one Doppler with its cache loses nothing to one firehose. What is found
 * is confirmed in turns with the floor, and lowered until it holds there as well.
 *
 * The load and the reader have their own share of the machine: on few cores it is theirs that ends.
 * How much of a core each of the three took tells whose; what has nearly one is the limit.
 */

import { inTurns, measure, type Usage, warmUp } from '../flow.ts';
import { floor, throughDoppler } from '../flows.ts';
import { cpuSeconds } from '../proc.ts';
import { figuresOf, isSent, type Scenario } from '../scenario.ts';
import { highestRateThat } from '../search-rate.ts';

const FIRST = { lean: 200_000, cf: 100_000 };
const LOWERED = 0.93;
const CONFIRMATIONS_MAX = 4;

export const highestRate: Scenario = {
  name: 'highest-rate',
  about: 'the highest rate that loses none: a Doppler, one firehose',
  async play({ stage, shape, seconds, rateFactor }) {
    const flow = await throughDoppler(stage, shape);
    const least = await floor(stage, { shape });
    const first = FIRST[shape] * rateFactor;
    await warmUp(flow, first / 2);
    await warmUp(least, first / 2);
    const warm = [flow, least].map((one) => ({ ...one, warmUpSeconds: 0 }));
    const ends = { load: flow.feed.pid, reader: flow.outlet.pid };
    const works = async (perSecond: number): Promise<boolean> =>
      isWhole(await measure(flow, { perSecond, seconds }), perSecond);

    let asked = await highestRateThat(works, first);
    for (let tries = 0; asked !== undefined && tries < CONFIRMATIONS_MAX; tries += 1) {
      const before = await usedBy(ends);
      const [usage, other] = await inTurns(warm, { perSecond: asked, seconds });
      const after = await usedBy(ends);
      if (!usage || !other) throw new Error('two flows give two usages');
      if (isWhole(usage, asked)) {
        const further = {
          'of a core: Doppler': (usage.cpuMicros * usage.received) / usage.seconds / 1e6,
          load: (after.load - before.load) / usage.seconds,
          reader: (after.reader - before.reader) / usage.seconds,
        };
        return [figuresOf({ shape, detail: '', asked, usage, other, further })];
      }
      asked *= LOWERED;
    }
    throw new Error(`no rate was found that is carried without a loss, from ${first} a second`);
  },
};

function isWhole(usage: Usage, perSecond: number): boolean {
  return usage.lost === 0 && isSent(usage, perSecond);
}

async function usedBy(ends: Ends): Promise<{ readonly load: number; readonly reader: number }> {
  return { load: await cpuSeconds(ends.load), reader: await cpuSeconds(ends.reader) };
}

interface Ends {
  readonly load: number | undefined;
  readonly reader: number | undefined;
}
