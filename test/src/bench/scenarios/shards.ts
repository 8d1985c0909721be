/**
 * Two and four Dopplers that share the sources, beside one: each with as much to do as the one, as
 * when a deployment grows, and all together with as much, as when it is cut up.
 */

import { type Flow, inTurns, type Usage } from '../flow.ts';
import { throughDoppler } from '../flows.ts';
import { type Figures, figuresOf, type Scenario } from '../scenario.ts';
import type { Shape } from '../worker.ts';

/** Of each Doppler, and of all. */
const OWN_RATE = { lean: 30_000, cf: 15_000 };
const SHARED_RATE = { lean: 60_000, cf: 30_000 };
const COUNTS = [1, 2, 4];

export const shards: Scenario = {
  name: 'shards',
  about: 'two and four Dopplers, beside one',
  shapes: ['lean'],
  async play({ stage, shape, seconds, rateFactor }) {
    const flows: Flow[] = [];
    for (const dopplers of COUNTS) flows.push(await throughDoppler(stage, shape, { dopplers }));
    const growing = flows.map((flow, index) => ({ ...flow, times: COUNTS[index] ?? 1 }));
    const own = OWN_RATE[shape] * rateFactor;
    const grown = await inTurns(growing, { perSecond: own, seconds });
    const warm = flows.map((flow) => ({ ...flow, warmUpSeconds: 0 }));
    const shared = SHARED_RATE[shape] * rateFactor;
    const cut = await inTurns(warm, { perSecond: shared, seconds });
    return [
      ...rowsOf(grown, "each with one's load", { shape, askedOf: (count) => own * count }),
      ...rowsOf(cut, "all with one's load", { shape, askedOf: () => shared }),
    ];
  },
};

function rowsOf(
  [one, ...more]: readonly Usage[],
  what: string,
  { shape, askedOf }: { readonly shape: Shape; readonly askedOf: (count: number) => number },
): Figures[] {
  return more.map((usage, index) => {
    const count = COUNTS[index + 1] ?? 1;
    const detail = `${count} Dopplers, ${what}`;
    const askedBeside = askedOf(1);
    return figuresOf({ shape, detail, asked: askedOf(count), askedBeside, usage, other: one });
  });
}
