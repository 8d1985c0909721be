/**
 * When a subscriber gets what waits for it, so that streams of few envelopes are cheap.
 *
 *     in    ·  ·   · ·    ·   ·  ·  ·                    ·
 *     out   ·          [···]            [····]           ·
 *           at once    └──── ROUND_MS ────┘              at once
 *
 * A message costs as much as dozens of envelopes, whatever is in it; a hundred app streams would
 * make one of each line. So a subscriber that got one within the last ROUND_MS waits for the end of
 * a round, and then gets all that came meanwhile. Rounds are the same for all: the messages of many
 * streams leave in one turn, and so in few packets. After a quiet spell there is no wait, and none
 * when a message is full. Loggregator v107.0.21 waits up to 100 ms.
 *
 * Nothing is lost here: what waits does so in the subscriber's queue. There is one timer, and only
 * while anybody waits.
 */

import { setImmediate as nextTurn } from 'node:timers/promises';

/** How long an envelope may wait for others. */
export const ROUND_MS = 20;

/** The rounds of all subscribers. */
export class Rounds {
  #waiting: (() => void)[] = [];

  /** Calls back at the end of the round that is running, or of one that begins now. */
  atEnd(listener: () => void): void {
    if (this.#waiting.push(listener) === 1) setTimeout(this.#end, ROUND_MS);
  }

  readonly #end = (): void => {
    const listeners = this.#waiting;
    this.#waiting = [];
    for (const listener of listeners) listener();
  };
}

/** The pace of one subscriber. */
export class Pace {
  readonly #rounds: Pick<Rounds, 'atEnd'>;
  readonly #now: () => number;
  #gatheredAt = Number.NEGATIVE_INFINITY;
  #release: (() => void) | undefined;

  /** `now` tells milliseconds since any moment. */
  constructor(rounds: Pick<Rounds, 'atEnd'>, now: () => number = () => performance.now()) {
    this.#rounds = rounds;
    this.#now = now;
  }

  /** Resolves when what waits is to be sent. */
  readonly gather = async (): Promise<void> => {
    const isBusy = this.#now() - this.#gatheredAt < ROUND_MS;
    await (isBusy ? this.#endOfRound() : nextTurn());
    this.#gatheredAt = this.#now();
  };

  /** Ends the wait: there is a full message. */
  hurry(): void {
    this.#release?.();
  }

  #endOfRound(): Promise<void> {
    return new Promise((resolve) => {
      const release = (): void => {
        this.#release = undefined;
        resolve();
      };
      this.#release = release;
      this.#rounds.atEnd(release);
    });
  }
}
