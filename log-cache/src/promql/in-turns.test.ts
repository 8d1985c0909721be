import { setImmediate as nextRound } from 'node:timers/promises';
import { randomFrom } from '@standpipe/protos/testing';
import test from 'ava';
import { mapInTurns, sortInTurns, startAhead } from './in-turns.ts';
import { CountingPace } from './testing.ts';

for (const seed of [1, 2, 3]) {
  test(`sorts as arrays do, with pauses, seed ${seed}`, async (t) => {
    const random = randomFrom(seed);
    for (const length of [0, 1, 255, 256, 257, 5000 + random(5000)]) {
      const items = Array.from({ length }, (_, place) => ({ value: random(100), place }));
      const compare = (a: { value: number }, b: { value: number }): number => a.value - b.value;
      const pace = new CountingPace();
      t.deepEqual(await sortInTurns(pace, items, compare), items.toSorted(compare));
      t.true(length < 1000 || pace.pauses > 10);
      t.true(pace.most < 10_000, `${pace.most} steps at once`);
    }
  });
}

test('changes each item, with pauses', async (t) => {
  const pace = new CountingPace();
  const items = Array.from({ length: 10_000 }, (_, n) => n);
  const doubled = await mapInTurns(
    pace,
    items,
    () => 10,
    (n) => n * 2,
  );
  t.deepEqual(doubled.slice(0, 3), [0, 2, 4]);
  t.is(doubled.length, 10_000);
  t.true(pace.pauses > 10);
});

test('starts some ahead of what is waited for, and no more', async (t) => {
  let running = 0;
  let most = 0;
  const start = async (n: number): Promise<number> => {
    running += 1;
    most = Math.max(most, running);
    for (let round = 0; round < 20 - n; round += 1) await nextRound();
    running -= 1;
    return n;
  };
  const items = Array.from({ length: 20 }, (_, n) => n);
  const given: number[] = [];
  for await (const n of startAhead(items, 3, start)) given.push(n);
  t.deepEqual(given, items);
  t.is(most, 4);
});

test('what rejects ends it, and what was started ahead troubles nobody', async (t) => {
  const start = async (n: number): Promise<number> => {
    await nextRound();
    throw new Error(`${n}`);
  };
  const all = async (): Promise<void> => {
    for await (const _ of startAhead([1, 2, 3], 3, start));
  };
  await t.throwsAsync(all(), { message: '1' });
  await nextRound();
});
