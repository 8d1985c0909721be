/** Calls of functions: gets their arguments, and hands them to what knows the function. */

import { type Call, type Expr, selectorsOf, unwrapped } from './ast.ts';
import { typeOf } from './check.ts';
import type { Evaluator, Ranges, Value } from './evaluate.ts';
import { histogramQuantile } from './functions/histogram.ts';
import { absentLabels, labelJoin, labelReplace, sortByLabels } from './functions/label.ts';
import { DATE_FUNCTIONS, NUMBER_FUNCTIONS, type NumberFunction } from './functions/number.ts';
import { RANGE_FUNCTIONS, type RangeFunction } from './functions/range.ts';
import { LABELS_WORK, mapInTurns, sortInTurns, workOfLabels } from './in-turns.ts';
import { NO_LABELS } from './labels.ts';
import { type Grid, merged, presentAt, Row, timeAt } from './rows.ts';
import { constant, onlyValues, rowOf, scalarOf, withScalars } from './scalars.ts';
import type { Pace } from './series.ts';
import { inPieces, isPieceEnd, mapSteps, PIECE_STEPS } from './steps.ts';

export async function callFunction(on: Evaluator, call: Call, grid: Grid): Promise<Value> {
  const { name, args } = call;
  switch (name) {
    case 'time':
      return scalarOf(on, grid, (step) => timeAt(grid, step) / 1000);
    case 'pi':
      return constant(on, grid.count, Math.PI);
    case 'scalar':
      return onlyValues(on, await on.rows(argOf(call, 0), grid), grid);
    case 'vector': {
      const values = await on.scalar(argOf(call, 0), grid);
      return vector([await rowOf(on, { type: 'scalar', values })]);
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
    const dates = await scalarOf(on, grid, (step) => ofDate(timeAt(grid, step) / 1000));
    return vector([await rowOf(on, dates)]);
  }
  const ofNumber = NUMBER_FUNCTIONS[name];
  if (ofNumber !== undefined) return vector(await overNumbers(on, call, grid, ofNumber));
  return vector(await overRows(on, call, grid));
}

/** Functions of all rows together. */
async function overRows(on: Evaluator, call: Call, grid: Grid): Promise<readonly Row[]> {
  const { name, args } = call;
  if (name === 'histogram_quantile') {
    const asked = on.rows(argOf(call, 1), grid);
    const [rows, [q]] = await withScalars(on, grid, asked, [argOf(call, 0)]);
    if (q === undefined) throw new Error('one was asked for');
    const result = on.hold(await histogramQuantile(on.pace, q, rows));
    on.release(rows);
    on.releaseScalar(q);
    return result;
  }
  const rows = await on.rows(argOf(call, 0), grid);
  const texts = args.slice(1).map(textOf);
  switch (name) {
    case 'label_replace':
      return labelReplace(on.pace, rows, texts, on.sizes);
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
  const asked = on.rows(argOf(call, 0), grid);
  const [rows, params] = await withScalars(on, grid, asked, call.args.slice(1));
  const [a, b] = params;
  const begin = ({ labels }: Row): Row => {
    on.pace.hold(grid.count);
    return Row.empty(labels.nameless, grid.count);
  };
  const result = await mapSteps(on.pace, rows, begin, (made, row, from, to) => {
    for (let step = from; step < to; step += 1) {
      if (!row.has(step)) continue;
      // `round` rounds to 1 when it isn't told otherwise.
      const value = apply(row.at(step), a?.[step] ?? 1, b?.[step] ?? 1);
      if (value !== undefined) made.set(step, value);
    }
  });
  on.release(rows);
  for (const param of params) on.releaseScalar(param);
  return merged(on.pace, result);
}

async function overRanges(
  on: Evaluator,
  call: Call,
  grid: Grid,
  apply: RangeFunction,
): Promise<Row[]> {
  const others = call.args.filter((arg) => typeOf(arg) === 'scalar');
  const [ranges, params] = await withScalars(on, grid, rangesOf(on, call, grid), others);
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
      if (isPieceEnd(step) && on.pace.isDue(PIECE_STEPS)) await on.pace.pause();
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
    if (on.pace.isDue(LABELS_WORK + (grid.count % PIECE_STEPS))) await on.pace.pause();
  }
  for (const param of params) on.releaseScalar(param);
  return merged(on.pace, rows, { strict: true });
}

async function absentOverTime(on: Evaluator, call: Call, grid: Grid): Promise<Row[]> {
  const ranges = await rangesOf(on, call, grid);
  const counts = await countsIn(on, ranges, grid);
  const rows = await absentWhere(on, call, grid, (step) => counts[step] === 0);
  on.releaseScalar(counts);
  return rows;
}

/** How many samples the windows of each step have in all. */
async function countsIn(on: Evaluator, ranges: Ranges, grid: Grid): Promise<Float64Array> {
  on.pace.hold(grid.count);
  const counts = new Float64Array(grid.count);
  for (const { times } of ranges.series) {
    let from = 0;
    let to = 0;
    let counted = 0;
    for (let step = 0; step < grid.count; step += 1) {
      const endMs = ranges.endMs(step);
      while (to < times.length && (times[to] as number) <= endMs) to += 1;
      while (from < to && (times[from] as number) < endMs - ranges.rangeMs) from += 1;
      counts[step] = (counts[step] as number) + to - from;
      if (!isPieceEnd(step)) continue;
      if (on.pace.isDue(PIECE_STEPS + to - counted)) await on.pace.pause();
      counted = to;
    }
    on.pace.hold(-times.length);
    const work = (grid.count % PIECE_STEPS) + times.length - counted;
    if (on.pace.isDue(work)) await on.pace.pause();
  }
  return counts;
}

async function absent(on: Evaluator, call: Call, grid: Grid): Promise<Row[]> {
  const rows = await on.rows(argOf(call, 0), grid);
  const isThere = await presentAt(on.pace, rows, grid.count);
  on.release(rows);
  return absentWhere(on, call, grid, (step) => isThere[step] !== 1);
}

async function absentWhere(
  on: Evaluator,
  call: Call,
  grid: Grid,
  isAbsent: (step: number) => boolean,
): Promise<Row[]> {
  const arg = unwrapped(argOf(call, 0));
  const isSelector = arg.type === 'selector' || arg.type === 'matrix';
  const [selector] = isSelector ? selectorsOf(arg) : [];
  on.pace.hold(grid.count);
  const row = Row.empty(absentLabels(selector?.matchers ?? [], NO_LABELS), grid.count);
  await inPieces(on.pace, grid.count, (from, to) => {
    for (let step = from; step < to; step += 1) if (isAbsent(step)) row.set(step, 1);
  });
  if (!row.isEmpty) return [row];
  on.release([row]);
  return [];
}

/** The time of each sample; of what is no selector's, that of the step. */
async function timestamp(on: Evaluator, call: Call, grid: Grid): Promise<Row[]> {
  const arg = unwrapped(argOf(call, 0));
  if (arg.type === 'selector') {
    const timeOf = ({ times }: { readonly times: Float64Array }, index: number): number =>
      (times[index] as number) / 1000;
    const rows = await on.selected(arg, grid, timeOf);
    const workOf = ({ labels }: Row): number => workOfLabels(labels);
    const named = (row: Row): Row => row.named(row.labels.nameless);
    const nameless = await mapInTurns(on.pace, rows, workOf, named);
    return merged(on.pace, nameless);
  }
  const rows = await on.rows(arg, grid);
  const begin = ({ labels, present }: Row): Row =>
    new Row(labels.nameless, new Float64Array(grid.count), present);
  const timed = await mapSteps(on.pace, rows, begin, ({ values }, _row, from, to) => {
    for (let step = from; step < to; step += 1) values[step] = timeAt(grid, step) / 1000;
  });
  return merged(on.pace, timed);
}

async function rangesOf(on: Evaluator, call: Call, grid: Grid): Promise<Ranges> {
  for (const arg of call.args.map(unwrapped)) {
    if (arg.type === 'matrix' || arg.type === 'subquery') return on.ranges(arg, grid);
  }
  throw new Error(`the function ${call.name} has no range`);
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

function vector(rows: readonly Row[]): Value {
  return { type: 'vector', rows };
}
