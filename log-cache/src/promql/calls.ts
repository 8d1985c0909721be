/** Calls of functions: gets their arguments, and hands them to what knows the function. */

import { type Call, type Expr, selectorsOf, unwrapped } from './ast.ts';
import { typeOf } from './check.ts';
import type { Evaluator, Ranges, Value } from './evaluate.ts';
import { histogramQuantile } from './functions/histogram.ts';
import { absentLabels, labelJoin, labelReplace, sortByLabels } from './functions/label.ts';
import { DATE_FUNCTIONS, NUMBER_FUNCTIONS, type NumberFunction } from './functions/number.ts';
import { RANGE_FUNCTIONS, type RangeFunction } from './functions/range.ts';
import { LABELS_WORK, sortInTurns } from './in-turns.ts';
import { NO_LABELS } from './labels.ts';
import { type Grid, mapRows, merged, presentAt, Row, timeAt } from './rows.ts';
import type { Pace } from './series.ts';

export async function callFunction(on: Evaluator, call: Call, grid: Grid): Promise<Value> {
  const { name, args } = call;
  switch (name) {
    case 'time':
      return scalarOf(grid, (step) => timeAt(grid, step) / 1000);
    case 'pi':
      return scalarOf(grid, () => Math.PI);
    case 'scalar':
      return onlyValues(on, await on.rows(argOf(call, 0), grid), grid);
    case 'vector': {
      const values = await on.scalar(argOf(call, 0), grid);
      const present = new Uint8Array(grid.count).fill(1);
      return vector(on.hold([new Row(NO_LABELS, values, present)]));
    }
    case 'absent':
      return vector(await absent(on, call, grid));
    case 'timestamp':
      return vector(await timestamp(on, call, grid));
    case 'absent_over_time':
      return vector(await absentOverTime(on, call, grid));
    case 'histogram_count':
    case 'histogram_sum':
    case 'histogram_fraction':
      return vector([]); // Of native histograms, which no envelope is.
  }
  const ofRange = RANGE_FUNCTIONS[name];
  if (ofRange !== undefined) return vector(await overRanges(on, call, grid, ofRange));
  const ofDate = DATE_FUNCTIONS[name];
  if (ofDate !== undefined) {
    if (args.length > 0) return vector(await overNumbers(on, call, grid, ofDate));
    const { values } = scalarOf(grid, (step) => ofDate(timeAt(grid, step) / 1000));
    return vector(on.hold([new Row(NO_LABELS, values, new Uint8Array(grid.count).fill(1))]));
  }
  const ofNumber = NUMBER_FUNCTIONS[name];
  if (ofNumber !== undefined) return vector(await overNumbers(on, call, grid, ofNumber));
  return vector(await overRows(on, call, grid));
}

/** Functions of all rows together. */
async function overRows(on: Evaluator, call: Call, grid: Grid): Promise<readonly Row[]> {
  const { name, args } = call;
  if (name === 'histogram_quantile') {
    const [q, rows] = await Promise.all([
      on.scalar(argOf(call, 0), grid),
      on.rows(argOf(call, 1), grid),
    ]);
    const result = on.hold(await histogramQuantile(on.pace, q, rows));
    on.release(rows);
    return result;
  }
  const rows = await on.rows(argOf(call, 0), grid);
  const texts = args.slice(1).map(textOf);
  switch (name) {
    case 'label_replace':
      return labelReplace(on.pace, rows, texts);
    case 'label_join':
      return labelJoin(on.pace, rows, texts);
    case 'sort':
      return sorted(on.pace, rows, (a, b) => a - b);
    case 'sort_desc':
      return sorted(on.pace, rows, (a, b) => b - a);
    case 'sort_by_label':
      return sortByLabels(on.pace, rows, texts, false);
    case 'sort_by_label_desc':
      return sortByLabels(on.pace, rows, texts, true);
    default:
      throw new Error(`the function ${name} is declared but not there`);
  }
}

/** Only an instant query has an order. NaN comes last either way. */
export function sorted(
  pace: Pace,
  rows: readonly Row[],
  compare: (a: number, b: number) => number,
): Promise<Row[]> {
  return sortInTurns(pace, rows, (a, b) => {
    const aIsLast = Number.isNaN(a.at(0));
    const bIsLast = Number.isNaN(b.at(0));
    if (aIsLast || bIsLast) return Number(aIsLast) - Number(bIsLast);
    return compare(a.at(0), b.at(0));
  });
}

async function overNumbers(
  on: Evaluator,
  call: Call,
  grid: Grid,
  apply: NumberFunction,
): Promise<Row[]> {
  const [rows, [a, b]] = await Promise.all([
    on.rows(argOf(call, 0), grid),
    paramsOf(on, call.args.slice(1), grid),
  ]);
  const result: Row[] = [];
  for (const row of rows) {
    on.pace.hold(grid.count);
    const made = Row.empty(row.labels.nameless, grid.count);
    for (let step = 0; step < grid.count; step += 1) {
      if (!row.has(step)) continue;
      // `round` rounds to 1 when it isn't told otherwise.
      const value = apply(row.at(step), a?.[step] ?? 1, b?.[step] ?? 1);
      if (value !== undefined) made.set(step, value);
    }
    result.push(made);
    if (on.pace.isDue(LABELS_WORK + grid.count)) await on.pace.pause();
  }
  on.release(rows);
  return merged(on.pace, result);
}

async function overRanges(
  on: Evaluator,
  call: Call,
  grid: Grid,
  apply: RangeFunction,
): Promise<Row[]> {
  const others = call.args.filter((arg) => typeOf(arg) === 'scalar');
  const [ranges, params] = await Promise.all([
    rangesOf(on, call, grid),
    paramsOf(on, others, grid),
  ]);
  const keepsName = call.name === 'last_over_time' || call.name === 'first_over_time';
  const rows: Row[] = [];
  for (const { labels, times, values } of ranges.series) {
    on.pace.hold(grid.count);
    const row = Row.empty(keepsName ? labels : labels.nameless, grid.count);
    const window = {
      times,
      values,
      from: 0,
      to: 0,
      startMs: 0,
      endMs: 0,
      evalMs: 0,
      params: [] as number[],
    };
    for (let step = 0; step < grid.count; step += 1) {
      window.endMs = ranges.endMs(step);
      window.startMs = window.endMs - ranges.rangeMs;
      while (window.to < times.length && (times[window.to] as number) <= window.endMs) {
        window.to += 1;
      }
      while (window.from < window.to && (times[window.from] as number) < window.startMs) {
        window.from += 1;
      }
      if (window.from === window.to) continue;
      window.evalMs = timeAt(grid, step);
      for (const [index, param] of params.entries()) window.params[index] = param[step] as number;
      const value = apply(window);
      if (value !== undefined) row.set(step, value);
      if (on.pace.isDue(window.to - window.from + 1)) await on.pace.pause();
    }
    on.pace.hold(-times.length);
    if (row.isEmpty) on.pace.hold(-grid.count);
    else rows.push(row);
    if (on.pace.isDue(LABELS_WORK + grid.count)) await on.pace.pause();
  }
  return merged(on.pace, rows, { strict: true });
}

async function absentOverTime(on: Evaluator, call: Call, grid: Grid): Promise<Row[]> {
  const ranges = await rangesOf(on, call, grid);
  const counts = await countsIn(on, ranges, grid);
  return absentWhere(call, grid, (step) => counts[step] === 0);
}

/** How many samples the windows of each step have in all. */
async function countsIn(on: Evaluator, ranges: Ranges, grid: Grid): Promise<Float64Array> {
  const counts = new Float64Array(grid.count);
  for (const { times } of ranges.series) {
    let from = 0;
    let to = 0;
    for (let step = 0; step < grid.count; step += 1) {
      const endMs = ranges.endMs(step);
      while (to < times.length && (times[to] as number) <= endMs) to += 1;
      while (from < to && (times[from] as number) < endMs - ranges.rangeMs) from += 1;
      counts[step] = (counts[step] as number) + to - from;
    }
    on.pace.hold(-times.length);
    if (on.pace.isDue(grid.count + times.length)) await on.pace.pause();
  }
  return counts;
}

async function absent(on: Evaluator, call: Call, grid: Grid): Promise<Row[]> {
  const isThere = await presentAt(on.pace, await on.rows(argOf(call, 0), grid), grid.count);
  return absentWhere(call, grid, (step) => isThere[step] !== 1);
}

function absentWhere(call: Call, grid: Grid, isAbsent: (step: number) => boolean): Row[] {
  const arg = unwrapped(argOf(call, 0));
  const isSelector = arg.type === 'selector' || arg.type === 'matrix';
  const [selector] = isSelector ? selectorsOf(arg) : [];
  const row = Row.empty(absentLabels(selector?.matchers ?? [], NO_LABELS), grid.count);
  for (let step = 0; step < grid.count; step += 1) if (isAbsent(step)) row.set(step, 1);
  return row.isEmpty ? [] : [row];
}

/** The time of each sample; of what is no selector's, that of the step. */
async function timestamp(on: Evaluator, call: Call, grid: Grid): Promise<Row[]> {
  const arg = unwrapped(argOf(call, 0));
  if (arg.type === 'selector') {
    const timeOf = ({ times }: { readonly times: Float64Array }, index: number): number =>
      (times[index] as number) / 1000;
    const rows = await on.selected(arg, grid, timeOf);
    const nameless = await mapRows(on.pace, rows, (row) => row.named(row.labels.nameless));
    return merged(on.pace, nameless);
  }
  const rows = await on.rows(arg, grid);
  const timed = await mapRows(on.pace, rows, ({ labels, values, present }) => {
    const times = values.map((_, step) => timeAt(grid, step) / 1000);
    return new Row(labels.nameless, times, present);
  });
  return merged(on.pace, timed);
}

async function rangesOf(on: Evaluator, call: Call, grid: Grid): Promise<Ranges> {
  for (const arg of call.args.map(unwrapped)) {
    if (arg.type === 'matrix' || arg.type === 'subquery') return on.ranges(arg, grid);
  }
  throw new Error(`the function ${call.name} has no range`);
}

function paramsOf(on: Evaluator, args: readonly Expr[], grid: Grid): Promise<Float64Array[]> {
  return Promise.all(args.map((arg) => on.scalar(arg, grid)));
}

function argOf({ args, name }: Call, index: number): Expr {
  const arg = args[index];
  if (arg === undefined) throw new Error(`${name} has been checked to have ${index} arguments`);
  return arg;
}

function textOf(expr: Expr): string {
  const inner = unwrapped(expr);
  return inner.type === 'string' ? inner.value : '';
}

/** Scalars are held until the query ends: there are few, and each is as long as the query. */
function scalarOf(
  grid: Grid,
  valueAt: (step: number) => number,
): { readonly type: 'scalar'; readonly values: Float64Array } {
  const values = Float64Array.from({ length: grid.count }, (_, step) => valueAt(step));
  return { type: 'scalar', values };
}

/** The value of the only row; NaN where there is none, or several. */
async function onlyValues(on: Evaluator, rows: readonly Row[], grid: Grid): Promise<Value> {
  const counts = new Uint32Array(grid.count);
  const values = new Float64Array(grid.count);
  await mapRows(on.pace, rows, (row) => {
    for (let step = 0; step < grid.count; step += 1) {
      if (!row.has(step)) continue;
      counts[step] = (counts[step] as number) + 1;
      values[step] = row.at(step);
    }
  });
  return scalarOf(grid, (step) => (counts[step] === 1 ? (values[step] as number) : Number.NaN));
}

function vector(rows: readonly Row[]): Value {
  return { type: 'vector', rows };
}
