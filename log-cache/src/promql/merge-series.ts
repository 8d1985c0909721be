/**
 * Merges the series that several nodes have: of the same labels one is made, in order of time.
 *
 * Each zone has its own share of a source, so nothing is there twice, and lines of logs in the same
 * second are added. Only a former owner may have what its successor has as well: then samples of the
 * same time and value count once.
 */

import { LABELS_WORK } from './in-turns.ts';
import type { Pace, Series } from './series.ts';

export async function mergeSeries(
  pace: Pace,
  answers: readonly (readonly Series[])[],
  { withoutRepeats }: { readonly withoutRepeats: boolean },
): Promise<readonly Series[]> {
  const [only] = answers;
  if (only !== undefined && answers.length === 1) return only;
  const byKey = new Map<string, Series>();
  for (const answer of answers) {
    for (const one of answer) {
      const { key } = one.labels;
      const other = byKey.get(key);
      const merged = other === undefined ? one : mergedPair(other, one, withoutRepeats);
      byKey.set(key, merged);
      const work = other === undefined ? 0 : merged.times.length;
      if (pace.isDue(LABELS_WORK + work)) await pace.pause();
    }
  }
  return [...byKey.values()];
}

function mergedPair(a: Series, b: Series, withoutRepeats: boolean): Series {
  const times = new Float64Array(a.times.length + b.times.length);
  const values = new Float64Array(times.length);
  let count = 0;
  let aAt = 0;
  let bAt = 0;
  while (aAt < a.times.length || bAt < b.times.length) {
    const aTime = a.times[aAt] ?? Number.POSITIVE_INFINITY;
    const bTime = b.times[bAt] ?? Number.POSITIVE_INFINITY;
    const isA = aTime <= bTime;
    const time = isA ? aTime : bTime;
    const value = (isA ? a.values[aAt] : b.values[bAt]) ?? Number.NaN;
    if (isA) aAt += 1;
    else bAt += 1;
    const isSameTime = count > 0 && times[count - 1] === time;
    if (isSameTime && a.type === 'log') {
      values[count - 1] = (values[count - 1] ?? 0) + value;
      continue;
    }
    if (withoutRepeats && isSameTime && Object.is(values[count - 1], value)) continue;
    times[count] = time;
    values[count] = value;
    count += 1;
  }
  const unit = a.unit === '' ? b.unit : a.unit;
  return { ...a, unit, times: times.subarray(0, count), values: values.subarray(0, count) };
}
