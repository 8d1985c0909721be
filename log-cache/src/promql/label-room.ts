/**
 * What labels that a query makes may take. `label_join(x, "a", "", "a", "a")` doubles a label, and
 * twenty of them in each other make megabytes of every series.
 *
 * So a series has a bound, looked at before a text is put together, and the query's budget counts
 * what was made, as so many samples of 16 bytes, until the query is over. What is there already is
 * shared by all who have it: it counts only as one more reference.
 */

import { failed, type QueryError } from './errors.ts';
import type { Labels } from './labels.ts';
import type { Pace } from './series.ts';

/** Characters in the labels of a series, once a function has made one of them. */
export const LABELS_LENGTH_MAX: number = 64 * 1024;

const CHARACTERS_PER_SAMPLE = 8;
const REFERENCES_PER_SAMPLE = 2;

/** How many characters a label of this name may have beside the others. */
export function roomFor(name: string, labels: Labels): number {
  const own = labels.get(name);
  const others = labels.textLength - (own === '' ? 0 : own.length + name.length);
  return Math.max(0, LABELS_LENGTH_MAX - others - name.length);
}

/** Counts labels in which so many characters are new. Throws a QueryError. */
export function holdLabels(pace: Pace, labels: Labels, characters: number): void {
  const references = labels.pairs.length;
  pace.hold(
    Math.ceil(characters / CHARACTERS_PER_SAMPLE) + Math.ceil(references / REFERENCES_PER_SAMPLE),
  );
}

export function labelsTooLong(functionName: string): QueryError {
  return failed(
    `labels too long in ${functionName}(): a series may have ${LABELS_LENGTH_MAX} characters of them`,
  );
}
