/** Functions that change labels or go by them. */

import { PatternError } from '../../pattern.ts';
import { failed } from '../errors.ts';
import { LABELS_WORK, sortInTurns, workOfLabels } from '../in-turns.ts';
import { holdLabels, labelsTooLong, roomFor } from '../label-room.ts';
import { compareText, type Labels } from '../labels.ts';
import { COMPILING_WORK, Pattern, type PatternSizes, PatternSizesError } from '../matcher.ts';
import { isLabelName, METRIC_NAME } from '../names.ts';
import { merged, type Row } from '../rows.ts';
import type { Pace } from '../series.ts';
import { Replacement } from './replacement.ts';

/** `sizes` are those of the request's expressions, to which this adds its own. */
export async function labelReplace(
  pace: Pace,
  rows: readonly Row[],
  args: readonly string[],
  sizes: PatternSizes,
): Promise<Row[]> {
  const [target = '', replacement = '', source = '', expression = ''] = args;
  const pattern = patternOf(expression, sizes);
  if (pace.isDue(pattern.size * COMPILING_WORK)) await pace.pause();
  checkTarget('label_replace', target);
  const template = new Replacement(replacement);
  const replaced: Row[] = [];
  for (const row of rows) {
    const groups = pattern.groups(row.labels.get(source));
    if (groups === undefined) replaced.push(row);
    else {
      const value = template.with(groups, roomFor(target, row.labels));
      if (value === undefined) throw labelsTooLong('label_replace');
      replaced.push(relabelled(pace, row, target, value));
    }
    const work = workOfLabels(row.labels) + template.work + pattern.takeWork();
    if (pace.isDue(work)) await pace.pause();
  }
  return merged(pace, replaced);
}

export async function labelJoin(
  pace: Pace,
  rows: readonly Row[],
  args: readonly string[],
): Promise<Row[]> {
  const [target = '', separator = '', ...sources] = args;
  const wrong = sources.find((name) => !isLabelName(name));
  if (wrong !== undefined) throw failed(`invalid source label name in label_join(): ${wrong}`);
  checkTarget('label_join', target);
  const separators = separator.length * Math.max(0, sources.length - 1);
  const joined: Row[] = [];
  for (const row of rows) {
    const values = sources.map((name) => row.labels.get(name));
    const length = values.reduce((sum, value) => sum + value.length, separators);
    if (length > roomFor(target, row.labels)) throw labelsTooLong('label_join');
    joined.push(relabelled(pace, row, target, values.join(separator)));
    const work = workOfLabels(row.labels) + sources.length * row.labels.pairs.length;
    if (pace.isDue(work)) await pace.pause();
  }
  return merged(pace, joined);
}

function relabelled(pace: Pace, row: Row, target: string, value: string): Row {
  const labels = row.labels.with(target, value);
  holdLabels(pace, labels, value.length);
  return row.named(labels);
}

/** By these labels, numbers in them by their size, and then by all. */
export function sortByLabels(
  pace: Pace,
  rows: readonly Row[],
  names: readonly string[],
  descending: boolean,
): Promise<Row[]> {
  const sign = descending ? -1 : 1;
  const most = rows.reduce((longest, { labels }) => Math.max(longest, workOfLabels(labels)), 1);
  const compare = (a: Row, b: Row): number => {
    for (const name of names) {
      const difference = compareNaturally(a.labels.get(name), b.labels.get(name));
      if (difference !== 0) return sign * difference;
    }
    return sign * a.labels.compare(b.labels);
  };
  return sortInTurns(pace, rows, compare, most + names.length * LABELS_WORK);
}

const natural = new Intl.Collator('en', { numeric: true });

function compareNaturally(a: string, b: string): number {
  return natural.compare(a, b) || compareText(a, b);
}

function checkTarget(name: string, target: string): void {
  if (isLabelName(target)) return;
  throw failed(`invalid destination label name in ${name}(): ${target}`);
}

function patternOf(expression: string, sizes: PatternSizes): Pattern {
  try {
    const pattern = new Pattern(expression);
    sizes.add(pattern);
    return pattern;
  } catch (error) {
    if (!(error instanceof PatternError)) throw error;
    if (error instanceof PatternSizesError) throw failed(error.message);
    throw failed(`invalid regular expression in label_replace(): ${expression}`);
  }
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
  return none.withAll(known);
}
