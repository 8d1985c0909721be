/**
 * The older part of a tail: what came before it began, from a time on, in order of time.
 *
 * What came since is given as it came, after this; so of a run of equal times those at its end are
 * left out that came later. It is read in slices of some milliseconds or a hundred envelopes, which
 * end where the time changes. When the envelope where a slice was to go on has expired, that is said.
 */

import { type BatchBuilder, joinTime, splitTime } from '@standpipe/protos';
import type { EnvelopeFilter } from '../envelope-filter.ts';
import { Slice } from '../slice.ts';
import type { Store } from '../store.ts';

const COUNT_MAX = 100;
const BYTES_MAX = 256 * 1024;

export interface BacklogOptions {
  readonly store: Store;
  readonly sourceId: string;
  readonly filter: EnvelopeFilter;
  /** How many came later than what is to be given, by time. */
  readonly later: ReadonlyMap<bigint, number>;
  readonly from: bigint;
  /** Whether an envelope was there at `from`, when it was last looked. */
  readonly isKnown: boolean;
}

export class Backlog {
  /** From this time on nothing has been given. */
  at: bigint;
  /** Whether something expired before it could be given, since the last `take`. */
  hasLost = false;
  /** The latest time that was given. */
  time: bigint | undefined;
  readonly #options: BacklogOptions;
  readonly #slice = new Slice();
  #isKnown: boolean;

  constructor(options: BacklogOptions) {
    this.#options = options;
    this.#isKnown = options.isKnown;
    this.at = options.from;
  }

  /** Gathers some more; true, when there is no more. Throws a ReadError, if a run takes too long. */
  take(into: BatchBuilder): boolean {
    const { store, sourceId, filter } = this.#options;
    const cursor = store.cursor(sourceId);
    this.hasLost = this.#isKnown;
    if (cursor === undefined) return true;
    const { high, low } = splitTime(this.at);
    let runHigh = Number.NaN;
    let runLow = 0;
    let left = 0;

    this.#slice.begin();
    filter.restart();
    cursor.seek(high, low);
    while (cursor.next()) {
      const { timeHigh, timeLow } = cursor;
      const isOver = this.#slice.isOver(filter.work);
      if (timeHigh !== runHigh || timeLow !== runLow) {
        if (Number.isNaN(runHigh)) this.hasLost &&= timeHigh !== high || timeLow !== low;
        else if (isOver || isFull(into)) return this.#pause(timeHigh, timeLow);
        runHigh = timeHigh;
        runLow = timeLow;
        left = this.#earlierOf(timeHigh, timeLow);
      } else if (isOver) this.#slice.goOn();
      left -= 1;
      if (left >= 0 && filter.select(cursor, into)) this.time = joinTime(timeHigh, timeLow);
    }
    return true;
  }

  #pause(high: number, low: number): boolean {
    this.at = joinTime(high, low);
    this.#isKnown = true;
    return false;
  }

  /** How many envelopes of this time are to be given. */
  #earlierOf(high: number, low: number): number {
    const { store, sourceId, later } = this.#options;
    const newer = later.size === 0 ? 0 : (later.get(joinTime(high, low)) ?? 0);
    if (newer === 0) return Number.POSITIVE_INFINITY;
    const cursor = store.cursor(sourceId);
    let count = 0;
    cursor?.seek(high, low);
    while (cursor?.next() && cursor.timeHigh === high && cursor.timeLow === low) count += 1;
    return count - newer;
  }
}

function isFull({ count, byteLength }: BatchBuilder): boolean {
  return count >= COUNT_MAX || byteLength >= BYTES_MAX;
}
