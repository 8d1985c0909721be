/** Results as the original's gateway writes them: Prometheus' JSON, with times of three decimals. */

import { JsonChunks, jsonText } from './json-chunks.ts';
import type { Labels } from './labels.ts';
import type { Pace } from './series.ts';

export interface Point {
  readonly timeMs: number;
  readonly value: number;
}

export interface Sample extends Point {
  readonly labels: Labels;
}

export interface Samples {
  readonly labels: Labels;
  readonly times: ArrayLike<number>;
  readonly values: ArrayLike<number>;
}

export type Result =
  | ({ readonly type: 'scalar' } & Point)
  | { readonly type: 'string'; readonly timeMs: number; readonly value: string }
  | { readonly type: 'vector'; readonly samples: readonly Sample[] }
  | { readonly type: 'matrix'; readonly series: readonly Samples[] };

/** Seconds with three decimals. */
export function seconds(ms: number): string {
  const sign = ms < 0 ? '-' : '';
  const digits = String(Math.abs(ms)).padStart(4, '0');
  return `${sign}${digits.slice(0, -3)}.${digits.slice(-3)}`;
}

/** A number in plain decimal, never with an exponent, as Go's `f` with as few digits as it takes. */
export function plainNumber(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  if (value === Number.NEGATIVE_INFINITY) return '-Inf';
  if (Object.is(value, -0)) return '-0';
  const [mantissa = '', exponent] = String(value).split('e');
  if (exponent === undefined) return mantissa;
  const [, sign = '', whole = '', fraction = ''] = /^(-?)(\d+)\.?(\d*)$/.exec(mantissa) ?? [];
  const digits = whole + fraction;
  const point = whole.length + Number(exponent);
  if (point <= 0) return `${sign}0.${'0'.repeat(-point)}${digits}`;
  return `${sign}${digits.padEnd(point, '0')}`;
}

/** The whole answer to a query. */
export async function resultBody(
  result: Result,
  warnings: readonly string[],
  pace: Pace,
): Promise<Buffer> {
  const text = new JsonChunks(pace);
  text.add(`{"status":"success","data":{"resultType":"${result.type}","result":`);
  if (result.type === 'scalar') text.add(pointText(result));
  else if (result.type === 'string') {
    text.add(`[${seconds(result.timeMs)},${jsonText(result.value)}]`);
  } else {
    text.add('[');
    const items = result.type === 'vector' ? result.samples : result.series;
    for (const [index, item] of items.entries()) {
      if (index > 0) text.add(',');
      text.add(`{"metric":${labelsText(item.labels)},`);
      if ('value' in item) text.add(`"value":${pointText(item)}}`);
      else await addPoints(text, item);
      if (text.isDue()) await pace.pause();
    }
    text.add(']');
  }
  text.add('}');
  if (warnings.length > 0) text.add(`,"warnings":${jsonText(warnings)}`);
  text.add('}\n');
  return text.take();
}

async function addPoints(text: JsonChunks, { times, values }: Samples): Promise<void> {
  text.add('"values":[');
  for (let index = 0; index < times.length; index += 1) {
    const timeMs = times[index] as number; // Below their length, which is one.
    const value = values[index] as number;
    text.add(index > 0 ? `,${pointText({ timeMs, value })}` : pointText({ timeMs, value }));
    if (text.isDue()) await text.pause();
  }
  text.add(']}');
}

function pointText({ timeMs, value }: Point): string {
  return `[${seconds(timeMs)},"${plainNumber(value)}"]`;
}

/** Labels as an object, in their order. */
export function labelsText(labels: Labels): string {
  const inner = [...labels].map(([name, value]) => `${jsonText(name)}:${jsonText(value)}`);
  return `{${inner.join(',')}}`;
}
