/**
 * Scalars: a number for each step. They are held as samples are, and given back by whoever asked for
 * them, whose own they are: he may write into them.
 */

import { type Expr, selectorsOf } from './ast.ts';
import type { Evaluator, Value } from './evaluate.ts';
import { NO_LABELS } from './labels.ts';
import { type Grid, Row } from './rows.ts';
import { inPieces, mapSteps } from './steps.ts';

export type Scalar = Extract<Value, { readonly type: 'scalar' }>;

export async function scalarOf(
  on: Evaluator,
  grid: Grid,
  valueAt: (step: number) => number,
): Promise<Scalar> {
  on.pace.hold(grid.count);
  const values = new Float64Array(grid.count);
  await inPieces(on.pace, grid.count, (from, to) => {
    for (let step = from; step < to; step += 1) values[step] = valueAt(step);
  });
  return { type: 'scalar', values };
}

/** The same number at each step. */
export async function constant(on: Evaluator, count: number, value: number): Promise<Scalar> {
  on.pace.hold(count);
  const values = new Float64Array(count);
  await inPieces(on.pace, count, (from, to) => values.fill(value, from, to));
  return { type: 'scalar', values };
}

/** A series without labels of a scalar's values, which are its own from now on. */
export async function rowOf(on: Evaluator, { values }: Scalar): Promise<Row> {
  const present = new Uint8Array(values.length);
  await inPieces(on.pace, present.length, (from, to) => present.fill(1, from, to));
  return new Row(NO_LABELS, values, present);
}

/** The value of the only row; NaN where there is none, or several. */
export async function onlyValues(on: Evaluator, rows: readonly Row[], grid: Grid): Promise<Scalar> {
  on.pace.hold(grid.count);
  const counts = new Uint32Array(grid.count);
  const begin = (): Uint32Array => counts;
  const values = new Float64Array(grid.count);
  await mapSteps(on.pace, rows, begin, (_made, row, from, to) => {
    for (let step = from; step < to; step += 1) {
      if (!row.has(step)) continue;
      counts[step] = (counts[step] as number) + 1;
      values[step] = row.at(step);
    }
  });
  on.release(rows);
  await inPieces(on.pace, grid.count, (from, to) => {
    for (let step = from; step < to; step += 1) if (counts[step] !== 1) values[step] = Number.NaN;
  });
  return { type: 'scalar', values };
}

/**
 * What a call is about, and its scalars. Those that select something are fetched beside it. Others
 * wait until it is there: where calls are in each other, those of all would be held at once.
 */
export async function withScalars<T>(
  on: Evaluator,
  grid: Grid,
  what: Promise<T>,
  exprs: readonly Expr[],
): Promise<readonly [T, readonly Float64Array[]]> {
  const ahead = exprs.map((expr) => (selectsAny(expr) ? on.scalar(expr, grid) : undefined));
  for (const one of ahead) one?.catch(() => undefined); // Until it is waited for, which may be never.
  const value = await what;
  const scalars: Float64Array[] = [];
  for (const [index, expr] of exprs.entries()) {
    scalars.push(await (ahead[index] ?? on.scalar(expr, grid)));
  }
  return [value, scalars];
}

function selectsAny(expr: Expr): boolean {
  const [first] = selectorsOf(expr);
  return first !== undefined;
}
