/** The line that fits the samples of a window best, by least squares. */

import type { Window } from './range.ts';
import { KahanSum } from './sums.ts';

const sumX = new KahanSum();
const sumY = new KahanSum();
const sumXY = new KahanSum();
const sumXX = new KahanSum();

/** The slope in a second, and the line's value at `interceptMs`. */
export function linearRegression(
  { times, values, from, to }: Window,
  interceptMs: number,
): { readonly slope: number; readonly intercept: number } {
  const [x, y, xy, xx] = [sumX.reset(), sumY.reset(), sumXY.reset(), sumXX.reset()];
  const first = values[from] as number; // A window has at least one sample.
  let isConstant = true;
  for (let at = from; at < to; at += 1) {
    const value = values[at] as number;
    if (value !== first) isConstant = false;
    const seconds = ((times[at] as number) - interceptMs) / 1000;
    x.add(seconds);
    y.add(value);
    xy.add(seconds * value);
    xx.add(seconds * seconds);
  }
  if (isConstant) {
    if (Number.isFinite(first)) return { slope: 0, intercept: first };
    return { slope: Number.NaN, intercept: Number.NaN };
  }
  const n = to - from;
  const covariance = xy.value - (x.value * y.value) / n;
  const variance = xx.value - (x.value * x.value) / n;
  const slope = covariance / variance;
  return { slope, intercept: y.value / n - (slope * x.value) / n };
}
