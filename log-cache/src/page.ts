/**
 * How a page of a timeline is laid out in its block.
 *
 *     page   │ count first class · │ entry │ entry │ entry │       │       │
 *     entry  │ time, upper word │ time, lower word │ where │ form, length, class, kind │
 *
 * The entries from `first` up to `count` are there; what stands before has expired.
 *
 * Hot: called for each envelope. Words are read `as number` because the entry lies in the page.
 */

import { wordsOf } from './arena.ts';

export const HEAD_WORDS = 4;
export const ENTRY_WORDS = 4;
export const ENTRY_BYTES: number = 4 * ENTRY_WORDS;
/** The places of the head's words. */
export const COUNT = 0;
export const FIRST = 1;
export const CLASS = 2;

const PAGE_CLASS_MAX = 2;

/** Who knows which entries are to go. */
export interface Judge {
  /** Whether the entry with these two last words goes; asked no more once it has said yes. */
  drops(where: number, last: number): boolean;
}

/** A place between two entries: before `index` of a page. */
export interface Place {
  page: number;
  index: number;
}

/** The place of an entry's first word, of a page that begins at `base`. */
export function entryAt(base: number, index: number): number {
  return base + HEAD_WORDS + index * ENTRY_WORDS;
}

export function capacityOf(pageClass: number): number {
  return (wordsOf(pageClass) - HEAD_WORDS) / ENTRY_WORDS;
}

/** Pages grow with the timeline, so that a quiet source has a small one. */
export function pageClassFor(count: number): number {
  let pageClass = 0;
  while (pageClass < PAGE_CLASS_MAX && count >= 4 * capacityOf(pageClass)) pageClass += 1;
  return pageClass;
}

/** Whether the entry's time is later than the given one. */
export function isLater(words: Int32Array, entry: number, high: number, low: number): boolean {
  const entryHigh = words[entry] as number;
  if (entryHigh !== high) return entryHigh > high;
  return (words[entry + 1] as number) >>> 0 > low;
}

export function isEarlier(words: Int32Array, entry: number, high: number, low: number): boolean {
  const entryHigh = words[entry] as number;
  if (entryHigh !== high) return entryHigh < high;
  return (words[entry + 1] as number) >>> 0 < low;
}

/** How many entries a page has. */
export function liveIn(words: Int32Array, base: number): number {
  return (words[base] as number) - (words[base + FIRST] as number);
}

/** Takes what the judge drops out of a page, at most so many, and says how many. */
export function sweepPage(words: Int32Array, base: number, judge: Judge, most: number): number {
  const first = words[base + FIRST] as number;
  const start = entryAt(base, first);
  const end = entryAt(base, words[base] as number);
  let to = start;
  let from = start;
  let gone = 0;
  for (; from < end && gone < most; from += ENTRY_WORDS) {
    if (judge.drops(words[from + 2] as number, words[from + 3] as number)) {
      gone += 1;
      continue;
    }
    if (to < from) {
      words[to] = words[from] as number;
      words[to + 1] = words[from + 1] as number;
      words[to + 2] = words[from + 2] as number;
      words[to + 3] = words[from + 3] as number;
    }
    to += ENTRY_WORDS;
  }
  if (to === start) {
    // All that was seen has gone, as always when the oldest came first: nothing moves.
    words[base + FIRST] = first + gone;
  } else if (gone > 0) {
    words.copyWithin(to, from, end);
    words[base] = (words[base] as number) - gone;
  }
  return gone;
}

/** Moves a page's entries to its front, so that all its room is behind them. */
export function packPage(words: Int32Array, base: number): void {
  const first = words[base + FIRST] as number;
  const count = words[base] as number;
  words.copyWithin(entryAt(base, 0), entryAt(base, first), entryAt(base, count));
  words[base + FIRST] = 0;
  words[base] = count - first;
}

/**
 * Makes pages of a quarter's size of one in whose stead four such would do, and says how many have
 * entries. Those are the first; what is left of the four is no page.
 */
export function quarterPage(words: Int32Array, base: number): number {
  packPage(words, base);
  const count = words[base] as number;
  const pageClass = (words[base + CLASS] as number) - 1;
  const capacity = capacityOf(pageClass);
  // From the last on, because entries only move back, by the heads that come between them.
  const pages = Math.ceil(count / capacity);
  for (let quarter = pages - 1; quarter >= 0; quarter -= 1) {
    const from = quarter * capacity;
    const to = Math.min(count, from + capacity);
    const page = base + quarter * wordsOf(pageClass);
    words.copyWithin(entryAt(page, 0), entryAt(base, from), entryAt(base, to));
    words[page] = to - from;
    words[page + FIRST] = 0;
    words[page + CLASS] = pageClass;
  }
  return pages;
}

/** Copies the entries of a page behind those of another, which must have room. */
export function appendPage(
  words: Int32Array,
  base: number,
  toWords: Int32Array,
  toBase: number,
): void {
  const start = entryAt(base, words[base + FIRST] as number);
  const end = entryAt(base, words[base] as number);
  const toCount = toWords[toBase] as number;
  toWords.set(words.subarray(start, end), entryAt(toBase, toCount));
  toWords[toBase] = toCount + (end - start) / ENTRY_WORDS;
}
