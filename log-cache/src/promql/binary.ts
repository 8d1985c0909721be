/**
 * Binary operations. Series of both sides are brought together by their labels once; which of them
 * are there, and so what is a pair and what is ambiguous, is decided at each step.
 *
 *     a + b - c   ──▶   ((a + b) - c), from left to right
 *
 * Operands are often other nodes' series, so the next AHEAD_MAX of a chain are fetched and evaluated
 * beside the one that is waited for. Never more: a long chain holds few of its values at a time.
 */

import { type Binary, COMPARISONS, type Expr, type Matching, SET_OPERATORS } from './ast.ts';
import { failed, type QueryError } from './errors.ts';
import type { Evaluator, Value } from './evaluate.ts';
import { OPERATORS } from './functions/number.ts';
import { LABELS_WORK, startAhead, workOfLabels } from './in-turns.ts';
import { holdLabels } from './label-room.ts';
import type { Labels } from './labels.ts';
import { METRIC_NAME } from './names.ts';
import { type Grid, mapRows, merged, presentAt, Row } from './rows.ts';
import type { Pace } from './series.ts';
import { setOperation } from './set-operation.ts';

const NO_MATCHING: Matching = {
  card: 'one-to-one',
  on: false,
  labels: [],
  include: [],
  isGrouped: false,
};

const MANY =
  'multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)';
const AMBIGUOUS = 'multiple matches for labels: grouping labels must ensure unique matches';

type Operate = (a: number, b: number) => number;

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
    const values = left.values.map((value, step) => operate(value, right.values[step] as number));
    return { type: 'scalar', values };
  }
  const rows = left.type === 'vector' ? left.rows : right.type === 'vector' ? right.rows : [];
  const scalar = left.type === 'scalar' ? left.values : right.type === 'scalar' ? right.values : [];
  const isSwapped = left.type === 'scalar';
  const made = await mapRows(on.pace, rows, (row) =>
    withScalar(row, expr, { scalar, operate, isSwapped }),
  );
  return { type: 'vector', rows: await merged(on.pace, made) };
}

function withScalar(
  row: Row,
  { op, bool }: Binary,
  by: {
    readonly scalar: ArrayLike<number>;
    readonly operate: Operate;
    /** Whether the scalar stands on the left. */
    readonly isSwapped: boolean;
  },
): Row {
  const isFilter = COMPARISONS.has(op) && !bool;
  const labels = isFilter ? row.labels : row.labels.nameless;
  const count = row.values.length;
  const result = Row.empty(labels, count);
  for (let step = 0; step < count; step += 1) {
    if (!row.has(step)) continue;
    const value = row.at(step);
    const scalar = by.scalar[step] as number;
    const made = by.isSwapped ? by.operate(scalar, value) : by.operate(value, scalar);
    if (!isFilter) result.set(step, made);
    else if (made === 1) result.set(step, value);
  }
  return result;
}

/** What a row's labels have in common with those of the other side. */
function groupOf(labels: Labels, { on, labels: names }: Matching): Labels {
  return on ? labels.only(names) : labels.without([...names, METRIC_NAME]);
}

interface Sides {
  readonly left: readonly Row[];
  readonly right: readonly Row[];
  readonly matching: Matching;
  readonly operate: Operate;
  readonly grid: Grid;
}

async function pairwise(on: Evaluator, expr: Binary, sides: Sides): Promise<Row[]> {
  const { matching, grid } = sides;
  const isSwapped = matching.card === 'one-to-many';
  // `many` may have several of one signature, if the query says so; `one` never.
  const many = isSwapped ? sides.right : sides.left;
  const ones = await bySignature(on, isSwapped ? sides.left : sides.right, matching);
  const isFilter = COMPARISONS.has(expr.op) && !expr.bool;
  const included = matching.include.length;
  const results: Row[] = [];
  const manyRows = await bySignature(on, many, matching);
  let others: Uint8Array | undefined;
  for (const [signature, candidates] of ones) {
    if (candidates.length > 1) {
      others ??= await presentAt(on.pace, many, grid.count);
      await rejectDuplicates(on.pace, candidates, { others, matching, isSwapped });
    }
    const partners = manyRows.get(signature) ?? [];
    const taken = matching.card === 'one-to-one' ? new Uint8Array(grid.count) : undefined;
    for (const row of partners) {
      for (const one of candidates) {
        const labels = resultLabels(row.labels, one.labels, { matching, expr });
        const result = Row.empty(labels, grid.count);
        for (let step = 0; step < grid.count; step += 1) {
          if (!row.has(step) || !one.has(step)) continue;
          const left = isSwapped ? one.at(step) : row.at(step);
          const right = isSwapped ? row.at(step) : one.at(step);
          const value = sides.operate(left, right);
          if (isFilter && value !== 1) continue;
          if (taken?.[step] === 1) throw failed(MANY);
          if (taken) taken[step] = 1;
          result.set(step, isFilter ? left : value);
        }
        if (!result.isEmpty) {
          on.pace.hold(grid.count);
          if (included > 0) holdLabels(on.pace, labels, 0);
          results.push(result);
        }
        const work = LABELS_WORK * (1 + included) + grid.count;
        if (on.pace.isDue(work)) await on.pace.pause();
      }
    }
  }
  return merged(on.pace, results, { reason: AMBIGUOUS });
}

async function bySignature(
  on: Evaluator,
  rows: readonly Row[],
  matching: Matching,
): Promise<Map<string, Row[]>> {
  const map = new Map<string, Row[]>();
  for (const row of rows) {
    const work = workOfLabels(row.labels) + matching.labels.length * LABELS_WORK;
    if (on.pace.isDue(work)) await on.pace.pause();
    const signature = groupOf(row.labels, matching).key;
    const known = map.get(signature);
    if (known) known.push(row);
    else map.set(signature, [row]);
  }
  return map;
}

/** At no step may two rows of the `one` side be there, if there is anything on the other. */
async function rejectDuplicates(
  pace: Pace,
  rows: readonly Row[],
  at: {
    /** At which steps there is anything on the other side. */
    readonly others: Uint8Array;
    readonly matching: Matching;
    readonly isSwapped: boolean;
  },
): Promise<void> {
  const taken = new Map<number, Row>();
  for (const row of rows) {
    for (let step = 0; step < row.values.length; step += 1) {
      if (!row.has(step) || at.others[step] !== 1) continue;
      const other = taken.get(step);
      if (other !== undefined) throw duplicates(row, other, at);
      taken.set(step, row);
    }
    if (pace.isDue(row.values.length)) await pace.pause();
  }
}

function duplicates(
  row: Row,
  other: Row,
  { matching, isSwapped }: { readonly matching: Matching; readonly isSwapped: boolean },
): QueryError {
  const side = isSwapped ? 'left' : 'right';
  return failed(
    `found duplicate series for the match group ${groupOf(row.labels, matching)} on the ${side} ` +
      `hand-side of the operation: [${row.labels}, ${other.labels}];` +
      'many-to-many matching not allowed: matching labels must be unique on one side',
  );
}

function resultLabels(
  many: Labels,
  one: Labels,
  { matching, expr }: { readonly matching: Matching; readonly expr: Binary },
): Labels {
  const isFilter = COMPARISONS.has(expr.op) && !expr.bool;
  let labels = isFilter ? many : many.nameless;
  if (matching.card === 'one-to-one') {
    labels = matching.on ? labels.only(matching.labels) : labels.without(matching.labels);
  }
  if (matching.include.length === 0) return labels;
  return labels.withAll(matching.include.map((name) => [name, one.get(name)]));
}
