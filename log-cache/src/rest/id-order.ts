/**
 * Source ids in the order of their code points, as keys of JSON are written.
 *
 *     key     │ 7 bits │ 7 bits │ 7 bits │ 7 bits │ 7 bits │  row  │      a number below 2^53
 *               the first five letters                       which id
 *
 * To compare a hundred thousand strings with each other takes a tenth of a second. So their first
 * letters are sorted, as numbers, and only ids that have those in common are compared.
 */

import { setImmediate as nextRound } from 'node:timers/promises';
import { Slice } from '../slice.ts';

const LETTERS = 5;
const LETTER = 128;
/** Room for the row beside five letters, and beside four. */
const FEW = 2 ** 18;
const MANY = 2 ** 25;
/** How many are sorted at once. */
const PIECE = 4096;

/** The rows of the ids, in the order of these; in slices, for there may be a million of them. */
export async function inOrder(ids: readonly string[]): Promise<Uint32Array> {
  const { length } = ids;
  const slice = new Slices();
  if (length > MANY) return sortedSlowly(ids, Uint32Array.from(ids.keys()), slice);
  const letters = length > FEW ? LETTERS - 1 : LETTERS;
  const room = length > FEW ? MANY : FEW;
  const keys = new Float64Array(length);
  for (let row = 0; row < length; row += 1) {
    keys[row] = prefixOf(ids[row] as string, letters) * room + row; // As many as there are ids.
    if (slice.isOver()) await slice.next();
  }
  // A hundred thousand numbers take some milliseconds.
  await slice.next();
  keys.sort();
  await slice.next();

  const rows = new Uint32Array(length);
  let start = 0;
  let before = -1;
  for (let place = 0; place < length; place += 1) {
    const key = keys[place] as number; // As many as there are ids.
    const prefix = Math.floor(key / room);
    if (prefix !== before) {
      if (place - start > 1) await sortedSlowly(ids, rows.subarray(start, place), slice);
      start = place;
      before = prefix;
    }
    rows[place] = key % room;
    if (slice.isOver()) await slice.next();
  }
  await sortedSlowly(ids, rows.subarray(start), slice);
  return rows;
}

type Compare = (row: number, other: number) => number;

/** Sorts rows in their place, by comparing ids: pieces that take a millisecond or two, then merged. */
async function sortedSlowly(
  ids: readonly string[],
  rows: Uint32Array,
  slice: Slices,
): Promise<Uint32Array> {
  const compare = comparison(ids, rows);
  for (let start = 0; start < rows.length; start += PIECE) {
    rows.subarray(start, start + PIECE).sort(compare);
    if (rows.length > PIECE) await slice.next();
  }
  for (let run = PIECE; run < rows.length; run *= 2) {
    for (let start = 0; start + run < rows.length; start += 2 * run) {
      await mergeRuns(rows.subarray(start, start + 2 * run), run, compare, slice);
    }
  }
  return rows;
}

/** The first so many rows are in order, and so are those behind them. */
async function mergeRuns(
  rows: Uint32Array,
  count: number,
  compare: Compare,
  slice: Slices,
): Promise<void> {
  const first = rows.slice(0, count);
  let at = count;
  let place = 0;
  for (const row of first) {
    // Within the rows.
    while (at < rows.length && compare(rows[at] as number, row) < 0) {
      rows[place++] = rows[at++] as number;
    }
    rows[place++] = row;
    if (slice.isOver()) await slice.next();
  }
}

/** From here on JavaScript's order of strings is not that of their code points. */
const HIGH_UNIT = /[\ud800-\uffff]/;

function comparison(ids: readonly string[], rows: Uint32Array): Compare {
  const idOf = (row: number): string => ids[row] as string; // Each row has its id.
  return rows.some((row) => HIGH_UNIT.test(idOf(row)))
    ? (row, other) => compareCodePoints(idOf(row), idOf(other))
    : (row, other) => (idOf(row) < idOf(other) ? -1 : 1); // No two are the same.
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
