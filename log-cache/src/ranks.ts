/**
 * Sources ordered by how much memory they hold, roughly: who gives first when there is none left.
 *
 *     rank   …   40      41      42   …        sizes within a rank differ by a quarter at most
 *                │       │       │
 *               quiet   ·       busy ⇄ busy    a list in each, oldest place first
 *
 * Finding the largest costs a look at the top ranks, moving a source costs a few pointers, and a
 * source moves only when it gains or loses a block. Within a rank the sources take turns. So the
 * memory is shared max-min fairly: nobody gives before those that hold more, to within a quarter.
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
const BYTES_SHIFT = 8;
const RANKS = 4 * 32;
export const UNRANKED = -1;

export class Ranks<T extends Ranked> {
  readonly #first: (T | undefined)[] = new Array<T | undefined>(RANKS).fill(undefined);
  readonly #last: (T | undefined)[] = new Array<T | undefined>(RANKS).fill(undefined);

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

  /** The one whose turn it is among the largest. */
  largest(): T | undefined {
    for (let rank = RANKS - 1; rank >= 0; rank -= 1) {
      const item = this.#first[rank];
      if (item !== undefined) return item;
    }
    return undefined;
  }

  /** The one whose turn it is among the smallest. */
  smallest(): T | undefined {
    return this.#first.find((item) => item !== undefined);
  }
}

/** The position of the highest bit, and the two bits after it. */
function rankOf(byteLength: number): number {
  const size = Math.max(4, Math.floor(byteLength / 2 ** BYTES_SHIFT));
  const exponent = 31 - Math.clz32(size);
  return Math.min(RANKS - 1, (exponent << 2) | ((size >>> (exponent - 2)) & 3));
}
