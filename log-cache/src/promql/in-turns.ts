/**
 * Long work on many items, with turns for others in between: sorting, changing each, starting some
 * ahead of others.
 */

import type { Labels } from './labels.ts';
import type { Pace } from './series.ts';

/** So many are sorted at once: it takes less than a millisecond. */
const RUN_LENGTH = 256;
/** What comparing two sets of labels, or making one of them, costs in steps of work. */
export const LABELS_WORK = 8;
/** So many characters of labels are one more step of work. */
const CHARACTERS_PER_WORK = 64;

/** What a key of these labels costs, or comparing them with others. */
export function workOfLabels({ textLength }: Labels): number {
  return LABELS_WORK + Math.floor(textLength / CHARACTERS_PER_WORK);
}

/** Makes something of each item; `workOf` says what that costs. */
export async function mapInTurns<T, R>(
  pace: Pace,
  items: Iterable<T>,
  workOf: (item: T) => number,
  make: (item: T) => R,
): Promise<R[]> {
  const made: R[] = [];
  for (const item of items) {
    made.push(make(item));
    if (pace.isDue(workOf(item))) await pace.pause();
  }
  return made;
}

/** Sorts as `toSorted` does, equal ones in their order; `work` is what comparing two costs. */
export async function sortInTurns<T>(
  pace: Pace,
  items: readonly T[],
  compare: (a: T, b: T) => number,
  work: number = LABELS_WORK,
): Promise<T[]> {
  let runs: T[][] = [];
  const runLength = Math.ceil((RUN_LENGTH * LABELS_WORK) / work);
  for (let from = 0; from < items.length; from += runLength) {
    runs.push(items.slice(from, from + runLength).sort(compare));
    if (pace.isDue(runLength * work)) await pace.pause();
  }
  while (runs.length > 1) {
    const longer: T[][] = [];
    for (let index = 0; index < runs.length; index += 2) {
      const [a = [], b] = runs.slice(index, index + 2);
      longer.push(b === undefined ? a : await mergeInTurns(pace, { a, b, compare, work }));
    }
    runs = longer;
  }
  return runs[0] ?? [];
}

async function mergeInTurns<T>(
  pace: Pace,
  {
    a,
    b,
    compare,
    work,
  }: {
    readonly a: readonly T[];
    readonly b: readonly T[];
    readonly compare: (a: T, b: T) => number;
    readonly work: number;
  },
): Promise<T[]> {
  const merged: T[] = [];
  let aAt = 0;
  let bAt = 0;
  while (aAt < a.length && bAt < b.length) {
    const [first, second] = [a[aAt] as T, b[bAt] as T]; // Both are below their lengths.
    if (compare(first, second) <= 0) {
      merged.push(first);
      aAt += 1;
    } else {
      merged.push(second);
      bAt += 1;
    }
    if (pace.isDue(work)) await pace.pause();
  }
  for (; aAt < a.length; aAt += 1) merged.push(a[aAt] as T);
  for (; bAt < b.length; bAt += 1) merged.push(b[bAt] as T);
  return merged;
}

/**
 * What `start` resolves to for each item, in their order; `count` of them are started before they
 * are wanted. When one rejects, those that were started go on: whoever ends the query ends them.
 */
export async function* startAhead<T, R>(
  items: Iterable<T>,
  count: number,
  start: (item: T) => Promise<R>,
): AsyncGenerator<R, void, undefined> {
  const started: Promise<R>[] = [];
  for (const item of items) {
    const running = start(item);
    running.catch(() => undefined); // Until it is waited for, which may be never.
    started.push(running);
    if (started.length > count) yield await (started.shift() as Promise<R>); // There are some.
  }
  for (const running of started) yield await running;
}
