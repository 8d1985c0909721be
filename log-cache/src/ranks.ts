/**
 * Sources ordered by how much memory they hold, roughly: who gives first when there is none left.
 *
 *     rank   …  140     141     142   …        sizes within a rank differ by a sixteenth at most
 *                │       │       │
 *               quiet   ·       busy ⇄ busy    a list in each, oldest place first
 *
 * Finding the largest costs a look at the top ranks, moving a source costs a few pointers, and a
 * source moves only when it gains or loses a block. Within a rank the sources take turns. So the
 * memory is shared max-min fairly: nobody gives before those that hold more, to within a sixteenth.
 */

import assert from 'node:assert/strict';

/** What is ranked. The links belong to the Ranks that it stands in. */
export interface Ranked {
  readonly heldBytes: number;
  rank: number;
  before: this | undefined;
  after: this | undefined;
}

/** Below this a source is of the lowest rank, whatever it holds. */
const BYTES_SHIFT = 6;
/** Bits of the size behind its highest that tell ranks apart. */
const FINE_BITS = 4;
const RANKS = 32 << FINE_BITS;
export const UNRANKED = -1;

export class Ranks<T extends Ranked> {
  readonly #first: (T | undefined)[] = new Array<T | undefined>(RANKS).fill(undefined);
  readonly #last: (T | undefined)[] = new Array<T | undefined>(RANKS).fill(undefined);
  /** All that is placed is from one to the other. */
  #lowest = RANKS - 1;
  #highest = 0;

  /** Puts an item where its size belongs, at the end of its rank's turns. */
  place(item: T): void {
    if (item.rank !== UNRANKED) this.remove(item);
    const rank = rankOf(item.heldBytes);
    const last = this.#last[rank];
    item.rank = rank;
    item.before = last;
    if (last === undefined) this.#first[rank] = item;
    else last.after = item;
    this.#last[rank] = item;
    this.#lowest = Math.min(this.#lowest, rank);
    this.#highest = Math.max(this.#highest, rank);
  }

  /** Moves an item only if its size has changed its rank. */
  update(item: T): void {
    if (rankOf(item.heldBytes) !== item.rank) this.place(item);
  }

  remove(item: T): void {
    assert(item.rank !== UNRANKED, 'what is removed was placed');
    const { rank, before, after } = item;
    if (before === undefined) this.#first[rank] = after;
    else before.after = after;
    if (after === undefined) this.#last[rank] = before;
    else after.before = before;
    item.rank = UNRANKED;
    item.before = undefined;
    item.after = undefined;
  }

  /** Removes an item, if it was ever placed. */
  drop(item: T): void {
    if (item.rank !== UNRANKED) this.remove(item);
  }

  /** The one whose turn it is among the largest. */
  largest(): T | undefined {
    while (this.#highest > 0 && this.#first[this.#highest] === undefined) this.#highest -= 1;
    return this.#first[this.#highest];
  }

  /** So many of the largest, in no order within a rank. */
  largestOf(count: number): T[] {
    const found: T[] = [];
    for (let rank = this.#highest; rank >= 0 && found.length < count; rank -= 1) {
      let item = this.#first[rank];
      for (; item !== undefined && found.length < count; item = item.after) found.push(item);
    }
    return found;
  }

  /** The one whose turn it is among the smallest. */
  smallest(): T | undefined {
    const top = RANKS - 1;
    while (this.#lowest < top && this.#first[this.#lowest] === undefined) this.#lowest += 1;
    return this.#first[this.#lowest];
  }
}

/** The position of the highest bit, and the bits after it. */
function rankOf(byteLength: number): number {
  const size = Math.max(1 << FINE_BITS, Math.floor(byteLength / 2 ** BYTES_SHIFT));
  const exponent = 31 - Math.clz32(size);
  const fine = (size >>> (exponent - FINE_BITS)) & ((1 << FINE_BITS) - 1);
  return Math.min(RANKS - 1, (exponent << FINE_BITS) | fine);
}
