/** Sums that lose nothing to rounding (Kahan's, as Neumaier has it), as Prometheus adds. */

export class KahanSum {
  sum = 0;
  compensation = 0;

  reset(): this {
    this.sum = 0;
    this.compensation = 0;
    return this;
  }

  add(increment: number): void {
    const { sum } = this;
    const next = sum + increment;
    if (Math.abs(sum) >= Math.abs(increment)) this.compensation += sum - next + increment;
    else this.compensation += increment - next + sum;
    this.sum = next;
  }

  get value(): number {
    return this.sum + this.compensation;
  }
}

/** The value below which the part `q` of the values is. NaN is the smallest. Reorders `values`. */
export function quantile(q: number, values: Float64Array): number {
  if (values.length === 0 || Number.isNaN(q)) return Number.NaN;
  if (q < 0) return Number.NEGATIVE_INFINITY;
  if (q > 1) return Number.POSITIVE_INFINITY;
  const rank = q * (values.length - 1);
  const lower = Math.max(0, Math.floor(rank));
  const upper = Math.min(values.length - 1, lower + 1);
  const weight = rank - Math.floor(rank);
  const nans = moveNaNs(values);
  if (lower < nans) return Number.NaN;
  // A window may have a million values: to put all in order takes a tenth of a second.
  select(values, nans, lower);
  const low = values[lower] as number; // Both lie within the values.
  let high = values[upper] as number;
  for (let at = upper + 1; at < values.length; at += 1) {
    const value = values[at] as number;
    if (value < high) high = value;
  }
  return low * (1 - weight) + high * weight;
}

/** Moves what is no number to the front; says how many those are. */
function moveNaNs(values: Float64Array): number {
  let count = 0;
  for (let at = 0; at < values.length; at += 1) {
    const value = values[at] as number;
    if (!Number.isNaN(value)) continue;
    values[at] = values[count] as number;
    values[count] = value;
    count += 1;
  }
  return count;
}

/** Orders values so far that the one at `index` is in its place, with none larger before it (Hoare). */
function select(values: Float64Array, from: number, index: number): void {
  let left = from;
  let right = values.length - 1;
  while (left < right) {
    // By chance: whoever makes the values would else know which take longest.
    const pivot = values[left + Math.floor(Math.random() * (right - left + 1))] as number;
    let low = left;
    let high = right;
    while (low <= high) {
      while ((values[low] as number) < pivot) low += 1;
      while ((values[high] as number) > pivot) high -= 1;
      if (low > high) break;
      const value = values[low] as number;
      values[low] = values[high] as number;
      values[high] = value;
      low += 1;
      high -= 1;
    }
    if (index <= high) right = high;
    else if (index >= low) left = low;
    else return;
  }
}
