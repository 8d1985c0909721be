import { randomFrom } from '@standpipe/protos/testing';
import test from 'ava';
import { quantile } from './sums.ts';

/** By putting all in order, NaN first. */
function sorted(q: number, values: readonly number[]): number {
  const order = values.toSorted((a, b) => {
    if (Number.isNaN(a) || Number.isNaN(b))
      return Number(Number.isNaN(b)) - Number(Number.isNaN(a));
    return a === b ? 0 : a < b ? -1 : 1;
  });
  const rank = q * (order.length - 1);
  const lower = Math.floor(rank);
  const [low = Number.NaN, high = low] = order.slice(lower, lower + 2);
  return low * (1 - (rank - lower)) + high * (rank - lower);
}

for (const seed of [1, 2, 3]) {
  test(`a quantile is what lies there in the order of all, seed ${seed}`, (t) => {
    const random = randomFrom(seed);
    const special = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0];
    for (let round = 0; round < 2000; round += 1) {
      const most = 1 + random(20);
      const values = Array.from({ length: 1 + random(40) }, () =>
        random(12) === 0 ? (special[random(4)] ?? 0) : random(most) - 5,
      );
      const q = random(5) === 0 ? random(2) : random(1000) / 1000;
      t.is(quantile(q, Float64Array.from(values)) + 0, sorted(q, values) + 0, `${q} of ${values}`);
    }
  });
}

for (const [what, valueAt] of [
  ['in order', (n) => n],
  ['in reverse', (n) => -n],
  ['all the same', () => 7],
  ['up and down', (n) => Math.min(n, 300_000 - n)],
] as const satisfies readonly (readonly [string, (n: number) => number])[]) {
  test(`a quantile of very many values ${what}`, (t) => {
    const values = Float64Array.from({ length: 300_000 }, (_, n) => valueAt(n));
    const order = values.toSorted();
    for (const index of [0, 1, 150_000, 299_999]) {
      const told = quantile(index / 299_999, values.slice());
      t.true(Math.abs(told - (order[index] ?? Number.NaN)) < 1e-6, `${told} at ${index}`);
    }
  });
}

test('without values, or of no part of them, there is none', (t) => {
  t.is(quantile(0.5, new Float64Array()), Number.NaN);
  t.is(quantile(Number.NaN, Float64Array.of(1)), Number.NaN);
  t.is(quantile(-1, Float64Array.of(1)), Number.NEGATIVE_INFINITY);
  t.is(quantile(2, Float64Array.of(1)), Number.POSITIVE_INFINITY);
});
