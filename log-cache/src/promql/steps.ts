/**
 * Work on the steps of rows and scalars, with turns for others in between: a subquery has a million
 * steps, and a row of those is too long for one turn.
 */

import { workOfLabels } from './in-turns.ts';
import type { Row } from './rows.ts';
import type { Pace } from './series.ts';

/** So many steps are done at once. A query's own, of which there are 11,000, are one piece. */
export const PIECE_STEPS = 16_384;

/** Whether a loop over steps that is neither of these has come to the end of a piece. */
export function isPieceEnd(step: number): boolean {
  return step % PIECE_STEPS === PIECE_STEPS - 1;
}

/** Does something for all steps, from one to before another at a time. */
export async function inPieces(
  pace: Pace,
  count: number,
  fill: (from: number, to: number) => void,
): Promise<void> {
  for (let from = 0; from < count; from += PIECE_STEPS) {
    const to = Math.min(count, from + PIECE_STEPS);
    fill(from, to);
    if (pace.isDue(to - from)) await pace.pause();
  }
}

/** Makes something of each row: `begin` what has no steps yet, `fill` those of a piece. */
export async function mapSteps<R>(
  pace: Pace,
  rows: readonly Row[],
  begin: (row: Row) => R,
  fill: (made: R, row: Row, from: number, to: number) => void,
): Promise<R[]> {
  const all: R[] = [];
  for (const row of rows) {
    const made = begin(row);
    let work = workOfLabels(row.labels);
    const count = row.values.length;
    // Not by inPieces: a promise for each of many short rows would cost more than they do.
    for (let from = 0; from < count; from += PIECE_STEPS) {
      const to = Math.min(count, from + PIECE_STEPS);
      fill(made, row, from, to);
      work += to - from;
      if (pace.isDue(work)) await pace.pause();
      work = 0;
    }
    all.push(made);
  }
  return all;
}
