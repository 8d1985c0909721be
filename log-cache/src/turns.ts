/**
 * Lets long work share the event loop: whoever has worked for a while waits here for its turn.
 *
 * One goes on per round of the event loop, in the order they came, and sockets and timers are
 * served between two rounds. So however many searches there are, what comes in waits for a slice
 * of one of them and no more.
 */

import { setImmediate as nextRound } from 'node:timers/promises';

export class Turns {
  #last: Promise<void> = Promise.resolve();

  /** Resolves in a later round of the event loop, which nobody else here has. */
  next(): Promise<void> {
    this.#last = this.#last.then(() => nextRound());
    return this.#last;
  }
}
