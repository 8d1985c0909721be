/**
 * Answers PromQL: instant and range queries, and which labels and series there are.
 *
 * What a query may take is bounded: `timeoutMs`, QUERY_SAMPLES_MAX samples over all queries that run,
 * 11,000 steps, and an end when its caller goes. What comes out are results; how they are written is
 * the matter of those who ask (routes.ts, service.ts).
 *
 * A metric's name is left out of results when the query says it (`cpu{…}`), as the original does;
 * where a query finds names by itself (`{source_id="a"}`) or works with them, they are there.
 * `withNames` asks for them always.
 */

import { status } from '@grpc/grpc-js';
import type { Counter, Gauge, Metrics } from '@standpipe/plumbing';
import { ReadError } from '../read-error.ts';
import { childrenOf, type Expr, selectorsOf, unwrapped } from './ast.ts';
import { typeName, typeOf } from './check.ts';
import { badData, QueryError } from './errors.ts';
import { Evaluator } from './evaluate.ts';
import type { Result } from './format.ts';
import { LABELS_WORK, sortInTurns, startAhead } from './in-turns.ts';
import { type Matcher, PatternSizes } from './matcher.ts';
import { METRIC_NAME } from './names.ts';
import { canceled, Pacer, SampleBudget } from './pacer.ts';
import { parse } from './parse.ts';
import { promQlMetrics } from './promql-metrics.ts';
import { instantResult, matrixResult, type Namer, rangeResult } from './results.ts';
import type { Grid } from './rows.ts';
import type { Pace, Selected, SeriesSource } from './series.ts';
import { restricted } from './sources.ts';
import { TOKENS_MAX } from './token-count.ts';

export const QUERY_TIMEOUT_MS_DEFAULT = 10_000;
export const QUERY_SAMPLES_MAX = 50_000_000;
const STEPS_MAX = 11_000;
/** So many `match[]` are selected beside the one that is waited for. */
const LISTS_AHEAD_MAX = 4;

/** Who asks, and how. */
export interface Asker {
  /** Ends the query. */
  readonly signal: AbortSignal;
  /** The only sources that the asker may see; undefined: all. */
  readonly sources?: ReadonlySet<string> | undefined;
  readonly timeoutMs?: number | undefined;
  /** Whether results always have the names of metrics. */
  readonly withNames?: boolean;
}

export interface RangeBounds {
  readonly startMs: number;
  readonly endMs: number;
  readonly stepMs: number;
}

export interface SeriesQuestion extends Pick<RangeBounds, 'startMs' | 'endMs'> {
  readonly lists: readonly (readonly Matcher[])[];
}

export interface Answer {
  readonly result: Result;
  /** The nodes, as ZONE/INDEX, that could not be asked. */
  readonly unreachable: readonly string[];
}

export interface QuerierOptions {
  readonly source: SeriesSource;
  readonly metrics: Metrics;
  readonly timeoutMs?: number;
  readonly budget?: SampleBudget;
}

export class Querier {
  readonly #source: SeriesSource;
  readonly #timeoutMs: number;
  readonly #budget: SampleBudget;
  readonly #timeouts: Counter;
  readonly #instantMs: Gauge;
  readonly #rangeMs: Gauge;

  constructor(options: QuerierOptions) {
    this.#source = options.source;
    this.#timeoutMs = options.timeoutMs ?? QUERY_TIMEOUT_MS_DEFAULT;
    this.#budget = options.budget ?? new SampleBudget(QUERY_SAMPLES_MAX);
    const { timeouts, instantMs, rangeMs } = promQlMetrics(options.metrics);
    this.#timeouts = timeouts;
    this.#instantMs = instantMs;
    this.#rangeMs = rangeMs;
  }

  /**
   * Rejects with a QueryError; with a ReadError, where the samples or the answer are what is wrong.
   * `answer` makes of the result what is wanted, in the query's time.
   */
  async instant<T>(
    query: string,
    timeMs: number,
    asker: Asker,
    answer: (given: Answer, pace: Pace) => Promise<T>,
  ): Promise<T> {
    const sizes = new PatternSizes();
    const expr = await this.#parsed(query, sizes);
    return this.#timed(this.#instantMs, asker, async (pace) => {
      const grid = { startMs: timeMs, stepMs: 1, count: 1 };
      const times = { startMs: timeMs, endMs: timeMs };
      const source = this.#sourceFor(asker);
      const evaluator = new Evaluator({ source, pace, sizes, ...times });
      const namesOf = namer(expr, asker);
      const inner = unwrapped(expr);
      const result =
        inner.type === 'matrix' || inner.type === 'subquery'
          ? await matrixResult(evaluator, inner, grid, namesOf)
          : await instantResult(pace, await evaluator.evaluate(expr, grid), timeMs, namesOf);
      return answer({ result, unreachable: [...evaluator.unreachable] }, pace);
    });
  }

  /** Rejects as `instant` does. */
  async range<T>(
    query: string,
    bounds: RangeBounds,
    asker: Asker,
    answer: (given: Answer, pace: Pace) => Promise<T>,
  ): Promise<T> {
    const grid = gridOf(bounds);
    const sizes = new PatternSizes();
    const expr = await this.#parsed(query, sizes);
    const type = typeOf(expr);
    if (type !== 'scalar' && type !== 'vector') {
      throw badData(
        `invalid expression type "${typeName(type)}" for range query, must be Scalar or instant Vector`,
      );
    }
    return this.#timed(this.#rangeMs, asker, async (pace) => {
      const source = this.#sourceFor(asker);
      const evaluator = new Evaluator({ source, pace, sizes, ...bounds });
      const value = await evaluator.evaluate(expr, grid);
      const result = await rangeResult(pace, value, grid, namer(expr, asker));
      return answer({ result, unreachable: [...evaluator.unreachable] }, pace);
    });
  }

  /**
   * The series that any of the lists of matchers selects, without their samples, by their labels.
   * `ask` is of the query's time as well: lists have to be read.
   */
  async series<T>(
    ask: (pace: Pace) => Promise<SeriesQuestion>,
    asker: Asker,
    answer: (selected: Selected, pace: Pace) => Promise<T>,
  ): Promise<T> {
    return this.#timed(undefined, asker, async (pace) => {
      const { lists, startMs, endMs } = await ask(pace);
      const source = this.#sourceFor(asker);
      const found = new Map<string, Selected['series'][number]>();
      const unreachable = new Set<string>();
      const select = (matchers: readonly Matcher[]): Promise<Selected> =>
        source.select({ matchers, startMs, endMs, labelsOnly: true }, pace);
      for await (const selected of startAhead(lists, LISTS_AHEAD_MAX, select)) {
        for (const one of selected.series) {
          found.set(one.labels.key, one);
          if (pace.isDue(LABELS_WORK)) await pace.pause();
        }
        for (const node of selected.unreachable) unreachable.add(node);
      }
      const series = await sortInTurns(pace, [...found.values()], (a, b) =>
        a.labels.compare(b.labels),
      );
      return answer({ series, unreachable: [...unreachable] }, pace);
    });
  }

  #sourceFor({ sources }: Asker): SeriesSource {
    return sources === undefined ? this.#source : restricted(this.#source, sources);
  }

  /** A text that may have many tokens takes a turn of its own. */
  async #parsed(query: string, sizes: PatternSizes): Promise<Expr> {
    if (query.length > TOKENS_MAX) await this.#budget.turns.next();
    return parse(query, sizes);
  }

  async #timed<T>(
    gauge: Gauge | undefined,
    { signal, timeoutMs = this.#timeoutMs }: Asker,
    work: (pace: Pace) => Promise<T>,
  ): Promise<T> {
    const started = performance.now();
    if (signal.aborted) throw canceled();
    using pace = new Pacer({
      budget: this.#budget,
      timeoutMs: Math.min(timeoutMs, this.#timeoutMs),
      signal,
    });
    try {
      return await work(pace);
    } catch (error) {
      if (isWithoutData(error)) this.#timeouts.add(1);
      throw error;
    } finally {
      gauge?.set(performance.now() - started);
    }
  }
}

/** Whether a query failed for want of time, or because who has its data could not give it. */
function isWithoutData(error: unknown): boolean {
  if (error instanceof ReadError) return error.code !== status.RESOURCE_EXHAUSTED;
  return error instanceof QueryError && error.type === 'timeout';
}

function gridOf({ startMs, endMs, stepMs }: RangeBounds): Grid {
  if (endMs < startMs) throw badData('end timestamp must not be before start time');
  if (stepMs <= 0) {
    throw badData(
      'zero or negative query resolution step widths are not accepted. Try a positive integer',
    );
  }
  const count = Math.floor((endMs - startMs) / stepMs) + 1;
  if (count - 1 > STEPS_MAX) {
    throw badData(
      'exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)',
    );
  }
  return { startMs, stepMs, count };
}

/** Decides whether results have the names of metrics. */
function namer(expr: Expr, { withNames = false }: Asker): Namer {
  if (withNames || !saysNames(expr) || worksWithNames(expr)) return (labels) => labels;
  return (labels) => labels.nameless;
}

function saysNames(expr: Expr): boolean {
  return [...selectorsOf(expr)].every(({ matchers }) =>
    matchers.some(({ name, op }) => name === METRIC_NAME && op === '='),
  );
}

/** Whether a query says `__name__` where labels are worked with. */
function worksWithNames(expr: Expr): boolean {
  if (expr.type === 'string') return expr.value === METRIC_NAME;
  if (expr.type === 'aggregate' && expr.grouping.includes(METRIC_NAME)) return true;
  const labels = expr.type === 'binary' ? (expr.matching?.labels ?? []) : [];
  return labels.includes(METRIC_NAME) || childrenOf(expr).some(worksWithNames);
}
