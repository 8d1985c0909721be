/**
 * What an evaluated expression is to whoever asked: scalars, vectors and matrices.
 *
 * Series are in the order of their labels, but for vectors: those are as they were evaluated, since
 * `sort` and `topk` have an order.
 */

import type { MatrixSelector, Subquery } from './ast.ts';
import { failed } from './errors.ts';
import type { Evaluator, Value } from './evaluate.ts';
import type { Result, Samples } from './format.ts';
import { LABELS_WORK, mapInTurns, sortInTurns } from './in-turns.ts';
import { type Labels, NO_LABELS } from './labels.ts';
import { type Grid, mapRows, timeAt } from './rows.ts';
import type { Pace, Series } from './series.ts';

/** Decides which of a series' labels are shown. */
export type Namer = (labels: Labels) => Labels;

/** The samples themselves, of a range selector or a subquery. */
export async function matrixResult(
  evaluator: Evaluator,
  expr: MatrixSelector | Subquery,
  grid: Grid,
  namesOf: Namer,
): Promise<Result> {
  const { pace } = evaluator;
  const { series, rangeMs, endMs } = await evaluator.ranges(expr, grid);
  const end = endMs(0);
  const workOf = ({ times }: Series): number => times.length + LABELS_WORK;
  const shown = await mapInTurns(pace, series, workOf, ({ labels, times, values }): Samples => {
    const from = countWhere(times, (time) => time < end - rangeMs);
    const to = countWhere(times, (time) => time <= end);
    return {
      labels: namesOf(labels),
      times: times.subarray(from, to),
      values: values.subarray(from, to),
    };
  });
  return { type: 'matrix', series: await byLabels(pace, shown) };
}

/** How many times in order there are, up to the first that is not as wanted, nor are later ones. */
function countWhere(times: Float64Array, isWanted: (time: number) => boolean): number {
  let from = 0;
  let to = times.length;
  while (from < to) {
    const middle = (from + to) >>> 1;
    if (isWanted(times[middle] as number)) from = middle + 1;
    else to = middle;
  }
  return from;
}

export async function instantResult(
  pace: Pace,
  value: Value,
  timeMs: number,
  namesOf: Namer,
): Promise<Result> {
  if (value.type === 'string') return { ...value, timeMs };
  if (value.type === 'scalar') {
    return { type: 'scalar', timeMs, value: value.values[0] ?? Number.NaN };
  }
  const there = value.rows.filter((row) => row.has(0));
  const samples = await mapRows(pace, there, (row) => ({
    labels: namesOf(row.labels),
    timeMs,
    value: row.at(0),
  }));
  return { type: 'vector', samples };
}

export async function rangeResult(
  pace: Pace,
  value: Value,
  grid: Grid,
  namesOf: Namer,
): Promise<Result> {
  if (value.type === 'string') throw failed('a string is no result of a range query');
  if (value.type === 'scalar') {
    const times = value.values.map((_, step) => timeAt(grid, step));
    return { type: 'matrix', series: [{ labels: NO_LABELS, times, values: value.values }] };
  }
  const series = await mapRows(pace, value.rows, ({ labels, values, present }): Samples => {
    let count = 0;
    for (const is of present) count += is;
    const points = { times: new Float64Array(count), values: new Float64Array(count) };
    let at = 0;
    for (let step = 0; step < grid.count; step += 1) {
      if (present[step] !== 1) continue;
      points.times[at] = timeAt(grid, step);
      points.values[at] = values[step] as number; // Below the count, as is the present.
      at += 1;
    }
    return { labels: namesOf(labels), ...points };
  });
  return { type: 'matrix', series: await byLabels(pace, series) };
}

/** Those that have any samples, in order. */
function byLabels(pace: Pace, series: readonly Samples[]): Promise<Samples[]> {
  const there = series.filter(({ times }) => times.length > 0);
  return sortInTurns(pace, there, (a, b) => a.labels.compare(b.labels));
}
