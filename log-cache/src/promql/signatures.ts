/** The functions there are, with the types of their arguments and results. */

import type { ValueType } from './ast.ts';

export interface Signature {
  readonly args: readonly ValueType[];
  /** How many of the last arguments may be missing; -1: the last may be there any number of times. */
  readonly optional: number;
  readonly returns: ValueType;
}

const RANGE: readonly string[] = (
  'avg_over_time changes count_over_time delta deriv idelta increase irate last_over_time ' +
  'mad_over_time max_over_time min_over_time present_over_time rate resets stddev_over_time ' +
  'stdvar_over_time sum_over_time absent_over_time first_over_time'
).split(' ');

const INSTANT: readonly string[] = (
  'abs absent acos acosh asin asinh atan atanh ceil cos cosh deg exp floor histogram_count ' +
  'histogram_sum ln log10 log2 rad sgn sin sinh sort sort_desc sqrt tan tanh timestamp'
).split(' ');

/** Those that look at the time when they are not given anything else. */
const DATE: readonly string[] =
  'day_of_month day_of_week day_of_year days_in_month hour minute month year'.split(' ');

const SMOOTHING = of(['matrix', 'scalar', 'scalar']);

export const SIGNATURES: ReadonlyMap<string, Signature> = new Map<string, Signature>([
  ...RANGE.map((name) => [name, of(['matrix'])] as const),
  ...INSTANT.map((name) => [name, of(['vector'])] as const),
  ...DATE.map((name) => [name, of(['vector'], { optional: 1 })] as const),
  ['clamp', of(['vector', 'scalar', 'scalar'])],
  ['clamp_max', of(['vector', 'scalar'])],
  ['clamp_min', of(['vector', 'scalar'])],
  ['histogram_fraction', of(['scalar', 'scalar', 'vector'])],
  ['histogram_quantile', of(['scalar', 'vector'])],
  ['holt_winters', SMOOTHING],
  ['double_exponential_smoothing', SMOOTHING],
  ['label_join', of(['vector', 'string', 'string', 'string'], { optional: -1 })],
  ['label_replace', of(['vector', 'string', 'string', 'string', 'string'])],
  ['pi', of([], { returns: 'scalar' })],
  ['predict_linear', of(['matrix', 'scalar'])],
  ['quantile_over_time', of(['scalar', 'matrix'])],
  ['round', of(['vector', 'scalar'], { optional: 1 })],
  ['scalar', of(['vector'], { returns: 'scalar' })],
  ['sort_by_label', of(['vector', 'string'], { optional: -1 })],
  ['sort_by_label_desc', of(['vector', 'string'], { optional: -1 })],
  ['time', of([], { returns: 'scalar' })],
  ['vector', of(['scalar'])],
]);

function of(
  args: readonly ValueType[],
  { optional = 0, returns = 'vector' }: Partial<Omit<Signature, 'args'>> = {},
): Signature {
  return { args, optional, returns };
}
