/**
 * What `bench:check` finds: a ratio that is worse than the kept one, a loss of envelopes, a scenario
 * that fails. Only what is found twice counts, for machines are noisy.
 *
 * Without the first of them a Doppler that drops half of its envelopes would have the better ratio.
 */

import type { Found, KeptFigures } from './figures.ts';
import { nameOf, type Row } from './row.ts';
import type { Failure } from './suite.ts';

/** What was found, and what could not be. */
export interface Checked extends Found {
  readonly failures: readonly Failure[];
}

export interface Problem {
  /** Of the row, or of the micro-benchmark's case. */
  readonly name: string;
  readonly text: string;
}

/** What is worse than this is a loss, and no noise. */
const ALLOWED = 1.15;
/** Their rates are found anew in each run, so their figures cannot be compared. */
const RATE_VARIES: ReadonlySet<string> = new Set(['highest-rate']);

/** Looks at what was found, and at what `again` finds of that in which there are problems. */
export async function twice(
  kept: KeptFigures,
  found: Checked,
  again: (words: readonly string[], problems: readonly Problem[]) => Promise<Checked>,
): Promise<Problem[]> {
  const problems = problemsOf(kept, found);
  if (problems.length === 0) return [];
  const words = new Set(problems.map(({ name }) => name.split(/[:,]/)[0] ?? ''));
  const names = new Set(problems.map(({ name }) => name));
  return problemsOf(kept, await again([...words], problems)).filter(({ name }) => names.has(name));
}

/** All problems. What only one of kept and found has is none, if nothing was lost. */
export function problemsOf(kept: KeptFigures, { rows, ratios, failures }: Checked): Problem[] {
  const rowOf = new Map(kept.rows.map((row) => [nameOf(row), row]));
  const problems = failures.map(({ reason, ...one }) => ({
    name: nameOf({ ...one, detail: '' }),
    text: reason,
  }));
  for (const row of rows) {
    const name = nameOf(row);
    if (row.lost !== 0) problems.push({ name, text: `lost ${row.lost} envelopes` });
    const before = rowOf.get(name);
    const isCompared = !row.isShort && !before?.isShort && !RATE_VARIES.has(row.scenario);
    if (isCompared) problems.push(...worse(name, before?.ratio, row.ratio));
  }
  for (const [name, ratio] of Object.entries(ratios)) {
    problems.push(...worse(name, kept.ratios[name]?.ratio, ratio));
  }
  return problems;
}

/** The names of rows whose ratio means nothing, since the load was held up. */
export function shortRows(rows: readonly Row[]): string[] {
  return rows.filter(({ isShort }) => isShort).map(nameOf);
}

function worse(name: string, before: number | undefined, now: number | undefined): Problem[] {
  if (before === undefined || now === undefined || now <= before * ALLOWED) return [];
  const text = `${now.toFixed(2)} times the yardstick, and it was ${before.toFixed(2)}`;
  return [{ name, text }];
}
