/** Quantiles out of the buckets of a histogram: series that differ in their label `le`. */

import { parseFloatText } from '../../float-text.ts';
import { LABELS_WORK } from '../in-turns.ts';
import type { Labels } from '../labels.ts';
import { BUCKET_BOUND } from '../names.ts';
import { merged, Row } from '../rows.ts';
import type { Pace } from '../series.ts';

interface Bucket {
  readonly bound: number;
  readonly row: Row;
}

interface Count {
  readonly bound: number;
  count: number;
}

/** What looking at one bucket costs, in steps of work. */
const BUCKET_WORK = 4;

/** One row for each histogram; `q` has the wanted part at each step. */
export async function histogramQuantile(
  pace: Pace,
  q: Float64Array,
  rows: readonly Row[],
): Promise<Row[]> {
  const results: Row[] = [];
  for (const { labels, buckets } of (await histogramsOf(pace, rows)).values()) {
    const result = Row.empty(labels, q.length);
    for (let step = 0; step < q.length; step += 1) {
      const counts = buckets
        .filter(({ row }) => row.has(step))
        .map(({ bound, row }) => ({ bound, count: row.at(step) }));
      if (counts.length > 0) result.set(step, quantileOf(q[step] as number, counts));
      if (pace.isDue(buckets.length * BUCKET_WORK)) await pace.pause();
    }
    results.push(result);
  }
  return merged(pace, results);
}

interface Histogram {
  readonly labels: Labels;
  readonly buckets: Bucket[];
}

async function histogramsOf(
  pace: Pace,
  rows: readonly Row[],
): Promise<ReadonlyMap<string, Histogram>> {
  const histograms = new Map<string, Histogram>();
  for (const row of rows) {
    if (pace.isDue(LABELS_WORK)) await pace.pause();
    const bound = parseFloatText(row.labels.get(BUCKET_BOUND));
    if (bound === undefined) continue;
    // By the name as well: buckets of two histograms are not put together.
    const own = row.labels.without([BUCKET_BOUND]);
    const known = histograms.get(own.key);
    if (known) known.buckets.push({ bound, row });
    else histograms.set(own.key, { labels: own.nameless, buckets: [{ bound, row }] });
  }
  return histograms;
}

function quantileOf(q: number, counts: Count[]): number {
  if (Number.isNaN(q)) return Number.NaN;
  if (q < 0) return Number.NEGATIVE_INFINITY;
  if (q > 1) return Number.POSITIVE_INFINITY;
  const buckets = cumulative(counts);
  const last = buckets.at(-1);
  const first = buckets[0];
  if (last?.bound !== Number.POSITIVE_INFINITY || first === undefined) return Number.NaN;
  if (buckets.length < 2 || last.count === 0) return Number.NaN;

  const rank = q * last.count;
  const index = indexOf(rank, buckets);
  const bucket = buckets[index] ?? last;
  const before = buckets[index - 1];
  if (index === buckets.length - 1) return before?.bound ?? Number.NaN;
  if (before === undefined) {
    return first.bound <= 0 ? first.bound : first.bound * (rank / first.count);
  }
  const part = (rank - before.count) / (bucket.count - before.count);
  return before.bound + (bucket.bound - before.bound) * part;
}

/** The first bucket that reaches this rank, halving as Prometheus does: a count may be NaN. */
function indexOf(rank: number, buckets: readonly Count[]): number {
  let from = 0;
  let to = buckets.length - 1;
  while (from < to) {
    const middle = (from + to) >> 1;
    if ((buckets[middle]?.count ?? 0) >= rank) to = middle;
    else from = middle + 1;
  }
  return from;
}

/** In order, those of the same bound as one, and none below the one before it. */
function cumulative(counts: Count[]): Count[] {
  const merged: Count[] = [];
  for (const { bound, count } of counts.sort((a, b) => a.bound - b.bound)) {
    const last = merged.at(-1);
    if (last?.bound === bound) last.count += count;
    else merged.push({ bound, count });
  }
  let most = Number.NEGATIVE_INFINITY;
  for (const bucket of merged) {
    if (bucket.count > most) most = bucket.count;
    else if (bucket.count < most) bucket.count = most; // NaN stays what it is.
  }
  return merged;
}
