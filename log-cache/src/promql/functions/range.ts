/**
 * Functions of a range: what the samples of one series in one window come to.
 *
 * Hot: called for each step of each series. A window is reused, and shows a part of the series'
 * columns; indexes are within it, so its numbers are read `as number`.
 */

import { fixedNumber } from '../../quote.ts';
import { failed } from '../errors.ts';
import { linearRegression } from './regression.ts';
import { KahanSum, quantile } from './sums.ts';

/** The samples from index `from` up to `to`, without it: there is at least one. */
export interface Window {
  readonly times: Float64Array;
  readonly values: Float64Array;
  readonly from: number;
  readonly to: number;
  readonly startMs: number;
  readonly endMs: number;
  /** The time of the query's step, which `offset` and `@` don't move. */
  readonly evalMs: number;
  /** What other arguments are at this step. */
  readonly params: readonly number[];
}

/** Undefined: the series has no value at this step. */
export type RangeFunction = (window: Window) => number | undefined;

export const RANGE_FUNCTIONS: Readonly<Record<string, RangeFunction>> = {
  rate: (window) => extrapolated(window, { isCounter: true, isRate: true }),
  increase: (window) => extrapolated(window, { isCounter: true, isRate: false }),
  delta: (window) => extrapolated(window, { isCounter: false, isRate: false }),
  irate: (window) => lastDifference(window, true),
  idelta: (window) => lastDifference(window, false),
  avg_over_time: average,
  sum_over_time: sum,
  min_over_time: (window) => extreme(window, (value, best) => value < best),
  max_over_time: (window) => extreme(window, (value, best) => value > best),
  count_over_time: ({ from, to }) => to - from,
  last_over_time: ({ values, to }) => values[to - 1],
  first_over_time: ({ values, from }) => values[from],
  present_over_time: () => 1,
  stddev_over_time: (window) => Math.sqrt(variance(window)),
  stdvar_over_time: variance,
  mad_over_time: medianDeviation,
  quantile_over_time: ({ values, from, to, params }) =>
    quantile(params[0] as number, values.slice(from, to)),
  changes: ({ values, from, to }) => {
    let count = 0;
    for (let at = from + 1; at < to; at += 1) {
      const previous = values[at - 1] as number;
      const value = values[at] as number;
      if (value !== previous && !(Number.isNaN(value) && Number.isNaN(previous))) count += 1;
    }
    return count;
  },
  resets: ({ values, from, to }) => {
    let count = 0;
    for (let at = from + 1; at < to; at += 1) {
      if ((values[at] as number) < (values[at - 1] as number)) count += 1;
    }
    return count;
  },
  deriv: (window) => {
    if (window.to - window.from < 2) return undefined;
    return linearRegression(window, window.times[window.from] as number).slope;
  },
  predict_linear: (window) => {
    if (window.to - window.from < 2) return undefined;
    const { slope, intercept } = linearRegression(window, window.evalMs);
    return slope * (window.params[0] as number) + intercept;
  },
  holt_winters: smoothed,
  double_exponential_smoothing: smoothed,
};

/** How much a series grew, as far as samples tell, and a bit beyond to the window's bounds. */
function extrapolated(
  window: Window,
  { isCounter, isRate }: { readonly isCounter: boolean; readonly isRate: boolean },
): number | undefined {
  const { times, values, from, to, startMs, endMs } = window;
  if (to - from < 2) return undefined;
  const first = values[from] as number;
  let growth = (values[to - 1] as number) - first;
  if (isCounter) {
    let previous = first;
    for (let at = from + 1; at < to; at += 1) {
      const value = values[at] as number;
      if (value < previous) growth += previous;
      previous = value;
    }
  }

  const firstMs = times[from] as number;
  const lastMs = times[to - 1] as number;
  if (firstMs === lastMs) return undefined; // All in one second: nothing can be said.
  let toStart = (firstMs - startMs) / 1000;
  const toEnd = (endMs - lastMs) / 1000;
  const sampled = (lastMs - firstMs) / 1000;
  const between = sampled / (to - from - 1);
  if (isCounter && growth > 0 && first >= 0) {
    // A counter begins at zero, which is no further back than this.
    toStart = Math.min(toStart, sampled * (first / growth));
  }
  const threshold = between * 1.1;
  let covered = sampled;
  covered += toStart < threshold ? toStart : between / 2;
  covered += toEnd < threshold ? toEnd : between / 2;
  let factor = covered / sampled;
  if (isRate) factor /= (endMs - startMs) / 1000;
  return growth * factor;
}

function lastDifference({ times, values, from, to }: Window, isRate: boolean): number | undefined {
  if (to - from < 2) return undefined;
  const ms = (times[to - 1] as number) - (times[to - 2] as number);
  if (ms === 0) return undefined;
  const last = values[to - 1] as number;
  const previous = values[to - 2] as number;
  if (!isRate) return last - previous;
  return (last < previous ? last : last - previous) / (ms / 1000);
}

const kahan = new KahanSum();
const other = new KahanSum();

function sum({ values, from, to }: Window): number {
  kahan.reset();
  for (let at = from; at < to; at += 1) kahan.add(values[at] as number);
  return isInfinite(kahan.sum) ? kahan.sum : kahan.value;
}

function average({ values, from, to }: Window): number {
  const mean = kahan.reset();
  let count = 0;
  for (let at = from; at < to; at += 1) {
    count += 1;
    const value = values[at] as number;
    if (isInfinite(mean.sum)) {
      if (isInfinite(value) && mean.sum > 0 === value > 0) continue;
      // From infinity no number leads back.
      if (!isInfinite(value) && !Number.isNaN(value)) continue;
    }
    mean.add(value / count - mean.sum / count);
  }
  return isInfinite(mean.sum) ? mean.sum : mean.value;
}

function extreme(
  { values, from, to }: Window,
  isBetter: (value: number, best: number) => boolean,
): number {
  let best = values[from] as number;
  for (let at = from + 1; at < to; at += 1) {
    const value = values[at] as number;
    if (isBetter(value, best) || Number.isNaN(best)) best = value;
  }
  return best;
}

function variance({ values, from, to }: Window): number {
  const mean = kahan.reset();
  const squares = other.reset();
  let count = 0;
  for (let at = from; at < to; at += 1) {
    const value = values[at] as number;
    count += 1;
    const delta = value - mean.value;
    mean.add(delta / count);
    squares.add(delta * (value - mean.value));
  }
  return squares.value / count;
}

function medianDeviation({ values, from, to }: Window): number {
  const own = values.slice(from, to);
  const median = quantile(0.5, own);
  return quantile(
    0.5,
    own.map((value) => Math.abs(value - median)),
  );
}

/** Holt and Winters' double exponential smoothing. */
function smoothed({ values, from, to, params }: Window): number | undefined {
  const [smoothing = Number.NaN, trendFactor = Number.NaN] = params;
  // NaN is let through, as by Prometheus: so is its answer.
  if (smoothing <= 0 || smoothing >= 1) {
    throw failed(`invalid smoothing factor. Expected: 0 < sf < 1, got: ${fixedNumber(smoothing)}`);
  }
  if (trendFactor <= 0 || trendFactor >= 1) {
    throw failed(`invalid trend factor. Expected: 0 < tf < 1, got: ${fixedNumber(trendFactor)}`);
  }
  if (to - from < 2) return undefined;
  let before = 0;
  let level = values[from] as number;
  let trend = (values[from + 1] as number) - level;
  for (let at = from + 1; at < to; at += 1) {
    if (at > from + 1) trend = trendFactor * (level - before) + (1 - trendFactor) * trend;
    const next = smoothing * (values[at] as number) + (1 - smoothing) * (level + trend);
    before = level;
    level = next;
  }
  return level;
}

function isInfinite(value: number): boolean {
  return value === Number.POSITIVE_INFINITY || value === Number.NEGATIVE_INFINITY;
}
