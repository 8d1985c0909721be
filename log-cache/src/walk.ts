/**
 * A read's way through a source: from its start to its end or limit, in one go or in slices.
 *
 *     ascending    start ──▶ … ──▶ limit reached, at the end of a run of equal times ──▶ end
 *     a slice ends where the time changes, so the next one finds its place by time alone
 *
 * Amid a run of equal times there is no such place: one that takes too long is refused (slice.ts).
 *
 * Hot: called for each read; the loop looks at each envelope in the range.
 */

import { type BatchBuilder, compareTime } from '@standpipe/protos';
import type { Cursor } from './cursor.ts';
import { checkReadBytes } from './message-limit.ts';
import type { Query } from './reader.ts';
import { SLICE_BYTES, Slice } from './slice.ts';

export class Walk {
  readonly #query: Query;
  /** How much earlier slices have found. */
  #count = 0;
  #byteLength = 0;
  /** Where the next slice begins: at this time, or before it when the order is descending. */
  #high: number;
  #low: number;
  readonly #slice = new Slice();

  constructor(query: Query) {
    const { high, low } = query.descending ? query.end : query.start;
    this.#query = query;
    this.#high = high;
    this.#low = low;
  }

  /** Gathers what a slice finds; true, if there is no more to find. */
  go(cursor: Cursor, into: BatchBuilder): boolean {
    const { filter, descending, limit } = this.#query;
    let lastHigh = Number.NaN;
    let lastLow = 0;
    let seenHigh = this.#high;
    let seenLow = this.#low;

    this.#slice.begin();
    filter.restart();
    cursor.seek(this.#high, this.#low);
    while (descending ? cursor.previous() : cursor.next()) {
      const { timeHigh, timeLow } = cursor;
      if (this.#isOutside(timeHigh, timeLow)) return true;
      const isRun = timeHigh === lastHigh && timeLow === lastLow;
      if (this.#count + into.count >= limit && !isRun) return true;
      if (this.#slice.isOver(filter.work) || into.byteLength >= SLICE_BYTES) {
        if (timeHigh !== seenHigh || timeLow !== seenLow) {
          this.#pause(into, descending ? [seenHigh, seenLow] : [timeHigh, timeLow]);
          return false;
        }
        this.#slice.goOn();
      }
      seenHigh = timeHigh;
      seenLow = timeLow;
      if (!filter.select(cursor, into)) continue;
      lastHigh = timeHigh;
      lastLow = timeLow;
      checkReadBytes(this.#byteLength + into.byteLength);
    }
    return true;
  }

  #pause(into: BatchBuilder, [high, low]: readonly [number, number]): void {
    this.#count += into.count;
    this.#byteLength += into.byteLength;
    this.#high = high;
    this.#low = low;
  }

  #isOutside(high: number, low: number): boolean {
    const { start, end, descending } = this.#query;
    if (descending) return compareTime(high, low, start.high, start.low) < 0;
    return compareTime(high, low, end.high, end.low) >= 0;
  }
}
