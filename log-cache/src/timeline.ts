/**
 * The index of one source: an entry for each envelope, in order of time.
 *
 *     pages  [ t1 … t9 ] [ t9 … t20 ] [ t21 … t30      ]      ordered, also from page to page
 *              ^ first: what stands before it has expired    ^ the newest go here
 *
 * Pages are blocks of the arena: of 256 bytes at first (15 entries), of 4 KiB (255 entries) once a
 * source has many. An envelope that comes in order is one comparison and four words. A late one is
 * found a place by bisection, in steps that double from the newest page on, behind all of its own
 * time; it moves the entries of one page that are later, and when the page is full, a part of it
 * goes to a new page. So an envelope that is very late costs little more than one that is a bit
 * late, and no envelope's bytes move. A sweep takes entries out of the midst, in one walk from the
 * oldest to the last that goes, joins pages that it leaves half empty, and cuts up those that have
 * become too large for the source.
 *
 * Nothing is lost here: `insert` says NONE when there is no memory for a page. An entry costs 16
 * bytes. `where` is the arena's address of the envelope's bytes; the class is that of the segment
 * they lie in (see source.ts).
 *
 * Hot: `insert` is called for each envelope. Typed arrays are read `as number` because a page's
 * entries lie within its block.
 */

import assert from 'node:assert/strict';
import { joinTime } from '@standpipe/protos';
import { type Arena, local, NONE, wordsOf } from './arena.ts';
import {
  appendPage,
  CLASS,
  COUNT,
  capacityOf,
  ENTRY_WORDS,
  entryAt,
  FIRST,
  HEAD_WORDS,
  isEarlier,
  isLater,
  type Judge,
  liveIn,
  type Place,
  packPage,
  pageClassFor,
  quarterPage,
  sweepPage,
} from './page.ts';
import type { Room } from './room.ts';

/** Two neighbours become one page if that leaves a quarter of it for what comes late. */
const JOINED_MAX = 0.75;

export class Timeline {
  readonly #arena: Arena;
  readonly #room: Room;
  readonly #pages: number[] = [];
  readonly #place: Place = { page: 0, index: 0 };
  /** The address of the entry that came late most recently: a hint, it may have moved since. */
  #latest = NONE;
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
    const entry = this.last();
    const words = this.#arena.words(entry);
    return joinTime(words[local(entry)] as number, words[local(entry) + 1] as number);
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

  /** The address of the newest entry. */
  last(): number {
    const page = this.#pages.at(-1);
    assert(page !== undefined, 'an empty timeline has no last');
    return entryAt(page, (this.#arena.words(page)[local(page)] as number) - 1);
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

  /** Forgets the entries that the judge drops, from the oldest on, until so many have gone. */
  sweep(judge: Judge, count: number): void {
    const pages = this.#pages;
    let seen = 0;
    let kept = 0;
    this.#count -= count;
    for (let left = count; left > 0; seen += 1) {
      const page = pages[seen];
      assert(page !== undefined, 'a sweep ends with the last that is to go');
      const words = this.#arena.words(page);
      left -= sweepPage(words, local(page), judge, left);
      if (
        liveIn(words, local(page)) === 0 ||
        (kept > 0 && this.#join(pages[kept - 1] as number, page))
      ) {
        this.#room.release(page, this.#classOf(page));
      } else {
        pages[kept] = page;
        kept += 1;
      }
    }
    pages.splice(kept, seen - kept);
    this.#shrink();
  }

  /** Cuts up pages that are far too large for so few entries, and gives back what has none. */
  #shrink(): void {
    const pages = this.#pages;
    const wanted = pageClassFor(2 * this.#count);
    if (pages.length === 0 || this.#classOf(pages[0] as number) <= wanted) return;
    for (let index = pages.length - 1; index >= 0; index -= 1) {
      const page = pages[index] as number;
      const quarterClass = this.#classOf(page) - 1;
      const words = this.#arena.words(page);
      if (quarterClass < wanted || liveIn(words, local(page)) > 4 * capacityOf(quarterClass))
        continue;
      const used = quarterPage(words, local(page));
      for (let quarter = 1; quarter < 4; quarter += 1) {
        const address = page + quarter * wordsOf(quarterClass);
        if (quarter < used) pages.splice(index + quarter, 0, address);
        else this.#room.release(address, quarterClass);
      }
    }
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
    if (!this.#findPlace(high, low, place)) {
      const spare = this.#takePage();
      if (spare === NONE) return NONE;
      // Making room may have moved the place, and even made room in its page.
      if (this.#findPlace(high, low, place)) this.#room.release(spare, this.#classOf(spare));
      else this.#split(place, spare);
    }
    this.#latest = this.#insertAt(place, high, low);
    return this.#latest;
  }

  /** Finds the place behind all entries that are not later; whether its page has room. */
  #findPlace(high: number, low: number, place: Place): boolean {
    let to = this.#pages.length;
    let from = to - 1;
    // Most that come late are only a bit late.
    for (let step = 1; from >= 0 && this.#isPageAfter(from, high, low); step *= 2) {
      to = from;
      from -= step;
    }
    from = Math.max(0, from);
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
    place.index = this.firstIn(place.page);
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
    const page = this.#room.take(wanted, 0, true);
    if (page === NONE) return NONE;
    const words = this.#arena.words(page);
    const base = local(page);
    words[base] = 0;
    words[base + FIRST] = 0;
    words[base + CLASS] = this.#room.takenClass;
    return page;
  }

  /**
   * Puts a new page behind the full one of the place, moves there what stands behind the cut, and
   * sets the place where room is. A small page goes over into a larger new one whole.
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
    if (room > count) {
      this.#replace(place, spare);
      return;
    }
    // A page is never left empty, and a small new page takes no more than it has room for.
    const cut = Math.max(1, this.#cutFor(place, count), count - room + 1);
    const spareWords = this.#arena.words(spare);
    const moved = words.subarray(entryAt(base, cut), entryAt(base, count));
    spareWords.set(moved, entryAt(local(spare), 0));
    spareWords[local(spare)] = count - cut;
    words[base] = cut;
    this.#pages.splice(place.page + 1, 0, spare);
    if (place.index <= cut && cut < count) return;
    place.page += 1;
    place.index -= cut;
  }

  /**
   * Where to cut a full page. Behind the newest and within a run, each beside the one before, at
   * the place: so a run leaves full pages. Otherwise in the middle, where more may come on both sides.
   */
  #cutFor(place: Place, count: number): number {
    const isNewest = place.page + 1 === this.#pages.length && place.index === count;
    const beside = this.entry(place.page, place.index) - this.#latest;
    const isRun = beside === 0 || beside === ENTRY_WORDS;
    return isNewest || isRun ? place.index : count >> 1;
  }

  /** Moves all of the place's full page to a larger new one, which takes its place. */
  #replace(place: Place, spare: number): void {
    const page = this.#pages[place.page] as number;
    appendPage(this.#arena.words(page), local(page), this.#arena.words(spare), local(spare));
    this.#pages[place.page] = spare;
    this.#room.release(page, this.#classOf(page));
  }

  /** Moves the entries of a page behind those of the page before it, if they fit well. */
  #join(before: number, page: number): boolean {
    const words = this.#arena.words(before);
    const base = local(before);
    const pageWords = this.#arena.words(page);
    const live = liveIn(words, base) + liveIn(pageWords, local(page));
    if (live > capacityOf(this.#classOf(before)) * JOINED_MAX) return false;
    packPage(words, base);
    appendPage(pageWords, local(page), words, base);
    return true;
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
