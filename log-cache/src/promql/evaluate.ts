/**
 * Evaluates an expression at all steps of a query at once, as Prometheus 2.42 does step by step.
 *
 * A look-back of five minutes, no markers of staleness, and ranges that include both their ends. An
 * expression that is the same at every step, since `@` fixes its times, is evaluated once. The
 * event loop gets its turn every few milliseconds, and what is held is counted (pacer.ts).
 */

import { aggregate } from './aggregate.ts';
import type { Expr, MatrixSelector, Subquery, TimeShift, VectorSelector } from './ast.ts';
import { binary } from './binary.ts';
import { callFunction } from './calls.ts';
import { LABELS_WORK, sortInTurns } from './in-turns.ts';
import { cumulated } from './log-lines.ts';
import type { PatternSizes } from './matcher.ts';
import { tooManySamples } from './pacer.ts';
import type { Grid, Row } from './rows.ts';
import { merged, Row as Rows, sizeOf, timeAt } from './rows.ts';
import { constant } from './scalars.ts';
import type { Pace, Selection, Series, SeriesSource } from './series.ts';
import { isStepInvariant } from './step-invariant.ts';
import { inPieces, isPieceEnd, mapSteps, PIECE_STEPS } from './steps.ts';

export const LOOK_BACK_MS = 300_000;
/** The step of a subquery that doesn't say its own: Prometheus' evaluation interval. */
export const SUBQUERY_STEP_MS = 60_000;

const SUBQUERY_STEPS_MAX = 1_000_000;

export type Value =
  | { readonly type: 'scalar'; readonly values: Float64Array }
  | { readonly type: 'vector'; readonly rows: readonly Row[] }
  | { readonly type: 'string'; readonly value: string };

/** Samples, and the window of each step in them. */
export interface Ranges {
  readonly series: readonly Series[];
  readonly rangeMs: number;
  /** The last moment of a step's window; the first is `rangeMs` before. */
  readonly endMs: (step: number) => number;
}

export interface EvaluatorOptions {
  readonly source: SeriesSource;
  readonly pace: Pace;
  /** Of the regular expressions of the request, the matchers' first. */
  readonly sizes: PatternSizes;
  /** What `start()` and `end()` are. */
  readonly startMs: number;
  readonly endMs: number;
}

export class Evaluator {
  readonly pace: Pace;
  readonly sizes: PatternSizes;
  /** The nodes that could not be asked. */
  readonly unreachable: Set<string> = new Set();
  readonly #source: SeriesSource;
  readonly #startMs: number;
  readonly #endMs: number;

  constructor({ source, pace, sizes, startMs, endMs }: EvaluatorOptions) {
    this.#source = source;
    this.pace = pace;
    this.sizes = sizes;
    this.#startMs = startMs;
    this.#endMs = endMs;
  }

  async evaluate(expr: Expr, grid: Grid): Promise<Value> {
    if (grid.count > 1 && isStepInvariant(expr)) {
      const value = await this.#evaluate(expr, { ...grid, count: 1 });
      return this.#spread(value, grid.count);
    }
    return this.#evaluate(expr, grid);
  }

  async rows(expr: Expr, grid: Grid): Promise<readonly Row[]> {
    const value = await this.evaluate(expr, grid);
    if (value.type !== 'vector') throw new Error(`a ${value.type} where types say vector`);
    return value.rows;
  }

  async scalar(expr: Expr, grid: Grid): Promise<Float64Array> {
    const value = await this.evaluate(expr, grid);
    if (value.type !== 'scalar') throw new Error(`a ${value.type} where types say scalar`);
    return value.values;
  }

  /** The samples of a range selector or a subquery, for the windows of all steps. */
  async ranges(expr: MatrixSelector | Subquery, grid: Grid): Promise<Ranges> {
    const { rangeMs } = expr;
    if (expr.type === 'matrix') {
      const endMs = this.#shifted(expr.selector, grid);
      const series = await this.#load(expr.selector, grid, rangeMs);
      return { series, rangeMs, endMs };
    }
    const endMs = this.#shifted(expr, grid);
    const stepMs = expr.stepMs ?? SUBQUERY_STEP_MS;
    const first = endMs(0) - rangeMs;
    const last = endMs(grid.count - 1);
    const startMs = Math.ceil(first / stepMs) * stepMs;
    const count = Math.max(0, Math.floor((last - startMs) / stepMs) + 1);
    if (count === 0) return { series: [], rangeMs, endMs };
    const inner = { startMs, stepMs, count };
    if (count > SUBQUERY_STEPS_MAX) throw tooManySamples();
    const series = await seriesOf(this.pace, await this.rows(expr.expr, inner), inner);
    return { series, rangeMs, endMs };
  }

  /** Gives its samples back to the budget, once something else was made of them. */
  release(rows: readonly Row[]): void {
    this.pace.hold(-sizeOf(rows));
  }

  /** The same for a scalar: each belongs to whoever asked for it. */
  releaseScalar(values: Float64Array): void {
    this.pace.hold(-values.length);
  }

  hold<T extends readonly Row[]>(rows: T): T {
    this.pace.hold(sizeOf(rows));
    return rows;
  }

  /** For each step the sample that an instant selector sees, with the time that it has. */
  async selected(
    selector: VectorSelector,
    grid: Grid,
    sampleOf: (series: Series, index: number) => number,
  ): Promise<Row[]> {
    const refMs = this.#shifted(selector, grid);
    const rows: Row[] = [];
    for (const series of await this.#load(selector, grid, LOOK_BACK_MS)) {
      this.pace.hold(grid.count);
      const row = Rows.empty(series.labels, grid.count);
      const { times } = series;
      let next = 0;
      let counted = 0;
      for (let step = 0; step < grid.count; step += 1) {
        const ref = refMs(step);
        while (next < times.length && (times[next] as number) <= ref) next += 1;
        if (next > 0 && (times[next - 1] as number) >= ref - LOOK_BACK_MS) {
          row.set(step, sampleOf(series, next - 1));
        }
        if (!isPieceEnd(step)) continue;
        if (this.pace.isDue(PIECE_STEPS + next - counted)) await this.pace.pause();
        counted = next;
      }
      this.pace.hold(-times.length);
      const work = LABELS_WORK + (grid.count % PIECE_STEPS) + times.length - counted;
      if (this.pace.isDue(work)) await this.pace.pause();
      if (row.isEmpty) this.pace.hold(-grid.count);
      else rows.push(row);
    }
    return rows;
  }

  async #evaluate(expr: Expr, grid: Grid): Promise<Value> {
    switch (expr.type) {
      case 'number':
        return constant(this, grid.count, expr.value);
      case 'string':
        return { type: 'string', value: expr.value };
      case 'paren':
        return this.evaluate(expr.expr, grid);
      case 'selector':
        return {
          type: 'vector',
          rows: await this.selected(expr, grid, ({ values }, index) => values[index] as number),
        };
      case 'unary':
        return this.#signed(expr.op, await this.evaluate(expr.expr, grid));
      case 'aggregate':
        return { type: 'vector', rows: await aggregate(this, expr, grid) };
      case 'binary':
        return binary(this, expr, grid);
      case 'call':
        return callFunction(this, expr, grid);
      default:
        throw new Error(`a ${expr.type} where types say vector`);
    }
  }

  async #signed(op: '+' | '-', value: Value): Promise<Value> {
    if (op === '+' || value.type === 'string') return value;
    if (value.type === 'scalar') {
      const { values } = value;
      await inPieces(this.pace, values.length, (from, to) => {
        for (let step = from; step < to; step += 1) values[step] = -(values[step] as number);
      });
      return value;
    }
    const begin = ({ labels, values, present }: Row): Row =>
      new Rows(labels.nameless, new Float64Array(values.length), present);
    const negated = await mapSteps(this.pace, value.rows, begin, (made, { values }, from, to) => {
      for (let step = from; step < to; step += 1) made.values[step] = -(values[step] as number);
    });
    return { type: 'vector', rows: await merged(this.pace, negated, { strict: true }) };
  }

  /** Where each step looks: its own time or the fixed one, less the offset. */
  #shifted({ offsetMs, at }: TimeShift, grid: Grid): (step: number) => number {
    if (at === undefined) return (step) => timeAt(grid, step) - offsetMs;
    const fixed = at === 'start' ? this.#startMs : at === 'end' ? this.#endMs : at;
    return () => fixed - offsetMs;
  }

  async #load(selector: VectorSelector, grid: Grid, reachMs: number): Promise<Series[]> {
    const refMs = this.#shifted(selector, grid);
    const selection: Selection = {
      matchers: selector.matchers,
      startMs: refMs(0) - reachMs,
      endMs: refMs(grid.count - 1),
      labelsOnly: false,
    };
    const { series, unreachable } = await this.#source.select(selection, this.pace);
    for (const node of unreachable) this.unreachable.add(node);
    const counted: Series[] = [];
    for (const one of series) {
      counted.push(one.type === 'log' ? await cumulated(one, selection, this.pace) : one);
    }
    return sortInTurns(this.pace, counted, (a, b) => a.labels.compare(b.labels));
  }

  /** Gives every step the value of the first. */
  async #spread(value: Value, count: number): Promise<Value> {
    if (value.type === 'string') return value;
    if (value.type === 'scalar') {
      this.releaseScalar(value.values);
      return constant(this, count, value.values[0] ?? Number.NaN);
    }
    this.pace.hold(value.rows.length * (count - 1));
    const rows: Row[] = [];
    for (const { labels, values, present } of value.rows) {
      const row = Rows.empty(labels, count);
      await inPieces(this.pace, count, (from, to) => {
        row.values.fill(values[0] ?? Number.NaN, from, to);
        row.present.fill(present[0] ?? 0, from, to);
      });
      rows.push(row);
    }
    return { type: 'vector', rows };
  }
}

/** The values of a subquery's steps as samples. */
async function seriesOf(pace: Pace, rows: readonly Row[], grid: Grid): Promise<Series[]> {
  const begin = ({ labels }: Row) => ({
    labels,
    count: 0,
    times: new Float64Array(grid.count),
    values: new Float64Array(grid.count),
  });
  const filled = await mapSteps(pace, rows, begin, (made, row, from, to) => {
    for (let step = from; step < to; step += 1) {
      if (!row.has(step)) continue;
      made.times[made.count] = timeAt(grid, step);
      made.values[made.count] = row.at(step);
      made.count += 1;
    }
  });
  return filled.map(({ labels, count, times, values }) => ({
    labels,
    type: 'gauge',
    unit: '',
    times: times.subarray(0, count),
    values: values.subarray(0, count),
  }));
}
