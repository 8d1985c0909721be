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

/** The value below which the part `q` of the values is. NaN is the smallest. Sorts `values`. */
export function quantile(q: number, values: Float64Array): number {
  if (values.length === 0 || Number.isNaN(q)) return Number.NaN;
  if (q < 0) return Number.NEGATIVE_INFINITY;
  if (q > 1) return Number.POSITIVE_INFINITY;
  // A typed array's sort puts NaN last; they are moved to the front.
  values.sort();
  let numbers = values.length;
  while (numbers > 0 && Number.isNaN(values[numbers - 1])) numbers -= 1;
  const nans = values.length - numbers;
  if (nans > 0) {
    values.copyWithin(nans, 0, numbers);
    values.fill(Number.NaN, 0, nans);
  }
  const rank = q * (values.length - 1);
  const lower = Math.max(0, Math.floor(rank));
  const upper = Math.min(values.length - 1, lower + 1);
  const weight = rank - Math.floor(rank);
  // Both lie within the values.
  return (values[lower] as number) * (1 - weight) + (values[upper] as number) * weight;
}
