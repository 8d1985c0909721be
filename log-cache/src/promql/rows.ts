/**
 * What an expression is at every step of a query at once: a row for each series.
 *
 *     grid      t0   t0+step   t0+2·step   …
 *     row a   [ 1.5 │    2    │     –     │   values, and which of them are there
 *     row b   [  –  │    7    │     9     │
 *
 * Labels don't depend on the step, so series are matched and grouped once for all steps.
 */

import { failed } from './errors.ts';
import { mapInTurns, workOfLabels } from './in-turns.ts';
import type { Labels } from './labels.ts';
import type { Pace } from './series.ts';
import { inPieces, mapSteps } from './steps.ts';

/** The steps of a query, in milliseconds. */
export interface Grid {
  readonly startMs: number;
  readonly stepMs: number;
  readonly count: number;
}

export class Row {
  readonly labels: Labels;
  readonly values: Float64Array;
  /** A 1 for each step that has a value. */
  readonly present: Uint8Array;

  constructor(labels: Labels, values: Float64Array, present: Uint8Array) {
    this.labels = labels;
    this.values = values;
    this.present = present;
  }

  static empty(labels: Labels, count: number): Row {
    return new Row(labels, new Float64Array(count), new Uint8Array(count));
  }

  set(step: number, value: number): void {
    this.values[step] = value;
    this.present[step] = 1;
  }

  has(step: number): boolean {
    return this.present[step] === 1;
  }

  /** The value at a step, whether it is there or not. */
  at(step: number): number {
    return this.values[step] as number; // Steps are below the grid's count.
  }

  get isEmpty(): boolean {
    return !this.present.includes(1);
  }

  /** The same values under other labels. */
  named(labels: Labels): Row {
    return labels === this.labels ? this : new Row(labels, this.values, this.present);
  }
}

export function timeAt({ startMs, stepMs }: Grid, step: number): number {
  return startMs + step * stepMs;
}

/** How many samples rows take, in the memory's terms. */
export function sizeOf(rows: readonly Row[]): number {
  const [first] = rows;
  return first === undefined ? 0 : rows.length * first.values.length;
}

const SAME_LABELS = 'vector cannot contain metrics with the same labelset';

/**
 * Makes one row of those that have come to have the same labels; at no step may two of them have a
 * value. With `strict` there must be no such rows at all.
 */
export async function merged(
  pace: Pace,
  rows: readonly Row[],
  {
    strict = false,
    reason = SAME_LABELS,
  }: { readonly strict?: boolean; readonly reason?: string } = {},
): Promise<Row[]> {
  const byKey = new Map<string, Row>();
  for (const row of rows) {
    const { key } = row.labels;
    const other = byKey.get(key);
    if (other !== undefined && strict) throw failed(reason);
    byKey.set(key, other === undefined ? row : await joined(pace, other, row, reason));
    if (pace.isDue(workOfLabels(row.labels))) await pace.pause();
  }
  return [...byKey.values()];
}

/** Like `Array.map`, with turns for others in between. */
export function mapRows<R>(pace: Pace, rows: readonly Row[], make: (row: Row) => R): Promise<R[]> {
  const workOf = ({ labels, values }: Row): number => values.length + workOfLabels(labels);
  return mapInTurns(pace, rows, workOf, make);
}

/** A 1 for each step at which any of the rows is there. */
export async function presentAt(
  pace: Pace,
  rows: readonly Row[],
  count: number,
): Promise<Uint8Array> {
  const isThere = new Uint8Array(count);
  const begin = (): Uint8Array => isThere;
  await mapSteps(pace, rows, begin, (_made, { present }, from, to) => {
    for (let step = from; step < to; step += 1) if (present[step] === 1) isThere[step] = 1;
  });
  return isThere;
}

async function joined(pace: Pace, a: Row, b: Row, reason: string): Promise<Row> {
  const row = new Row(a.labels, a.values.slice(), a.present.slice());
  await inPieces(pace, b.values.length, (from, to) => {
    for (let step = from; step < to; step += 1) {
      if (!b.has(step)) continue;
      if (row.has(step)) throw failed(reason);
      row.set(step, b.at(step));
    }
  });
  return row;
}
