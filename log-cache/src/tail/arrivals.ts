/**
 * When the latest envelopes of one source came, by number: the times of up to CAPACITY_MAX arrivals.
 *
 *     number   …  41    42    43    44        next = 45
 *     time     [ t7 ][ t9 ][ t8 ][ t9 ]       the one before 41 is forgotten
 *
 * The store keeps envelopes by time, those of equal times as they came. So a number and the numbers
 * behind it say which envelope it was: of those with its time, so and so many from the end.
 *
 * Hot: `add` is called for each envelope of a source that is tailed; it allocates only to grow.
 */

import { joinTime } from '@standpipe/protos';

const CAPACITY_MIN = 64;
const CAPACITY_MAX = 16_384;

export class Arrivals {
  /** The number of the next to come; the first is 1. */
  next = 1;
  #capacity = CAPACITY_MIN;
  #high: Int32Array = new Int32Array(CAPACITY_MIN);
  #low: Uint32Array = new Uint32Array(CAPACITY_MIN);

  /** The smallest number whose time is still known. */
  get first(): number {
    return Math.max(1, this.next - this.#capacity);
  }

  add(high: number, low: number): void {
    if (this.next > this.#capacity && this.#capacity < CAPACITY_MAX) this.#grow();
    const slot = this.next % this.#capacity;
    this.#high[slot] = high;
    this.#low[slot] = low;
    this.next += 1;
  }

  /** Whether what came after this number is known whole. */
  knowsAfter(number: number): boolean {
    return number >= this.first - 1 && number < this.next;
  }

  /** The time of an arrival from `first` on. */
  time(number: number): bigint {
    const slot = number % this.#capacity;
    return joinTime(this.#high[slot] ?? 0, this.#low[slot] ?? 0);
  }

  /** How many came from this number on, by time. */
  countFrom(number: number): Map<bigint, number> {
    const counts = new Map<bigint, number>();
    for (let at = number; at < this.next; at += 1) {
      const time = this.time(at);
      counts.set(time, (counts.get(time) ?? 0) + 1);
    }
    return counts;
  }

  #grow(): void {
    const capacity = this.#capacity * 4;
    const high = new Int32Array(capacity);
    const low = new Uint32Array(capacity);
    for (let number = this.first; number < this.next; number += 1) {
      high[number % capacity] = this.#high[number % this.#capacity] ?? 0;
      low[number % capacity] = this.#low[number % this.#capacity] ?? 0;
    }
    this.#capacity = capacity;
    this.#high = high;
    this.#low = low;
  }
}
