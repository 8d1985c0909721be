/**
 * What one query may take: time, samples, and turns of the event loop.
 *
 * Samples are counted over all queries that run in the process, so that memory has one bound
 * however many ask. Each may hold half of what the others leave, so that one leaves something to the
 * next; a query that would go beyond it fails, and lets go what it holds. Turns are
 * shared as well: however many work, what else comes waits for one of them and no more.
 *
 * Parts of a query run beside each other. When one of them fails, the query is over for the others
 * too: what they hold would be given back by nobody.
 */

import { setMaxListeners } from 'node:events';
import { Turns } from '../turns.ts';
import { failed, QueryError } from './errors.ts';
import type { Pace } from './series.ts';

/** How long a query may keep others waiting, and how much work is done between looks at the clock. */
const TURN_MS = 5;
const WORK_PER_LOOK = 5000;

/** What all queries of a process share: how many samples they hold, and may hold, and their turns. */
export class SampleBudget {
  readonly turns: Turns = new Turns();
  readonly #most: number;
  #held = 0;

  constructor(most: number) {
    this.#most = most;
  }

  get held(): number {
    return this.#held;
  }

  /** Whether there is room for so many more of a query that holds `own`; if not, none are added. */
  add(samples: number, own: number): boolean {
    const left = this.#most - (this.#held - own);
    if (samples > 0 && own + samples > left / 2) return false;
    this.#held += samples;
    return true;
  }
}

export class Pacer implements Pace, Disposable {
  readonly deadlineMs: number;
  readonly #budget: SampleBudget;
  readonly #caller: AbortSignal;
  /** Aborted when the caller goes, and when the query is over. */
  readonly #end = new AbortController();
  readonly #abort = (): void => this.#end.abort();
  #held = 0;
  #isOver = false;
  #work = 0;
  #turnMs = performance.now();

  constructor(options: {
    readonly budget: SampleBudget;
    readonly timeoutMs: number;
    readonly signal: AbortSignal;
  }) {
    this.#budget = options.budget;
    this.#caller = options.signal;
    this.deadlineMs = Date.now() + options.timeoutMs;
    setMaxListeners(0, this.#end.signal); // One for each selector and each node that it asks.
    if (this.#caller.aborted) this.#abort();
    else this.#caller.addEventListener('abort', this.#abort, { once: true });
  }

  get signal(): AbortSignal {
    return this.#end.signal;
  }

  isDue(work: number): boolean {
    this.#work += work;
    if (this.#work < WORK_PER_LOOK) return false;
    this.#work = 0;
    return performance.now() - this.#turnMs > TURN_MS;
  }

  async pause(): Promise<void> {
    await this.#budget.turns.next();
    this.#turnMs = performance.now();
    if (this.signal.aborted) throw canceled();
    if (Date.now() > this.deadlineMs) {
      throw timedOut();
    }
  }

  hold(samples: number): void {
    if (this.#isOver) throw canceled();
    if (!this.#budget.add(samples, this.#held)) throw tooManySamples();
    this.#held += samples;
  }

  [Symbol.dispose](): void {
    this.#isOver = true;
    this.#caller.removeEventListener('abort', this.#abort);
    this.#abort();
    this.#budget.add(-this.#held, this.#held);
    this.#held = 0;
  }
}

export function tooManySamples(): QueryError {
  return failed('query processing would load too many samples into memory in query execution');
}

export function timedOut(): QueryError {
  return new QueryError('timeout', 'query timed out in expression evaluation');
}

export function canceled(): QueryError {
  return new QueryError('canceled', 'query was canceled in expression evaluation');
}
