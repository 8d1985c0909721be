/**
 * Source ids in the order of their code points, as keys of JSON are written.
 *
 *     key     │ 7 bits │ 7 bits │ 7 bits │ 7 bits │ 7 bits │ index │      a number below 2^53
 *               the first five letters                       which id
 *
 * To compare a hundred thousand strings with each other takes a tenth of a second. So their first
 * letters are sorted, as numbers, and only ids that have those in common are compared.
 */

import { setImmediate as nextRound } from 'node:timers/promises';
import { Slice } from '../slice.ts';

const LETTERS = 5;
const LETTER = 128;
/** Room for the index beside five letters, and beside four. */
const FEW = 2 ** 18;
const MANY = 2 ** 25;
/** How many are sorted at once. */
const PIECE = 4096;

/** In slices, between which others are served: there may be a million of them. */
export async function inOrder(ids: Iterable<string>): Promise<readonly string[]> {
  const all = [...ids];
  const slice = new Slices();
  if (all.length > MANY) return mergeSorted(all, orderOf(all), slice);
  const letters = all.length > FEW ? LETTERS - 1 : LETTERS;
  const room = all.length > FEW ? MANY : FEW;
  const keys = new Float64Array(all.length);
  for (let index = 0; index < keys.length; index += 1) {
    keys[index] = prefixOf(all[index] as string, letters) * room + index; // As many as there are ids.
    if (slice.isOver()) await slice.next();
  }
  // A hundred thousand numbers take some milliseconds.
  await slice.next();
  keys.sort();
  await slice.next();

  const ordered: string[] = [];
  let alike: string[] = [];
  let before = -1;
  for (const key of keys) {
    const prefix = Math.floor(key / room);
    if (prefix !== before && alike.length > 0) {
      if (alike.length > PIECE) alike = await mergeSorted(alike, orderOf(alike), slice);
      else if (alike.length > 1) alike = sorted(alike);
      for (const id of alike) ordered.push(id);
      alike.length = 0;
    }
    before = prefix;
    alike.push(all[key % room] as string); // It is one of the indexes.
    if (slice.isOver()) await slice.next();
  }
  for (const id of await mergeSorted(alike, orderOf(alike), slice)) ordered.push(id);
  return ordered;
}

interface Order {
  readonly sort: (some: string[]) => string[];
  readonly compare: (a: string, b: string) => number;
}

const BY_UNIT: Order = { sort: (some) => some.sort(), compare: (a, b) => (a < b ? -1 : 1) };
const BY_CODE_POINT: Order = {
  sort: (some) => some.sort(compareCodePoints),
  compare: compareCodePoints,
};

/** Sorts pieces that take a millisecond or two, and merges those. */
async function mergeSorted(all: readonly string[], order: Order, slice: Slices): Promise<string[]> {
  let runs: string[][] = [];
  for (let start = 0; start < all.length; start += PIECE) {
    runs.push(order.sort(all.slice(start, start + PIECE)));
    await slice.next();
  }
  while (runs.length > 1) {
    const merged: string[][] = [];
    for (let run = 0; run < runs.length; run += 2) {
      merged.push(await mergedRuns(runs[run] ?? [], runs[run + 1] ?? [], order, slice));
    }
    runs = merged;
  }
  return runs[0] ?? [];
}

async function mergedRuns(
  one: readonly string[],
  other: readonly string[],
  { compare }: Order,
  slice: Slices,
): Promise<string[]> {
  const merged: string[] = [];
  let at = 0;
  for (const item of one) {
    // Within the other's length.
    while (at < other.length && compare(other[at] as string, item) < 0)
      merged.push(other[at++] as string);
    merged.push(item);
    if (slice.isOver()) await slice.next();
  }
  while (at < other.length) merged.push(other[at++] as string);
  return merged;
}

/** A slice after another, as long as work goes on. */
class Slices {
  readonly #slice = new Slice();

  constructor() {
    this.#slice.begin();
  }

  isOver(): boolean {
    return this.#slice.isOver(0);
  }

  async next(): Promise<void> {
    await nextRound();
    this.#slice.begin();
  }
}

/** What is not ASCII is the last of its letters, and of those behind it nothing is said. */
function prefixOf(id: string, letters: number): number {
  let prefix = 0;
  let isPlain = true;
  for (let at = 0; at < letters; at += 1) {
    const unit: number = isPlain && at < id.length ? id.charCodeAt(at) : 0;
    isPlain = isPlain && unit < LETTER - 1;
    prefix = prefix * LETTER + Math.min(unit, LETTER - 1);
  }
  return prefix;
}

/** From here on JavaScript's order of strings is not that of their code points. */
const HIGH_UNIT = /[\ud800-\uffff]/;

function orderOf(ids: readonly string[]): Order {
  return ids.some((id) => HIGH_UNIT.test(id)) ? BY_CODE_POINT : BY_UNIT;
}

function sorted(ids: string[]): string[] {
  return ids.some((id) => HIGH_UNIT.test(id)) ? ids.sort(compareCodePoints) : ids.sort();
}

/** JavaScript compares UTF-16: that differs where a surrogate meets U+E000 to U+FFFF. */
function compareCodePoints(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at += 1) {
    const aUnit = a.charCodeAt(at);
    const bUnit = b.charCodeAt(at);
    if (aUnit !== bUnit) return rankOfUnit(aUnit) - rankOfUnit(bUnit);
  }
  return a.length - b.length;
}

/** Moves surrogates, of which all higher code points are made, behind all other units. */
function rankOfUnit(unit: number): number {
  return unit >= 0xd800 && unit < 0xe000 ? unit + 0x10000 : unit;
}
