/** Functions that change labels or go by them. */

import { PatternError } from '../../pattern.ts';
import { failed } from '../errors.ts';
import { LABELS_WORK, sortInTurns } from '../in-turns.ts';
import { compareText, type Labels } from '../labels.ts';
import { Pattern } from '../matcher.ts';
import { isLabelName, METRIC_NAME } from '../names.ts';
import { mapRows, merged, type Row } from '../rows.ts';
import type { Pace } from '../series.ts';

export async function labelReplace(
  pace: Pace,
  rows: readonly Row[],
  args: readonly string[],
): Promise<Row[]> {
  const [target = '', replacement = '', source = '', expression = ''] = args;
  const pattern = patternOf(expression);
  checkTarget('label_replace', target);
  const replaced: Row[] = [];
  for (const row of rows) {
    const groups = pattern.groups(row.labels.get(source));
    const labels = groups && row.labels.with(target, expanded(replacement, groups));
    replaced.push(labels === undefined ? row : row.named(labels));
    if (pace.isDue(LABELS_WORK + pattern.takeWork())) await pace.pause();
  }
  return merged(pace, replaced);
}

export async function labelJoin(
  pace: Pace,
  rows: readonly Row[],
  args: readonly string[],
): Promise<Row[]> {
  const [target = '', separator = '', ...sources] = args;
  checkTarget('label_join', target);
  const joined = await mapRows(pace, rows, (row) => {
    const value = sources.map((name) => row.labels.get(name)).join(separator);
    return row.named(row.labels.with(target, value));
  });
  return merged(pace, joined);
}

/** By these labels, numbers in them by their size, and then by all. */
export function sortByLabels(
  pace: Pace,
  rows: readonly Row[],
  names: readonly string[],
  descending: boolean,
): Promise<Row[]> {
  const sign = descending ? -1 : 1;
  return sortInTurns(pace, rows, (a, b) => {
    for (const name of names) {
      const difference = compareNaturally(a.labels.get(name), b.labels.get(name));
      if (difference !== 0) return sign * difference;
    }
    return sign * a.labels.compare(b.labels);
  });
}

const natural = new Intl.Collator('en', { numeric: true });

function compareNaturally(a: string, b: string): number {
  return natural.compare(a, b) || compareText(a, b);
}

function checkTarget(name: string, target: string): void {
  if (isLabelName(target)) return;
  throw failed(`invalid destination label name in ${name}(): ${target}`);
}

function patternOf(expression: string): Pattern {
  try {
    return new Pattern(expression);
  } catch (error) {
    if (!(error instanceof PatternError)) throw error;
    throw failed(`invalid regular expression in label_replace(): ${expression}`);
  }
}

/** Puts groups where `$1`, `$name` and `${name}` stand; `$$` is a dollar. */
function expanded(template: string, groups: (name: string) => string): string {
  return template.replaceAll(
    /\$(?:(\$)|(\w+)|\{(\w+)\})/g,
    (_all, dollar?: string, plain?: string, braced?: string) =>
      dollar ?? groups(plain ?? braced ?? ''),
  );
}

/** The labels that `absent` gives to what is not there: those that matchers name exactly. */
export function absentLabels(
  matchers: readonly { readonly name: string; readonly op: string; readonly value: string }[],
  none: Labels,
): Labels {
  const known = new Map<string, string>();
  const seen = new Set<string>();
  for (const { name, op, value } of matchers) {
    if (name === METRIC_NAME) continue;
    if (op === '=' && !seen.has(name)) known.set(name, value);
    else known.delete(name);
    if (op === '=') seen.add(name);
  }
  let labels = none;
  for (const [name, value] of known) labels = labels.with(name, value);
  return labels;
}
