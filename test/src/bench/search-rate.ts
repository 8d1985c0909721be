/** Looks for the highest rate at which something still works: by steps of a third, then halves. */

const STEP = 1.33;
const STEPS_MAX = 10;
const HALVINGS = 2;

/** The highest rate that `works`, as far as it is looked for; undefined, if none of them does. */
export async function highestRateThat(
  works: (rate: number) => Promise<boolean>,
  first: number,
): Promise<number | undefined> {
  let best: number | undefined;
  let tooMuch = Number.POSITIVE_INFINITY;
  for (let step = 0; step < STEPS_MAX; step += 1) {
    // What fails at first is tried lower, and what went well higher, until one of each is found.
    const rate: number = best === undefined ? first / STEP ** step : best * STEP;
    if (await works(rate)) best = rate;
    else tooMuch = rate;
    if (best !== undefined && Number.isFinite(tooMuch)) break;
  }
  if (best === undefined || !Number.isFinite(tooMuch)) return best;
  for (let halving = 0; halving < HALVINGS; halving += 1) {
    const rate: number = (best + tooMuch) / 2;
    if (await works(rate)) best = rate;
    else tooMuch = rate;
  }
  return best;
}
