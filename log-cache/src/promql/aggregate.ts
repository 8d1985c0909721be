/** Aggregations: rows are grouped by labels once, and each step of a group comes to one value. */

import { quoted, shortNumber } from '../quote.ts';
import type { Aggregate } from './ast.ts';
import { unwrapped } from './ast.ts';
import { sorted } from './calls.ts';
import { failed } from './errors.ts';
import type { Evaluator } from './evaluate.ts';
import { plainNumber } from './format.ts';
import { quantile } from './functions/sums.ts';
import { LABELS_WORK, mapInTurns, sortInTurns, workOfLabels } from './in-turns.ts';
import type { Labels } from './labels.ts';
import { isLabelName } from './names.ts';
import { type Grid, Row } from './rows.ts';
import { sampleOffset } from './sample-offset.ts';
import { withScalars } from './scalars.ts';
import type { Pace } from './series.ts';

/** What the values of a group come to; there is at least one. */
type Reduce = (values: Float64Array, param: number) => number;

const REDUCTIONS: Readonly<Record<string, Reduce>> = {
  sum: (values) => values.reduce((sum, value) => sum + value),
  avg: mean,
  count: (values) => values.length,
  group: () => 1,
  min: (values) =>
    values.reduce((best, value) => (value < best || Number.isNaN(best) ? value : best)),
  max: (values) =>
    values.reduce((best, value) => (value > best || Number.isNaN(best) ? value : best)),
  stdvar: variance,
  stddev: (values) => Math.sqrt(variance(values)),
  quantile: (values, q) => quantile(q, values),
};

const NO_PARAM = new Float64Array(0);

interface Group {
  readonly labels: Labels;
  readonly rows: Row[];
}

export async function aggregate(on: Evaluator, expr: Aggregate, grid: Grid): Promise<Row[]> {
  const params = expr.param === undefined || expr.op === 'count_values' ? [] : [expr.param];
  const asked = on.rows(expr.expr, grid);
  const [rows, [param = NO_PARAM]] = await withScalars(on, grid, asked, params);
  if (expr.op === 'count_values') return countValues(on, expr, grid, rows);
  const groups = await groupsOf(on, rows, (labels) => groupLabels(labels, expr));
  const reduce = REDUCTIONS[expr.op];
  if (reduce === undefined) {
    const chosen = await choose(on, expr.op, param, groups);
    on.release(rows);
    on.releaseScalar(param);
    return chosen;
  }

  const results: Row[] = [];
  for (const group of groups) {
    on.pace.hold(grid.count);
    const row = Row.empty(group.labels, grid.count);
    const values = new Float64Array(group.rows.length);
    for (let step = 0; step < grid.count; step += 1) {
      const count = gather(group.rows, step, values);
      if (count > 0) row.set(step, reduce(values.subarray(0, count), param[step] as number));
      if (on.pace.isDue(group.rows.length)) await on.pace.pause();
    }
    if (!row.isEmpty) results.push(row);
  }
  on.release(rows);
  on.releaseScalar(param);
  return results;
}

function groupLabels(labels: Labels, { without, grouping }: Aggregate): Labels {
  return without ? labels.nameless.without(grouping) : labels.only(grouping);
}

async function groupsOf(
  on: Evaluator,
  rows: readonly Row[],
  labelsOf: (labels: Labels) => Labels,
): Promise<readonly Group[]> {
  const groups = new Map<string, Group>();
  for (const row of rows) {
    if (on.pace.isDue(workOfLabels(row.labels))) await on.pace.pause();
    const labels = labelsOf(row.labels);
    const group = groups.get(labels.key);
    if (group) group.rows.push(row);
    else groups.set(labels.key, { labels, rows: [row] });
  }
  return [...groups.values()];
}

function gather(rows: readonly Row[], step: number, values: Float64Array): number {
  let count = 0;
  for (const row of rows) {
    if (!row.has(step)) continue;
    values[count] = row.at(step);
    count += 1;
  }
  return count;
}

function mean(values: Float64Array): number {
  let result = 0;
  let count = 0;
  for (const value of values) {
    count += 1;
    if (isInfinite(result)) {
      if (isInfinite(value) && result > 0 === value > 0) continue;
      if (!isInfinite(value) && !Number.isNaN(value)) continue; // From infinity no number leads back.
    }
    result = count === 1 ? value : result + (value / count - result / count);
  }
  return result;
}

function isInfinite(value: number): boolean {
  return value === Number.POSITIVE_INFINITY || value === Number.NEGATIVE_INFINITY;
}

function variance(values: Float64Array): number {
  let center = values[0] as number; // There is at least one.
  let squares = 0;
  for (let index = 1; index < values.length; index += 1) {
    const value = values[index] as number;
    const delta = value - center;
    center += delta / (index + 1);
    squares += delta * (value - center);
  }
  return squares / values.length;
}

/**
 * One row for each value that occurs. The value is a label before there are groups: it may take the
 * place of one that is grouped by, or be one that goes.
 */
async function countValues(
  on: Evaluator,
  expr: Aggregate,
  grid: Grid,
  rows: readonly Row[],
): Promise<Row[]> {
  const param = expr.param && unwrapped(expr.param);
  const label = param?.type === 'string' ? param.value : '';
  if (!isLabelName(label)) throw failed(`invalid label name ${quoted(label)}`);
  const by = expr.without ? expr : { ...expr, grouping: [...expr.grouping, label] };
  const results = new Map<string, Row>();
  const countsOf = (labels: Labels): Row => {
    let counts = results.get(labels.key);
    if (counts === undefined) {
      on.pace.hold(grid.count);
      counts = Row.empty(labels, grid.count);
      results.set(labels.key, counts);
    }
    return counts;
  };
  for (const row of rows) {
    const byValue = new Map<string, Row>();
    for (let step = 0; step < grid.count; step += 1) {
      if (!row.has(step)) continue;
      const text = plainNumber(row.at(step));
      let counts = byValue.get(text);
      const isNew = counts === undefined;
      counts ??= countsOf(groupLabels(row.labels.with(label, text), by));
      if (isNew) byValue.set(text, counts);
      counts.set(step, counts.at(step) + 1);
      if (on.pace.isDue(isNew ? LABELS_WORK : 10)) await on.pace.pause();
    }
  }
  on.release(rows);
  return [...results.values()];
}

/** Those that leave rows as they are, but not all of them at each step. */
async function choose(
  on: Evaluator,
  op: string,
  param: Float64Array,
  groups: readonly Group[],
): Promise<Row[]> {
  if (op !== 'limit_ratio') checkCounts(param);
  const results: Row[] = [];
  const isTop = op === 'topk';
  for (const { rows } of groups) {
    const empty = ({ labels }: Row): Row => Row.empty(labels, param.length);
    const workOf = ({ labels }: Row): number => workOfLabels(labels);
    const chosen = on.hold(await mapInTurns(on.pace, rows, workOf, empty));
    for (let step = 0; step < param.length; step += 1) {
      const indexes = [...rows.keys()].filter((index) => rows[index]?.has(step));
      const at = { indexes, step, param: param[step] as number };
      const wanted = await wantedOf(on.pace, op, rows, at);
      for (const index of wanted) chosen[index]?.set(step, rows[index]?.at(step) ?? 0);
      if (on.pace.isDue(rows.length * 8)) await on.pace.pause();
    }
    const there = chosen.filter((row) => !row.isEmpty);
    const isRanked = isTop || op === 'bottomk';
    const ranked = isRanked
      ? await sorted(on.pace, there, (a, b) => (isTop ? b - a : a - b))
      : there;
    for (const row of ranked) results.push(row);
  }
  return results;
}

/** At each step, whether there is anything to choose from or not. */
function checkCounts(param: Float64Array): void {
  for (const value of param) {
    if (value >= -(2 ** 63) && value < 2 ** 63) continue; // Nor is it NaN.
    throw failed(`Scalar value ${shortNumber(value)} overflows int64`);
  }
}

async function wantedOf(
  pace: Pace,
  op: string,
  rows: readonly Row[],
  at: { readonly indexes: number[]; readonly step: number; readonly param: number },
): Promise<readonly number[]> {
  const { indexes, step, param } = at;
  if (op === 'limit_ratio') {
    const ratio = Math.max(-1, Math.min(1, param));
    const drawn: number[] = [];
    for (const index of indexes) {
      const offset = sampleOffset(rows[index]?.labels.key ?? '');
      if (ratio >= 0 ? offset < ratio : offset >= 1 + ratio) drawn.push(index);
      if (pace.isDue(LABELS_WORK)) await pace.pause();
    }
    return drawn;
  }
  const count = Math.max(0, Math.trunc(param));
  if (op === 'limitk') return indexes.slice(0, count);
  const valueAt = (index: number): number => rows[index]?.at(step) ?? 0;
  const ranked = await sortInTurns(pace, indexes, (a, b) => {
    const isLast = Number(Number.isNaN(valueAt(a))) - Number(Number.isNaN(valueAt(b)));
    if (isLast !== 0) return isLast;
    const difference = valueAt(a) === valueAt(b) ? 0 : valueAt(a) < valueAt(b) ? -1 : 1;
    return op === 'topk' ? -difference : difference;
  });
  return ranked.slice(0, count);
}
