/**
 * What one query may take: time, samples, and turns of the event loop.
 *
 * Samples are counted over all queries that run in the process, so that memory has one bound
 * however many ask: a query that would go beyond it fails, and lets go what it holds.
 */

import { setImmediate } from 'node:timers/promises';
import { failed, QueryError } from './errors.ts';
import type { Pace } from './series.ts';

/** How long a query may keep others waiting, and how much work is done between looks at the clock. */
const TURN_MS = 5;
const WORK_PER_LOOK = 5000;

/** How many samples all queries together hold, and may hold. */
export class SampleBudget {
  readonly #most: number;
  #held = 0;

  constructor(most: number) {
    this.#most = most;
  }

  get held(): number {
    return this.#held;
  }

  /** Whether there was room for so many; if not, none are added. */
  add(samples: number): boolean {
    if (samples > 0 && this.#held + samples > this.#most) return false;
    this.#held += samples;
    return true;
  }
}

export class Pacer implements Pace, Disposable {
  readonly deadlineMs: number;
  readonly signal: AbortSignal;
  readonly #budget: SampleBudget;
  #held = 0;
  #work = 0;
  #turnMs = performance.now();

  constructor(options: {
    readonly budget: SampleBudget;
    readonly timeoutMs: number;
    readonly signal: AbortSignal;
  }) {
    this.#budget = options.budget;
    this.signal = options.signal;
    this.deadlineMs = Date.now() + options.timeoutMs;
  }

  isDue(work: number): boolean {
    this.#work += work;
    if (this.#work < WORK_PER_LOOK) return false;
    this.#work = 0;
    return performance.now() - this.#turnMs > TURN_MS;
  }

  async pause(): Promise<void> {
    await setImmediate();
    this.#turnMs = performance.now();
    if (this.signal.aborted) throw canceled();
    if (Date.now() > this.deadlineMs) {
      throw new QueryError('timeout', 'query timed out in expression evaluation');
    }
  }

  hold(samples: number): void {
    this.#held += samples;
    if (!this.#budget.add(samples)) {
      this.#held -= samples;
      throw tooManySamples();
    }
  }

  [Symbol.dispose](): void {
    this.#budget.add(-this.#held);
    this.#held = 0;
  }
}

export function tooManySamples(): QueryError {
  return failed('query processing would load too many samples into memory in query execution');
}

export function canceled(): QueryError {
  return new QueryError('canceled', 'query was canceled in expression evaluation');
}
