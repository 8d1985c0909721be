import type { PackedBatch } from '@standpipe/protos';
import { randomFrom } from '@standpipe/protos/testing';
import test from 'ava';
import { mergeBatches } from './merge.ts';
import { batchOf, decoded, line, numbers, times } from './testing.ts';
import { CountedTurns } from './testing-turns.ts';
import { Turns } from './turns.ts';

const turns = new Turns();

function zone(...times: readonly number[]): PackedBatch {
  return batchOf(times.map((time) => line('a', time))).pack();
}

test('merges by time, and keeps the run at the limit whole', async (t) => {
  const merged = await mergeBatches(
    [zone(1, 3, 5, 5), zone(2, 4, 5)],
    { limit: 5, descending: false },
    turns,
  );
  t.deepEqual(times(merged), [1, 2, 3, 4, 5, 5, 5]);
});

test('merges backwards', async (t) => {
  const merged = await mergeBatches(
    [zone(5, 3, 1), zone(4, 3, 2)],
    { limit: 3, descending: true },
    turns,
  );
  t.deepEqual(times(merged), [5, 4, 3, 3]);
});

test('gives once what two former owners have, and twice what one has twice', async (t) => {
  const twice = batchOf([line('a', 1), line('a', 2), line('a', 2), line('a', 3)]).pack();
  const other = batchOf([line('a', 2), line('a', 2, 20), line('a', 3), line('a', 4)]).pack();
  for (const descending of [false, true]) {
    const order = <T>(list: T[]): T[] => (descending ? list.reverse() : list);
    const turned = [twice, other].map((batch) => batchOf(order(decoded(batch))).pack());
    const how = { limit: 100, descending };
    const merged = await mergeBatches(turned, { ...how, withoutRepeats: true }, turns);
    t.deepEqual(order(numbers(merged)), [1, 2, 2, 20, 3, 4]);
    t.is((await mergeBatches(turned, how, turns)).count, 8);
  }
});

test('knows what two former owners have also when their tags are in another order', async (t) => {
  const tags = { origin: 'rep', job: 'cell', index: '4' };
  const one = { ...line('a', 1), tags };
  const other = { ...one, tags: Object.fromEntries(Object.entries(tags).toReversed()) };
  const different = { ...one, tags: { ...tags, index: '5' } };
  const owners = [batchOf([one]).pack(), batchOf([other, different]).pack()];
  const how = { limit: 9, descending: false, withoutRepeats: true };
  const merged = await mergeBatches(owners, how, turns);
  t.is(merged.count, 2);
});

// However the envelopes are spread over zones, the answer is that of one store that has them all.
for (const seed of [1, 2, 3, 5, 8, 13]) {
  test(`agrees with a sorted list, seed ${seed}`, async (t) => {
    const random = randomFrom(seed);
    for (let round = 0; round < 50; round += 1) {
      const limit = 1 + random(20);
      const zones = Array.from({ length: 1 + random(4) }, (_, zone) =>
        Array.from({ length: random(30) }, (_, n) => ({
          time: random(20),
          n: zone * 100 + n,
        })).sort((a, b) => a.time - b.time || a.n - b.n),
      );
      const all = zones.flat().sort((a, b) => a.time - b.time || a.n - b.n);
      for (const descending of [false, true]) {
        const turned = <T>(list: readonly T[]): readonly T[] =>
          descending ? list.toReversed() : list;
        const wanted = cut(turned(all), limit);
        const answers = zones.map((kept) =>
          batchOf(cut(turned(kept), limit).map(({ time, n }) => line('a', time, n))).pack(),
        );
        t.deepEqual(
          numbers(await mergeBatches(answers, { limit, descending }, turns)),
          wanted.map(({ n }) => n),
        );
      }
    }
  });
}

test('a large answer is merged a slice at a time', async (t) => {
  const counted = new CountedTurns();
  const log = { payload: Buffer.alloc(200_000) };
  const large = (first: number): PackedBatch =>
    batchOf(Array.from({ length: 30 }, (_, n) => ({ ...line('a', first + 2 * n), log }))).pack();
  const merged = await mergeBatches(
    [large(0), large(1)],
    { limit: 60, descending: false },
    counted,
  );
  t.deepEqual(times(merged), [...Array(60).keys()]);
  t.true(counted.count >= 9, `12 MB in ${counted.count} turns`);
});

function cut<T extends { readonly time: number }>(list: readonly T[], limit: number): readonly T[] {
  return list.filter(({ time }, index) => index < limit || time === list[limit - 1]?.time);
}
