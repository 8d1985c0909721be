/**
 * Binary operations, a chain of them from left to right.
 *
 *     a + b - c   ──▶   ((a + b) - c)
 *
 * Operands are often other nodes' series, so the next AHEAD_MAX of a chain are fetched and evaluated
 * beside the one that is waited for. Never more: a long chain holds few of its values at a time.
 */

import { type Binary, COMPARISONS, type Expr, type Matching, SET_OPERATORS } from './ast.ts';
import type { Evaluator, Value } from './evaluate.ts';
import { OPERATORS } from './functions/number.ts';
import { startAhead } from './in-turns.ts';
import { groupOf, type Operate, pairwise } from './pairs.ts';
import { type Grid, merged, Row } from './rows.ts';
import { setOperation } from './set-operation.ts';
import { inPieces, mapSteps } from './steps.ts';

const NO_MATCHING: Matching = {
  card: 'one-to-one',
  on: false,
  labels: [],
  include: [],
  isGrouped: false,
};

/** Set operators have rows to do with, not numbers. */
const NONE: Operate = () => Number.NaN;

const AHEAD_MAX = 4;

export async function binary(on: Evaluator, expr: Binary, grid: Grid): Promise<Value> {
  const links: Binary[] = [];
  let first: Expr = expr;
  for (; first.type === 'binary'; first = first.left) links.push(first);
  links.reverse();

  const operands = [first, ...links.map(({ right }) => right)];
  let value: Value | undefined;
  let done = 0;
  for await (const operand of startAhead(operands, AHEAD_MAX, (one) => on.evaluate(one, grid))) {
    const link = links[done - 1];
    value =
      value && link ? await operated(on, link, { left: value, right: operand, grid }) : operand;
    done += 1;
  }
  if (value === undefined) throw new Error('a binary expression has two operands');
  return value;
}

async function operated(
  on: Evaluator,
  expr: Binary,
  { left, right, grid }: { readonly left: Value; readonly right: Value; readonly grid: Grid },
): Promise<Value> {
  const operate = OPERATORS[expr.op] ?? NONE;
  if (left.type === 'string' || right.type === 'string') throw new Error('types have been checked');
  if (left.type === 'vector' && right.type === 'vector') {
    const matching = expr.matching ?? NO_MATCHING;
    const sides = { left: left.rows, right: right.rows };
    const result = SET_OPERATORS.has(expr.op)
      ? on.hold(
          await setOperation(on.pace, expr.op, sides, (labels) => groupOf(labels, matching).key),
        )
      : await pairwise(on, expr, { ...sides, matching, operate, grid });
    on.release(left.rows);
    on.release(right.rows);
    return { type: 'vector', rows: result };
  }
  if (left.type === 'scalar' && right.type === 'scalar') {
    const { values } = left; // It is nobody else's.
    await inPieces(on.pace, values.length, (from, to) => {
      for (let step = from; step < to; step += 1) {
        values[step] = operate(values[step] as number, right.values[step] as number);
      }
    });
    on.releaseScalar(right.values);
    return left;
  }
  if (left.type === 'vector' && right.type === 'scalar') {
    return withScalar(on, expr, { rows: left.rows, scalar: right.values, operate });
  }
  if (left.type === 'scalar' && right.type === 'vector') {
    const swapped: Operate = (value, scalar) => operate(scalar, value);
    return withScalar(on, expr, { rows: right.rows, scalar: left.values, operate: swapped });
  }
  throw new Error('an operand is a scalar or a vector');
}

async function withScalar(
  on: Evaluator,
  { op, bool }: Binary,
  {
    rows,
    scalar,
    operate,
  }: {
    readonly rows: readonly Row[];
    readonly scalar: Float64Array;
    /** Of a row's value and the scalar. */
    readonly operate: Operate;
  },
): Promise<Value> {
  const isFilter = COMPARISONS.has(op) && !bool;
  const begin = ({ labels, values }: Row): Row =>
    Row.empty(isFilter ? labels : labels.nameless, values.length);
  const made = await mapSteps(on.pace, rows, begin, (result, row, from, to) => {
    for (let step = from; step < to; step += 1) {
      if (!row.has(step)) continue;
      const value = row.at(step);
      const number = operate(value, scalar[step] as number);
      if (!isFilter) result.set(step, number);
      else if (number === 1) result.set(step, value);
    }
  });
  on.releaseScalar(scalar);
  return { type: 'vector', rows: await merged(on.pace, made) };
}
