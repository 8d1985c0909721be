/**
 * How long a node is waited for: not for long again, when it has just let somebody wait in vain.
 *
 *     calls     │ 5 s, in vain │ ½ s │ ½ s │ … for 5 s … │ 5 s, in vain │ ½ s │ …
 *
 * A node that is dead is told at once by its socket; one that hangs is told by nothing but silence.
 * Each reader who asks it would wait for the whole deadline. After the first has, the others get
 * little, until the node answers anybody, or it is time to try for long again: a search may need it.
 */

import { type Clock, systemClock } from '@standpipe/plumbing';

const SHORT_MS = 500;
/** How long a node is thought to hang after it has not answered. */
const SUSPECTED_MS = 5000;

export class Patience {
  readonly #clock: Pick<Clock, 'now'>;
  #suspectedUntil = 0;

  constructor(clock: Pick<Clock, 'now'> = systemClock) {
    this.#clock = clock;
  }

  /** How much of this many milliseconds a call may take now. */
  limit(ms: number): number {
    return this.#clock.now() < this.#suspectedUntil ? Math.min(ms, SHORT_MS) : ms;
  }

  /** The node has answered, whatever it said. */
  answered(): void {
    this.#suspectedUntil = 0;
  }

  /** A call has had all its time, and no answer. One that had little says nothing new. */
  ranOut(): void {
    const now = this.#clock.now();
    if (now >= this.#suspectedUntil) this.#suspectedUntil = now + SUSPECTED_MS;
  }
}
