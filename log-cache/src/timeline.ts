/**
 * The index of one source: an entry for each envelope, in order of time.
 *
 *     page   │ count first class · │ entry │ entry │ entry │       │       │
 *     entry  │ time, upper word │ time, lower word │ where │ length, class, kind │
 *
 *     pages  [ t1 … t9 ] [ t9 … t20 ] [ t21 … t30      ]      ordered, also from page to page
 *              ^ first: what stands before it has expired    ^ the newest go here
 *
 * Pages are blocks of the arena: of 256 bytes at first (15 entries), of 4 KiB (255 entries) once a
 * source has many. An envelope that comes in order is one comparison and four words. A late one is
 * found a place by bisection, behind all of its own time, and moves the entries of one page that
 * are later; when the page is full, the later half moves to a new page. So it never matters how
 * late an envelope is, and no envelope's bytes move.
 *
 * Nothing is lost here: `insert` says NONE when there is no memory for a page. An entry costs 16
 * bytes. `where` is the arena's address of the envelope's bytes; the class is that of the segment
 * they lie in (see segment.ts).
 *
 * Hot: `insert` is called for each envelope. Typed arrays are read `as number` because a page's
 * entries lie within its block.
 */

import assert from 'node:assert/strict';
import { joinTime } from '@standpipe/protos';
import { type Arena, local, NONE, wordsOf } from './arena.ts';

/** Where memory comes from. Taking may evict, and may so shorten this very timeline. */
export interface Room {
  /** A block of the class, or if need be of a smaller one down to `least`; or NONE. */
  take(blockClass: number, least: number): number;
  /** The class of the block that was taken last. */
  readonly takenClass: number;
  release(address: number, blockClass: number): void;
}

/** A place between two entries: before `index` of a page. */
export interface Place {
  page: number;
  index: number;
}

const HEAD_WORDS = 4;
const ENTRY_WORDS = 4;
const COUNT = 0;
const FIRST = 1;
const CLASS = 2;

const PAGE_CLASS_MAX = 2;

export class Timeline {
  readonly #arena: Arena;
  readonly #room: Room;
  readonly #pages: number[] = [];
  readonly #place: Place = { page: 0, index: 0 };
  #count = 0;

  constructor(arena: Arena, room: Room) {
    this.#arena = arena;
    this.#room = room;
  }

  /** How many envelopes there are. */
  get count(): number {
    return this.#count;
  }

  get pageCount(): number {
    return this.#pages.length;
  }

  /** The smallest and the largest timestamp; only when there is one. */
  get oldest(): bigint {
    const entry = this.first();
    const words = this.#arena.words(entry);
    return joinTime(words[local(entry)] as number, words[local(entry) + 1] as number);
  }

  get newest(): bigint {
    const page = this.#pages.at(-1);
    assert(page !== undefined, 'an empty timeline has no newest');
    const words = this.#arena.words(page);
    const last = entryAt(local(page), (words[local(page)] as number) - 1);
    return joinTime(words[last] as number, words[last + 1] as number);
  }

  /**
   * Makes an entry behind all that are not later, and gives its address, for the caller to fill in
   * the two words behind the time. NONE, when there is no memory for it.
   */
  insert(high: number, low: number): number {
    const last = this.#pages.length - 1;
    if (last >= 0) {
      const page = this.#pages[last] as number;
      const words = this.#arena.words(page);
      const base = local(page);
      const count = words[base] as number;
      const entry = entryAt(base, count);
      if (
        count < capacityOf(words[base + CLASS] as number) &&
        !isLater(words, entry - ENTRY_WORDS, high, low)
      ) {
        words[base] = count + 1;
        words[entry] = high;
        words[entry + 1] = low;
        this.#count += 1;
        return page + (entry - base);
      }
    }
    return this.#insertSlowly(high, low);
  }

  /** Whether a time is before all that are here. */
  isBeforeAll(high: number, low: number): boolean {
    if (this.#count === 0) return false;
    const entry = this.first();
    return isLater(this.#arena.words(entry), local(entry), high, low);
  }

  /** The address of the oldest entry. */
  first(): number {
    const page = this.#pages[0];
    assert(page !== undefined, 'an empty timeline has no first');
    const words = this.#arena.words(page);
    return page + HEAD_WORDS + (words[local(page) + FIRST] as number) * ENTRY_WORDS;
  }

  /** Forgets the oldest entry. */
  dropFirst(): void {
    const page = this.#pages[0];
    assert(page !== undefined, 'an empty timeline has no first');
    const words = this.#arena.words(page);
    const base = local(page);
    const first = (words[base + FIRST] as number) + 1;
    words[base + FIRST] = first;
    this.#count -= 1;
    if (first < (words[base] as number)) return;
    this.#pages.shift();
    this.#room.release(page, words[base + CLASS] as number);
  }

  /** Sets `place` before the first entry that is at this time or later. */
  seek(high: number, low: number, place: Place): void {
    // In the last page that begins before this time; the entry may be the first of the next one.
    let from = 0;
    let to = this.#pages.length;
    while (from < to) {
      const middle = (from + to) >> 1;
      if (this.#isPageBefore(middle, high, low)) from = middle + 1;
      else to = middle;
    }
    place.page = Math.max(0, from - 1);
    place.index = from === 0 ? this.firstIn(0) : this.#bisect(from - 1, high, low, false);
  }

  /** The address of an entry, and the bounds of the indexes in a page. */
  entry(page: number, index: number): number {
    return (this.#pages[page] as number) + HEAD_WORDS + index * ENTRY_WORDS;
  }

  firstIn(page: number): number {
    const address = this.#pages[page];
    if (address === undefined) return 0;
    return this.#arena.words(address)[local(address) + FIRST] as number;
  }

  endOf(page: number): number {
    const address = this.#pages[page];
    if (address === undefined) return 0;
    return this.#arena.words(address)[local(address) + COUNT] as number;
  }

  #insertSlowly(high: number, low: number): number {
    const place = this.#place;
    if (this.#findPlace(high, low, place)) return this.#insertAt(place, high, low);
    const spare = this.#takePage();
    if (spare === NONE) return NONE;
    // Making room may have moved the place, and even made room in its page.
    if (this.#findPlace(high, low, place)) this.#room.release(spare, this.#classOf(spare));
    else this.#split(place, spare);
    return this.#insertAt(place, high, low);
  }

  /** Finds the place behind all entries that are not later; whether its page has room. */
  #findPlace(high: number, low: number, place: Place): boolean {
    let from = 0;
    let to = this.#pages.length;
    while (from < to) {
      const middle = (from + to) >> 1;
      if (this.#isPageAfter(middle, high, low)) to = middle;
      else from = middle + 1;
    }
    place.page = Math.max(0, from - 1);
    place.index = from === 0 ? this.firstIn(0) : this.#bisect(from - 1, high, low, true);
    if (this.#hasRoom(place.page)) return true;
    // Between two pages it may as well go to the later one.
    if (place.index < this.endOf(place.page) || !this.#hasRoom(place.page + 1)) return false;
    place.page += 1;
    place.index = 0;
    return true;
  }

  #hasRoom(index: number): boolean {
    const page = this.#pages[index];
    if (page === undefined) return false;
    const words = this.#arena.words(page);
    const base = local(page);
    if ((words[base + FIRST] as number) > 0) return true;
    return (words[base] as number) < capacityOf(words[base + CLASS] as number);
  }

  /** Moves the shorter way: what is before the place to the front, if there is room, or the rest. */
  #insertAt(place: Place, high: number, low: number): number {
    const page = this.#pages[place.page] as number;
    const words = this.#arena.words(page);
    const base = local(page);
    const count = words[base] as number;
    const first = words[base + FIRST] as number;
    const full = count === capacityOf(words[base + CLASS] as number);
    let entry = entryAt(base, place.index);
    if (full || (first > 0 && place.index - first < count - place.index)) {
      const start = entryAt(base, first);
      words.copyWithin(start - ENTRY_WORDS, start, entry);
      words[base + FIRST] = first - 1;
      entry -= ENTRY_WORDS;
    } else {
      words.copyWithin(entry + ENTRY_WORDS, entry, entryAt(base, count));
      words[base] = count + 1;
    }
    words[entry] = high;
    words[entry + 1] = low;
    this.#count += 1;
    return page + (entry - base);
  }

  #takePage(): number {
    const wanted = pageClassFor(this.#count);
    const page = this.#room.take(wanted, 0);
    if (page === NONE) return NONE;
    const words = this.#arena.words(page);
    const base = local(page);
    words[base] = 0;
    words[base + FIRST] = 0;
    words[base + CLASS] = this.#room.takenClass;
    return page;
  }

  /**
   * Puts a new page behind the full one of the place, and moves there what is later than the
   * place: nothing when all comes in order, so pages are full then. Sets the place where room is.
   */
  #split(place: Place, spare: number): void {
    const page = this.#pages[place.page];
    if (page === undefined) {
      this.#pages.push(spare);
      return;
    }
    const words = this.#arena.words(page);
    const base = local(page);
    const count = words[base] as number;
    const room = capacityOf(this.#classOf(spare));
    // A page is never left empty, and a small new page takes no more than it has room for.
    const cut = Math.max(1, place.index, count - room + 1);
    const spareWords = this.#arena.words(spare);
    const moved = words.subarray(entryAt(base, cut), entryAt(base, count));
    spareWords.set(moved, entryAt(local(spare), 0));
    spareWords[local(spare)] = count - cut;
    words[base] = cut;
    this.#pages.splice(place.page + 1, 0, spare);
    if (place.index < cut || cut < count) return;
    place.page += 1;
    place.index = 0;
  }

  /** The first index in a page whose time is later (or, not `after`, is at least this time). */
  #bisect(page: number, high: number, low: number, after: boolean): number {
    const address = this.#pages[page] as number;
    const words = this.#arena.words(address);
    const base = local(address);
    let from = words[base + FIRST] as number;
    let to = words[base] as number;
    while (from < to) {
      const middle = (from + to) >> 1;
      const entry = entryAt(base, middle);
      const passed = after ? !isLater(words, entry, high, low) : isEarlier(words, entry, high, low);
      if (passed) from = middle + 1;
      else to = middle;
    }
    return from;
  }

  #isPageBefore(page: number, high: number, low: number): boolean {
    const entry = this.entry(page, this.firstIn(page));
    return isEarlier(this.#arena.words(entry), local(entry), high, low);
  }

  #isPageAfter(page: number, high: number, low: number): boolean {
    const entry = this.entry(page, this.firstIn(page));
    return isLater(this.#arena.words(entry), local(entry), high, low);
  }

  #classOf(page: number): number {
    return this.#arena.words(page)[local(page) + CLASS] as number;
  }
}

function entryAt(base: number, index: number): number {
  return base + HEAD_WORDS + index * ENTRY_WORDS;
}

function capacityOf(pageClass: number): number {
  return (wordsOf(pageClass) - HEAD_WORDS) / ENTRY_WORDS;
}

/** Pages grow with the timeline, so that a quiet source has a small one. */
function pageClassFor(count: number): number {
  let pageClass = 0;
  while (pageClass < PAGE_CLASS_MAX && count >= 4 * capacityOf(pageClass)) pageClass += 1;
  return pageClass;
}

/** Whether the entry's time is later than the given one. */
function isLater(words: Int32Array, entry: number, high: number, low: number): boolean {
  const entryHigh = words[entry] as number;
  if (entryHigh !== high) return entryHigh > high;
  return (words[entry + 1] as number) >>> 0 > low;
}

function isEarlier(words: Int32Array, entry: number, high: number, low: number): boolean {
  const entryHigh = words[entry] as number;
  if (entryHigh !== high) return entryHigh < high;
  return (words[entry + 1] as number) >>> 0 < low;
}
