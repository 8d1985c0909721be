/**
 * What an operator makes of two vectors. Series of both sides are brought together by their labels
 * once; which of them are there, and so what is a pair and what is ambiguous, is decided at each step.
 */

import { type Binary, COMPARISONS, type Matching } from './ast.ts';
import { failed, type QueryError } from './errors.ts';
import type { Evaluator } from './evaluate.ts';
import { LABELS_WORK, workOfLabels } from './in-turns.ts';
import { holdLabels } from './label-room.ts';
import type { Labels } from './labels.ts';
import { type Grid, merged, presentAt, Row } from './rows.ts';
import type { Pace } from './series.ts';
import { inPieces, isPieceEnd, mapSteps, PIECE_STEPS } from './steps.ts';

export type Operate = (a: number, b: number) => number;

const MANY =
  'multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)';
const AMBIGUOUS = 'multiple matches for labels: grouping labels must ensure unique matches';

/** What a row's labels have in common with those of the other side. */
export function groupOf(labels: Labels, { on, labels: names }: Matching): Labels {
  return on ? labels.only(names) : labels.nameless.without(names);
}

interface Sides {
  readonly left: readonly Row[];
  readonly right: readonly Row[];
  readonly matching: Matching;
  readonly operate: Operate;
  readonly grid: Grid;
}

export async function pairwise(on: Evaluator, expr: Binary, sides: Sides): Promise<Row[]> {
  const { matching, grid } = sides;
  const isSwapped = matching.card === 'one-to-many';
  // `many` may have several of one signature, if the query says so; `one` never.
  const many = isSwapped ? sides.right : sides.left;
  const ones = await bySignature(on, isSwapped ? sides.left : sides.right, matching);
  const isFilter = COMPARISONS.has(expr.op) && !expr.bool;
  const included = matching.include.length;
  const results: Row[] = [];
  const manyRows = await bySignature(on, many, matching);
  let steps: { readonly others: Uint8Array; readonly taken: Uint32Array } | undefined;
  for (const [signature, candidates] of ones) {
    if (candidates.length > 1) {
      steps ??= {
        others: await presentAt(on.pace, many, grid.count),
        taken: new Uint32Array(grid.count),
      };
      await rejectDuplicates(on.pace, candidates, { steps, matching, isSwapped });
    }
    const partners = manyRows.get(signature) ?? [];
    const taken = matching.card === 'one-to-one' ? new Uint8Array(grid.count) : undefined;
    for (const row of partners) {
      for (const one of candidates) {
        const labels = resultLabels(row.labels, one.labels, { matching, expr });
        const result = Row.empty(labels, grid.count);
        for (let step = 0; step < grid.count; step += 1) {
          if (isPieceEnd(step) && on.pace.isDue(PIECE_STEPS)) await on.pace.pause();
          if (!row.has(step) || !one.has(step)) continue;
          const left = isSwapped ? one.at(step) : row.at(step);
          const right = isSwapped ? row.at(step) : one.at(step);
          const value = sides.operate(left, right);
          if (isFilter && value !== 1) continue;
          if (taken?.[step] === 1) throw failed(MANY);
          if (taken) taken[step] = 1;
          result.set(step, isFilter ? left : value);
        }
        if (!result.isEmpty) {
          on.pace.hold(grid.count);
          if (included > 0) holdLabels(on.pace, labels, 0);
          results.push(result);
        }
        const work = LABELS_WORK * (1 + included) + (grid.count % PIECE_STEPS);
        if (on.pace.isDue(work)) await on.pace.pause();
      }
    }
  }
  return merged(on.pace, results, { reason: AMBIGUOUS });
}

async function bySignature(
  on: Evaluator,
  rows: readonly Row[],
  matching: Matching,
): Promise<Map<string, Row[]>> {
  const map = new Map<string, Row[]>();
  for (const row of rows) {
    if (on.pace.isDue(workOfLabels(row.labels))) await on.pace.pause();
    const signature = groupOf(row.labels, matching).key;
    const known = map.get(signature);
    if (known) known.push(row);
    else map.set(signature, [row]);
  }
  return map;
}

/** At no step may two rows of the `one` side be there, if there is anything on the other. */
async function rejectDuplicates(
  pace: Pace,
  rows: readonly Row[],
  at: {
    readonly steps: {
      /** At which there is anything on the other side. */
      readonly others: Uint8Array;
      /** Room for the row that each has, counted from one. */
      readonly taken: Uint32Array;
    };
    readonly matching: Matching;
    readonly isSwapped: boolean;
  },
): Promise<void> {
  const { taken, others } = at.steps;
  await inPieces(pace, taken.length, (from, to) => taken.fill(0, from, to));
  const numbered = rows.entries();
  const begin = (): number => (numbered.next().value?.[0] ?? 0) + 1;
  await mapSteps(pace, rows, begin, (number, row, from, to) => {
    for (let step = from; step < to; step += 1) {
      if (!row.has(step) || others[step] !== 1) continue;
      const other = rows[(taken[step] as number) - 1];
      if (other !== undefined) throw duplicates(row, other, at);
      taken[step] = number;
    }
  });
}

function duplicates(
  row: Row,
  other: Row,
  { matching, isSwapped }: { readonly matching: Matching; readonly isSwapped: boolean },
): QueryError {
  const side = isSwapped ? 'left' : 'right';
  return failed(
    `found duplicate series for the match group ${groupOf(row.labels, matching)} on the ${side} ` +
      `hand-side of the operation: [${row.labels}, ${other.labels}];` +
      'many-to-many matching not allowed: matching labels must be unique on one side',
  );
}

function resultLabels(
  many: Labels,
  one: Labels,
  { matching, expr }: { readonly matching: Matching; readonly expr: Binary },
): Labels {
  const isFilter = COMPARISONS.has(expr.op) && !expr.bool;
  let labels = isFilter ? many : many.nameless;
  if (matching.card === 'one-to-one') {
    labels = matching.on ? labels.only(matching.labels) : labels.without(matching.labels);
  }
  if (matching.include.length === 0) return labels;
  return labels.withAll(matching.include.map((name) => [name, one.get(name)]));
}
