/** Functions that change labels or go by them. */

import { failed } from '../errors.ts';
import { compareText, type Labels } from '../labels.ts';
import { Pattern, PatternError } from '../matcher.ts';
import { isLabelName, METRIC_NAME } from '../names.ts';
import { merged, type Row } from '../rows.ts';

export function labelReplace(rows: readonly Row[], args: readonly string[]): Row[] {
  const [target = '', replacement = '', source = '', expression = ''] = args;
  const pattern = patternOf(expression);
  checkTarget('label_replace', target);
  return merged(
    rows.map((row) => {
      const groups = pattern.groups(row.labels.get(source));
      if (groups === undefined) return row;
      return row.named(row.labels.with(target, expanded(replacement, groups)));
    }),
  );
}

export function labelJoin(rows: readonly Row[], args: readonly string[]): Row[] {
  const [target = '', separator = '', ...sources] = args;
  checkTarget('label_join', target);
  return merged(
    rows.map((row) => {
      const value = sources.map((name) => row.labels.get(name)).join(separator);
      return row.named(row.labels.with(target, value));
    }),
  );
}

/** By these labels, numbers in them by their size, and then by all. */
export function sortByLabels(
  rows: readonly Row[],
  names: readonly string[],
  descending: boolean,
): Row[] {
  const sign = descending ? -1 : 1;
  return rows.toSorted((a, b) => {
    for (const name of names) {
      const difference = compareNaturally(a.labels.get(name), b.labels.get(name));
      if (difference !== 0) return sign * difference;
    }
    return sign * a.labels.compare(b.labels);
  });
}

function compareNaturally(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true }) || compareText(a, b);
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
