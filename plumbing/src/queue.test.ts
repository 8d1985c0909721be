import test from 'ava';
import { BoundedQueue, type Weighted } from './queue.ts';

test('gives back items in the order they came', (t) => {
  const { queue } = queueOf({ maxCount: 100, maxBytes: 1000 });
  queue.put(batch(1, 2));
  queue.put(batch(3));
  t.deepEqual(queue.take()?.units, [1, 2]);
  t.deepEqual(queue.take()?.units, [3]);
  t.is(queue.take(), undefined);
});

test('drops exactly the oldest units, cutting the oldest item', (t) => {
  const { queue, dropped } = queueOf({ maxCount: 4, maxBytes: 1000 });
  queue.put(batch(1, 2, 3));
  queue.put(batch(4, 5, 6));
  t.deepEqual(drain(queue), [3, 4, 5, 6]);
  t.deepEqual(dropped, [{ count: 2, bytes: 3 }]);
});

test('drops as few units as make room in bytes', (t) => {
  const { queue, dropped } = queueOf({ maxCount: 100, maxBytes: 12 });
  queue.put(batch(1, 2, 3));
  queue.put(batch(8));
  t.deepEqual(drain(queue), [3, 8]);
  t.deepEqual(dropped, [{ count: 2, bytes: 3 }]);
});

test('keeps the newest units of an item with more of them than the queue', (t) => {
  const { queue, dropped } = queueOf({ maxCount: 2, maxBytes: 1000 });
  queue.put(batch(9));
  queue.put(batch(1, 2, 3, 4));
  t.deepEqual(drain(queue), [3, 4]);
  t.deepEqual(dropped, [{ count: 3, bytes: 12 }]);
});

test('keeps the newest units that fit of an item larger than the queue', (t) => {
  const { queue, dropped } = queueOf({ maxCount: 100, maxBytes: 9 });
  queue.put(batch(9, 9, 9, 5, 4));
  t.deepEqual(drain(queue), [5, 4]);
  t.deepEqual(dropped, [{ count: 3, bytes: 27 }]);
});

test('drops a unit that is larger than the whole queue, and all before it', (t) => {
  const { queue, dropped } = queueOf({ maxCount: 100, maxBytes: 5 });
  queue.put(batch(1, 2));
  queue.put(batch(3, 6));
  t.is(queue.count, 0);
  t.is(queue.byteLength, 0);
  t.deepEqual(dropped, [{ count: 4, bytes: 12 }]);
});

test('takes no notice of an empty item', async (t) => {
  const { queue } = queueOf({ maxCount: 1, maxBytes: 5 });
  queue.put(batch());
  t.is(queue.take(), undefined);
  const ready = queue.whenReady().then(() => 'ready');
  t.is(await Promise.race([ready, Promise.resolve('not ready')]), 'not ready');
});

test('gathers small items up to a count, if it can join them', (t) => {
  const { queue } = queueOf({ maxCount: 100, maxBytes: 1000 }, joined);
  for (const units of [[1], [2, 3], [4, 5], [6]]) queue.put(batch(...units));
  t.deepEqual(queue.take(4)?.units, [1, 2, 3]);
  t.deepEqual(queue.take(4)?.units, [4, 5, 6]);
});

test('gathers small items up to a number of bytes, if it can join them', (t) => {
  const { queue } = queueOf({ maxCount: 100, maxBytes: 1000 }, joined);
  for (const units of [[1], [2, 3], [4, 5], [6]]) queue.put(batch(...units));
  t.deepEqual(queue.take(100, 6)?.units, [1, 2, 3]);
  t.deepEqual(queue.take(100, 1)?.units, [4, 5], 'the first comes whole');
});

test('is ready when something is put, and again only after the next put', async (t) => {
  const { queue } = queueOf({ maxCount: 100, maxBytes: 1000 });
  const first = queue.whenReady();
  queue.put(batch(1));
  await first;
  await queue.whenReady();
  queue.take();
  const second = queue.whenReady().then(() => 'ready');
  t.is(await Promise.race([second, Promise.resolve('not ready')]), 'not ready');
  queue.put(batch(2));
  t.is(await second, 'ready');
});

test('wakes every waiter when it closes, and still gives what it holds', async (t) => {
  const { queue, dropped } = queueOf({ maxCount: 100, maxBytes: 1000 });
  queue.put(batch(1, 2));
  queue.take();
  const waiting = [queue.whenReady(), queue.whenReady()];
  queue.put(batch(3));
  queue.close();
  await Promise.all(waiting);
  queue.put(batch(4, 5));
  t.deepEqual(drain(queue), [3]);
  t.deepEqual(dropped, [{ count: 2, bytes: 9 }], 'what comes after the end is lost, and counted');
  await queue.whenReady();
  t.true(queue.closed);
});

test('drops all it holds when it is cleared, and counts it', (t) => {
  const { queue, dropped } = queueOf({ maxCount: 100, maxBytes: 1000 });
  queue.put(batch(1, 2));
  queue.put(batch(3));
  t.is(queue.clear(), 3);
  t.is(queue.clear(), 0);
  t.deepEqual(dropped, [{ count: 3, bytes: 6 }]);
  queue.put(batch(4));
  t.deepEqual(drain(queue), [4]);
});

// Against a plain array of units: whatever is put and taken, the queue holds exactly the newest
// units that fit, in order, and in = taken + dropped + held.
for (const seed of [1, 2, 3, 5, 8, 13, 21, 34]) {
  test(`agrees with an array of units, seed ${seed}`, (t) => {
    const random = randomFrom(seed);
    const limits = { maxCount: 1 + random(60), maxBytes: 20 + random(300) };
    const joins = random(2) === 0;
    const { queue, dropped } = queueOf(limits, joins ? joined : undefined);
    let model: number[] = [];
    let put = 0;
    let taken = 0;

    for (let step = 0; step < 3000; step += 1) {
      if (random(3) > 0) {
        const units = Array.from({ length: random(20) }, () => 1 + random(12));
        put += units.length;
        queue.put(batch(...units));
        model = newestWithin([...model, ...units], limits);
      } else {
        const item = queue.take(1 + random(30));
        t.deepEqual(item?.units ?? [], model.slice(0, item?.count ?? 0));
        taken += item?.count ?? 0;
        model = model.slice(item?.count ?? 0);
      }
      t.is(queue.count, model.length);
      t.is(queue.byteLength, sum(model));
      t.is(queue.peek() === undefined, model.length === 0);
    }
    const lost = dropped.reduce((total, { count }) => total + count, 0);
    t.is(put, taken + lost + queue.count);
    t.deepEqual(drain(queue), model);
  });
}

/** A batch whose units are numbers that weigh what they say. */
class Batch implements Weighted {
  readonly units: readonly number[];

  constructor(units: readonly number[]) {
    this.units = units;
  }

  get count(): number {
    return this.units.length;
  }

  get byteLength(): number {
    return sum(this.units);
  }

  withoutFirst(n: number): this {
    return new Batch(this.units.slice(n)) as this; // Nothing extends it.
  }
}

function batch(...units: readonly number[]): Batch {
  return new Batch(units);
}

function joined(batches: readonly Batch[]): Batch {
  return new Batch(batches.flatMap(({ units }) => units));
}

function queueOf(
  limits: { readonly maxCount: number; readonly maxBytes: number },
  join?: (batches: readonly Batch[]) => Batch,
): { queue: BoundedQueue<Batch>; dropped: { count: number; bytes: number }[] } {
  const dropped: { count: number; bytes: number }[] = [];
  const onDrop = (count: number, bytes: number): void => void dropped.push({ count, bytes });
  const queue = new BoundedQueue<Batch>({ ...limits, onDrop, ...(join && { join }) });
  return { queue, dropped };
}

function drain(queue: BoundedQueue<Batch>): number[] {
  const units: number[] = [];
  for (let item = queue.take(); item !== undefined; item = queue.take()) units.push(...item.units);
  return units;
}

function newestWithin(
  units: readonly number[],
  limits: { readonly maxCount: number; readonly maxBytes: number },
): number[] {
  const newest = units.slice(-limits.maxCount);
  while (sum(newest) > limits.maxBytes) newest.shift();
  return newest;
}

function sum(units: readonly number[]): number {
  return units.reduce((total, unit) => total + unit, 0);
}

/** Whole numbers below a bound, the same ones for the same seed (mulberry32). */
function randomFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}
