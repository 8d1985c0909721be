/** For tests: PromQL to compare with the oracle, picked by hand and made from seeds. */

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

export const PICKED: readonly string[] = [
  'requests',
  'sum(requests)',
  'sum by (job) (rate(requests[1m]))',
  'sum without (instance_id) (rate(requests[2m]))',
  'rate(requests[45s])',
  'increase(requests[5m] offset 1m)',
  'requests offset -30s',
  'delta(memory[3m])',
  'irate(requests[1m])',
  'idelta(memory[1m])',
  'resets(requests[10m])',
  'changes(load[10m])',
  'deriv(memory[5m])',
  'predict_linear(memory[5m], 600)',
  'holt_winters(memory[5m], 0.3, 0.7)',
  'quantile_over_time(0.9, memory[5m])',
  'stddev_over_time(memory[5m])',
  'stdvar_over_time(load[5m])',
  'avg_over_time(load[5m])',
  'last_over_time(gappy[10m])',
  'present_over_time(gappy[2m])',
  'absent_over_time(gappy[1m])',
  'absent_over_time(nothing{a="b",c=~"d"}[1m])',
  'absent(nothing{a="b",c!="d"})',
  'absent(gappy)',
  'absent(sum(nothing))',
  'max_over_time(rate(requests[1m])[5m:30s])',
  'avg_over_time(memory[5m:])',
  'sum_over_time(sum(requests)[3m:20s] offset 40s)',
  'rate(requests[5m:1m] @ end())',
  'requests @ start()',
  'requests @ 1700000300',
  'requests @ end() - requests @ start()',
  'rate(requests[2m] @ 1700000900 offset 1m)',
  'timestamp(requests)',
  'timestamp(requests offset 1m)',
  'timestamp(sum(requests))',
  'timestamp(requests @ 1700000300)',
  'topk(2, memory)',
  'bottomk(2, memory)',
  'topk by (job) (1, memory)',
  'topk(scalar(count(load)) - 2, memory)',
  'quantile(0.5, memory)',
  'quantile by (job) (0.25, memory)',
  'stddev(memory)',
  'stdvar by (job) (memory)',
  'count_values("value", floor(load))',
  'count_values by (job) ("value", load > bool 0.5)',
  'count_values by (job) ("job", floor(load * 3))',
  'count_values without () ("job", floor(load * 3))',
  'count_values without (job) ("job", floor(load * 3))',
  'count_values without (value, instance_id) ("value", load > bool 0.5)',
  'count_values by (zone) ("__name__", load > bool 0.5)',
  'count_values without (zone) ("__name__", load > bool 0.5)',
  'count_values("0bad", nothing)',
  'count_values("a b", load)',
  'group by (job) (requests)',
  'count(requests) by (zone)',
  'avg(memory) without (zone, job)',
  'memory / on (job, instance_id, zone) load',
  'memory * on (job) group_left sum by (job) (load)',
  'sum by (job) (load) * on (job) group_right memory',
  'memory * on (job) group_left (team) label_replace(sum by (job) (load), "team", "t-$1", "job", "(.*)")',
  'memory and load',
  'memory and on (job) load > 0.5',
  'memory unless on (job, instance_id) requests{job="a"}',
  'requests or memory',
  'memory or on (job) load',
  'requests{job="a"} or vector(1)',
  'memory > 50',
  '50 < memory',
  'memory > bool 50',
  'memory == memory',
  'memory != bool load',
  'memory >= load',
  '1 - load',
  '-load',
  '-(load ^ 2)',
  '2 ^ 3 ^ 2',
  '-2 ^ 2',
  '2 ^ -1 * 3',
  '-1 - -1',
  '7 % -3',
  '-7 % 3',
  '1 / 0',
  '-1 / 0',
  '0 / 0',
  'load % 0.3',
  '(load atan2 memory) + 0',
  'pi() * 2',
  'scalar(sum(memory))',
  'scalar(memory)',
  'vector(time())',
  'time() - 5',
  'hour()',
  'day_of_year()',
  'days_in_month(vector(1709210000))',
  'month(memory * 1e7)',
  'day_of_week(timestamp(memory))',
  'clamp(memory, 20, 60)',
  'clamp(memory, 60, 20)',
  'clamp_max(memory, 50)',
  'clamp_min(memory, 50)',
  'round(memory, 0.1)',
  'round(memory)',
  'round(memory, 5)',
  'sgn(load - 0.5)',
  'ln(memory) + log2(memory) + log10(memory) + exp(load) + sqrt(memory)',
  'label_replace(memory, "job", "$1-x", "job", "(.*)")',
  `label_replace(memory, "other", "\${1}", "instance_id", "(\\\\d)")`,
  'label_replace(memory, "zone", "", "", "")',
  'label_replace(memory, "job", "same", "job", ".*")',
  'label_replace(memory, "0bad", "x", "job", ".*")',
  'label_replace(memory, "job", "x", "job", "(")',
  'label_join(memory, "all", "-", "job", "instance_id")',
  'label_join(memory, "job", "", "nothing")',
  'histogram_quantile(0.9, latency_bucket)',
  'histogram_quantile(0.5, sum by (le) (rate(latency_bucket[2m])))',
  'histogram_quantile(0.99, sum by (le, job) (latency_bucket))',
  'histogram_quantile(1.5, latency_bucket)',
  'histogram_quantile(-1, latency_bucket)',
  'histogram_quantile(0, latency_bucket)',
  'histogram_quantile(1, latency_bucket)',
  'histogram_quantile(0.1, temperature_bucket)',
  'histogram_quantile(0.5, temperature_bucket)',
  'histogram_quantile(0.9, temperature_bucket)',
  'histogram_quantile(0.1, written_bucket)',
  'histogram_quantile(0.5, written_bucket)',
  'histogram_quantile(0.9, written_bucket)',
  'histogram_quantile(0.1, twice_bucket)',
  'histogram_quantile(0.5, twice_bucket)',
  'histogram_quantile(0.9, twice_bucket)',
  'histogram_quantile(0.1, falling_bucket)',
  'histogram_quantile(0.5, falling_bucket)',
  'histogram_quantile(0.9, falling_bucket)',
  'histogram_quantile(0.1, holed_bucket)',
  'histogram_quantile(0.5, holed_bucket)',
  'histogram_quantile(0.9, holed_bucket)',
  'histogram_quantile(0.5, endless_bucket)',
  'histogram_quantile(0, temperature_bucket)',
  'histogram_quantile(NaN, temperature_bucket)',
  'histogram_quantile(0.5, {__name__=~"twice_bucket|temperature_bucket"})',
  'histogram_quantile(0.5, memory)',
  'memory * on (zone) group_left load',
  'load{job="a"} + on () group_right memory',
  'memory * on (job) group_left (instance_id) sum without (zone) (load)',
  '-{__name__=~"memory|load"}',
  'topk(NaN, nothing)',
  'topk(1e30, load)',
  'topk(1e20, nothing)',
  'bottomk(-Inf, load)',
  'topk(-2 ^ 63, load)',
  'topk(-1e19, load)',
  'topk(2 ^ 63, load)',
  'topk(1 / (time() - 1700000374), nothing)',
  'quantile(NaN, load)',
  'label_join(load, "all", "-", "a b")',
  'label_join(nothing, "0bad", "-", "")',
  'label_join(nothing, "0bad", "-", "job")',
  'label_replace(nothing, "0bad", "", "job", "(")',
  'count_values("a\\u0001\\t\\"é", load)',
  '"a string"',
  '"\\"quoted\\\\" + ""',
  '`raw`',
  'holt_winters(memory[5m], 2, 0.7)',
  'holt_winters(memory[5m], 0.3, 0)',
  'holt_winters(nothing[5m], 2, 0)',
  '017 + 0X1f + 0x1F + 1.e2 + 08 + .5e1',
  '9223372036854775808',
  'load @ 0x6553F29C',
  'load @ 1.7e9',
  'minute(vector(1e13))',
  'minute(vector(-1e13))',
  'hour(vector(1e13))',
  'hour(vector(-1e13))',
  'day_of_week(vector(1e13))',
  'day_of_week(vector(-1e13))',
  'day_of_month(vector(1e13))',
  'day_of_month(vector(-1e13))',
  'day_of_year(vector(1e13))',
  'day_of_year(vector(-1e13))',
  'days_in_month(vector(1e13))',
  'days_in_month(vector(-1e13))',
  'month(vector(1e13))',
  'month(vector(-1e13))',
  'year(vector(1e13))',
  'year(vector(-1e13))',
  'year(vector(9e18))',
  'year(vector(-9.2e18))',
  'minute(vector(-61))',
  'minute(vector(-0.5))',
  'day_of_year(vector(1709164800))',
  'sum({__name__=~"memory|load"})',
  'count by (__name__) ({source_id="app"})',
  'sum by (job, __name__) ({__name__=~"memory|load"})',
  'rate({__name__=~"memory|load"}[1m])',
  '{__name__=~"memory|load"} + 1',
  'memory + load offset 5m * 2',
  'memory * on (job) load',
  'sum(memory) by (job) / sum(load)',
  'memory + ignoring (job) load',
  'odd',
  'sum(odd)',
  'avg(odd)',
  'min(odd)',
  'max(odd)',
  'stddev(odd)',
  'quantile(0.5, odd)',
  'sort(odd)',
  'sort_desc(odd)',
  'avg_over_time(odd[5m])',
  'sum_over_time(odd[5m])',
  'max_over_time(odd[5m])',
  'min_over_time(odd[5m])',
  'changes(odd[5m])',
  'deriv(odd[5m])',
  'count_values("v", odd)',
  'odd == odd',
  'max_over_time(memory[1h:7s] @ 1700000600)',
  'sum_over_time(vector(1)[2m:10s])',
  'absent(memory > 1e9) or memory',
  'min_over_time((memory > 50)[5m:15s])',
  'memory[1m] @ 1700000300',
  'requests[1m]',
  'requests[90s] offset 30s',
  'sum(requests)[1m:15s]',
];

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
