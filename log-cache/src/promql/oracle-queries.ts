/** For tests: PromQL to compare with the oracle, made from seeds. */

import { SIGNATURES } from './signatures.ts';

/** The metrics of the oracle's data. */
const VECTORS = ['requests', 'memory', 'load', 'gappy', '{__name__=~"memory|load"}', 'nothing'];
const MATCHERS = [
  '',
  '{instance_id="1"}',
  '{instance_id!="1"}',
  '{job=~"a.*"}',
  '{job!~"a.*|c"}',
  '{job=""}',
  '{zone!=""}',
];
const LABELS = ['job', 'instance_id', 'zone', 'source_id'];
/** What Prometheus 2.42 doesn't have. */
const NEWER = new Set([
  'mad_over_time',
  'first_over_time',
  'sort_by_label',
  'sort_by_label_desc',
  'double_exponential_smoothing',
]);

type Random = (below: number) => number;

/** An expression of the language, nested so deep at most. */
export function randomQuery(random: Random): string {
  return vector(random, 3);
}

function vector(random: Random, depth: number): string {
  if (depth === 0) return selector(random);
  switch (random(8)) {
    case 0:
      return selector(random);
    case 1:
      return aggregation(random, depth - 1);
    case 2:
    case 3:
      return rangeCall(random, depth - 1);
    case 4:
      return instantCall(random, depth - 1);
    case 5:
      return `${vector(random, depth - 1)} ${arithmetic(random)} ${number(random)}`;
    case 6:
      return `(${vector(random, depth - 1)} ${arithmetic(random)} ${matching(random)} ${vector(random, depth - 1)})`;
    default:
      return `(${vector(random, depth - 1)} ${pick(random, ['and', 'or', 'unless'])} ${pick(random, ['', 'on (job)', 'ignoring (zone)'])} ${vector(random, depth - 1)})`;
  }
}

function selector(random: Random): string {
  return named(random) + shift(random);
}

function named(random: Random): string {
  const name = pick(random, VECTORS);
  return name.startsWith('{') ? name : name + pick(random, MATCHERS);
}

function shift(random: Random): string {
  return pick(random, ['', '', '', '', ' offset 1m', ' offset -45s', ' @ 1700000500', ' @ end()']);
}

function aggregation(random: Random, depth: number): string {
  const inner = vector(random, depth);
  const by = pick(random, ['', `by (${labels(random)})`, `without (${labels(random)})`]);
  // Ties in topk depend on the order of series, which nobody defines.
  const op = pick(random, ['sum', 'avg', 'count', 'min', 'max', 'group', 'stddev', 'stdvar']);
  if (random(6) === 0) return `quantile ${by} (${pick(random, ['0', '0.3', '1', '2'])}, ${inner})`;
  return `${op} ${by} (${inner})`;
}

function labels(random: Random): string {
  return LABELS.filter(() => random(2) === 0).join(', ');
}

function rangeCall(random: Random, depth: number): string {
  const names = [...SIGNATURES]
    .filter(([name, { args }]) => args.length === 1 && args[0] === 'matrix' && !NEWER.has(name))
    .map(([name]) => name);
  const range = pick(random, ['15s', '1m', '90s', '5m', '10m']);
  const inner =
    random(3) === 0
      ? `(${vector(random, depth)})[${range}:${pick(random, ['', '10s', '37s'])}]${shift(random)}`
      : `${named(random)}[${range}]${shift(random)}`;
  return `${pick(random, names)}(${inner})`;
}

function instantCall(random: Random, depth: number): string {
  const names = ['abs', 'ceil', 'floor', 'sgn', 'sqrt', 'deg', 'timestamp', 'absent', 'exp'];
  return `${pick(random, names)}(${vector(random, depth)})`;
}

function arithmetic(random: Random): string {
  const operators = ['+', '-', '*', '/', '%', '>', '<=', '== bool', '!=', '> bool'];
  return pick(random, operators);
}

function matching(random: Random): string {
  return pick(random, ['', '', 'on (job, instance_id)', 'ignoring (zone)', 'on (job)']);
}

function number(random: Random): string {
  return pick(random, ['0', '2', '0.5', '-3', '1e3', '50', 'Inf', 'NaN']);
}

function pick<T>(random: Random, from: readonly T[]): T {
  return from[random(from.length)] as T; // Below the length.
}
