/**
 * Whose question to Cloud Controller is next: each reader has SHARE_MAX at a time, whichever of his
 * tokens he asks by, so that one who asks about thousands of sources leaves connections to others.
 *
 * Up to WAITING_MAX more wait in the order they came, for WAITING_MS; one that had no turn by then is
 * an error, and one that has no place.
 */

import type { Clock } from '@standpipe/plumbing';

const SHARE_MAX = 16;
/** As long as an answer may take: whoever asked has hardly more patience. */
const WAITING_MS = 20_000;
/** So many may wait in a reader's line. */
const WAITING_MAX = 1000;

/** Of a question that had no turn. */
export class NoTurnError extends Error {
  override readonly name = 'NoTurnError';
}

interface Line {
  asking: number;
  /** Aborted when it is their turn. */
  readonly waiting: Set<AbortController>;
}

export class Questions {
  readonly #clock: Clock;
  readonly #lines = new Map<string, Line>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** How many readers ask something. */
  get size(): number {
    return this.#lines.size;
  }

  /** Asks when it is this reader's turn. Rejects with a NoTurnError, or as `ask` does. */
  async ask<T>(reader: string, ask: () => Promise<T>): Promise<T> {
    const line = this.#lines.get(reader) ?? { asking: 0, waiting: new Set() };
    this.#lines.set(reader, line);
    if (line.asking < SHARE_MAX) line.asking += 1;
    else await this.#turn(reader, line);
    try {
      return await ask();
    } finally {
      this.#end(reader, line);
    }
  }

  async #turn(reader: string, { waiting }: Line): Promise<void> {
    if (waiting.size >= WAITING_MAX) throw new NoTurnError(`${reader} has too many questions`);
    const turn = new AbortController();
    waiting.add(turn);
    await this.#clock.sleep(WAITING_MS, turn.signal);
    if (turn.signal.aborted) return;
    waiting.delete(turn);
    throw new NoTurnError(`${reader} has ${SHARE_MAX} questions that are not answered`);
  }

  /** Gives the place to whoever waits longest. */
  #end(reader: string, line: Line): void {
    const [next] = line.waiting;
    if (next !== undefined) {
      line.waiting.delete(next);
      next.abort();
      return;
    }
    line.asking -= 1;
    if (line.asking === 0) this.#lines.delete(reader);
  }
}
