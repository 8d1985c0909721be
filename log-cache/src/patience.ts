/**
 * How long a node is waited for: not for long again, when it has just let somebody wait in vain.
 *
 *     calls     │ long, in vain │ short │ short │ … for 5 s … │ long, in vain │ short │ …
 *
 * A node that is dead is told at once by its socket; one that hangs is told by nothing but silence.
 * Each reader who asks it would wait for the whole deadline. After the first has, the others get
 * little, until the node answers anybody, or it is time to try for long again: a search may need it.
 * That callers with little time of their own have waited in vain says nothing.
 */

import { type Clock, systemClock } from '@standpipe/plumbing';

/** How long a node is thought to hang after it has not answered. */
const SUSPECTED_MS = 5000;

export interface PatienceOptions {
  /** Who has not answered within this is thought to hang, */
  readonly longMs: number;
  /** and has this much from then on. */
  readonly shortMs: number;
  readonly clock?: Pick<Clock, 'now'>;
}

export class Patience {
  readonly #longMs: number;
  readonly #shortMs: number;
  readonly #clock: Pick<Clock, 'now'>;
  #suspectedUntil = 0;

  constructor({ longMs, shortMs, clock = systemClock }: PatienceOptions) {
    this.#longMs = longMs;
    this.#shortMs = shortMs;
    this.#clock = clock;
  }

  /** How much of this many milliseconds a call may take now. */
  limit(ms: number): number {
    return this.#clock.now() < this.#suspectedUntil ? Math.min(ms, this.#shortMs) : ms;
  }

  /** The node has answered, whatever it said. */
  answered(): void {
    this.#suspectedUntil = 0;
  }

  /** A call has waited this long, and had no answer. */
  ranOut(waitedMs: number): void {
    const now = this.#clock.now();
    if (waitedMs < this.#longMs || now < this.#suspectedUntil) return;
    this.#suspectedUntil = now + SUSPECTED_MS;
  }
}
