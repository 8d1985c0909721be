import { joinTime } from '@standpipe/protos';
import { randomFrom } from '@standpipe/protos/testing';
import test from 'ava';
import type { Store } from './store.ts';
import {
  batchOf,
  type EnvelopeInit,
  line,
  metricOf,
  numbers,
  testStore,
  times,
  told,
} from './testing.ts';

const KIB = 1024;
const END = 2n ** 63n - 1n;

test('keeps envelopes that come late in order of time, and equal ones in order of arrival', async (t) => {
  const { put, read } = testStore();
  put(line('a', 5, 1), line('a', 3, 2), line('a', 5, 3), line('a', 4, 4), line('a', 3, 5));
  t.deepEqual(numbers(await read('a')), [2, 5, 4, 1, 3]);
});

test('keeps sources apart, whatever is in their ids', async (t) => {
  const ids = ['', 'a', 'a/b', 'a\0b', '😀', 'x'.repeat(64 * KIB), '__proto__'];
  const { store, put, read } = testStore();
  put(...ids.map((id, index) => line(id, 1, index)));
  for (const [index, id] of ids.entries()) t.deepEqual(numbers(await read(id)), [index]);
  t.deepEqual([...store.meta().keys()].toSorted(), ids.toSorted());
});

test('keeps negative, zero and future timestamps in their order', async (t) => {
  const { store, put, read } = testStore();
  const all = [END - 1n, 0n, -(2n ** 63n), -1n, 1n, 2n ** 32n, -(2n ** 32n)];
  put(...all.map((time, index) => line('a', time, index)));
  const batch = await read('a', { startTime: -(2n ** 63n), endTime: END });
  t.deepEqual(numbers(batch), [2, 6, 3, 1, 4, 5, 0]);
  t.like(told(store.meta().get('a')), { oldest: -(2n ** 63n), newest: END - 1n });
});

test('forgets the oldest of a full source, and counts it', async (t) => {
  const { store, put, read, metrics } = testStore({ maxPerSource: 3 });
  put(line('a', 1), line('a', 4), line('a', 3), line('b', 1), line('a', 2), line('a', 5));
  t.deepEqual(times(await read('a')), [3, 4, 5]);
  t.deepEqual(told(store.meta().get('a')), { count: 3, expired: 2, oldest: 3n, newest: 5n });
  t.is(store.expired, 2);
  t.is(metricOf(metrics, 'log_cache_expired'), 2);
  t.is(metricOf(metrics, 'log_cache_ingress'), 6);
  t.is(metricOf(metrics, 'log_cache_store_size'), 4);
});

test('refuses an envelope older than all that a full source keeps, and counts it', async (t) => {
  const { store, put, read } = testStore({ maxPerSource: 2 });
  put(line('a', 5), line('a', 6), line('a', 1), line('a', 5, 7));
  t.deepEqual(numbers(await read('a')), [7, 6]);
  t.is(store.meta().get('a')?.expired, 2);
});

test('tells how old the oldest envelope is', (t) => {
  const { put, metrics } = testStore();
  t.is(metricOf(metrics, 'log_cache_cache_period'), 0);
  put(
    line('a', BigInt(Date.now() - 60_000) * 1_000_000n),
    line('b', BigInt(Date.now()) * 1_000_000n),
  );
  const period = metricOf(metrics, 'log_cache_cache_period') ?? 0;
  t.true(period >= 59_000 && period < 70_000, String(period));
});

test('takes only the envelopes that it is told to', async (t) => {
  const { store, read } = testStore();
  store.put(batchOf([line('a', 1), line('a', 2), line('b', 3)]), Uint8Array.of(0, 1, 0));
  t.deepEqual(times(await read('a')), [2]);
  t.is(store.sourceCount, 1);
});

test('holds its budget, and the source that holds the most gives first', async (t) => {
  const { store, put, read } = testStore({ memoryLimitBytes: 256 * KIB });
  for (let n = 0; n < 20; n += 1) put(line('quiet', n));
  for (let n = 0; n < 20_000; n += 1) put(line('busy', n));
  const meta = store.meta();
  t.like(meta.get('quiet'), { count: 20, expired: 0 });
  t.is((meta.get('busy')?.count ?? 0) + (meta.get('busy')?.expired ?? 0), 20_000);
  t.is(store.size + store.expired, 20_020);
  t.true(store.usedBytes <= store.limitBytes && store.limitBytes <= 256 * KIB);
  t.true(store.usedBytes > 200 * KIB, String(store.usedBytes));
  // The oldest went, so the newest are there without a gap.
  const newest = await read('busy', { descending: true, limit: 1000n });
  t.deepEqual(
    times(newest),
    Array.from({ length: newest.count }, (_, index) => 19_999 - index),
  );
});

test('shares its budget evenly among those who want more than there is', (t) => {
  const { store, put } = testStore({ memoryLimitBytes: 512 * KIB });
  for (let n = 0; n < 5000; n += 1) {
    put(line('a', n), line('b', n), line('b', n), line('b', n), line('c', n), ...lines('d', n, 9));
  }
  const counts = ['a', 'b', 'c', 'd'].map((id) => store.meta().get(id)?.count ?? 0);
  t.true(Math.max(...counts) < 2 * Math.min(...counts), String(counts));
});

test('keeps an envelope larger than any segment in a block of its own', async (t) => {
  const { put, read } = testStore({ memoryLimitBytes: 64 * 2 ** 20 });
  put(line('a', 1), large('a', 2, 1000 * KIB), line('a', 3), large('b', 4, 3 * KIB * KIB));
  t.deepEqual(times(await read('a')), [1, 2, 3]);
  t.is((await read('b')).byteLength > 3 * KIB * KIB, true);
});

test('refuses an envelope larger than a slab, and counts it', async (t) => {
  const { store, put, read, metrics } = testStore({ memoryLimitBytes: 256 * KIB });
  put(line('a', 1), large('a', 2, 64 * KIB), line('a', 3), large('b', 4, 64 * KIB));
  t.deepEqual(times(await read('a')), [1, 3]);
  t.is(store.sourceCount, 1);
  t.is(store.expired, 2);
  t.is(metricOf(metrics, 'log_cache_expired'), 2);
});

test('gives up no more for a large envelope than it is worth', (t) => {
  const { store, put } = testStore({ memoryLimitBytes: 1024 * KIB });
  for (let n = 0; n < 400; n += 1) put(...lines(`source ${n}`, n, 20));
  const before = store.size;
  put(large('large', 1, 60 * KIB));
  // At most 32 of the sources give what is in their only segment.
  t.true(before - store.size <= 32 * 20, `${before - store.size} of ${before}`);
  t.is(store.size + store.expired, 400 * 20 + 1);
});

test('forgets a source that has nothing left, and its counts', async (t) => {
  const { store, put, read } = testStore({ memoryLimitBytes: 64 * KIB, maxSources: 1000 });
  for (let n = 0; n < 1000; n += 1) put(line(`source ${n}`, n));
  t.true(store.sourceCount < 200, String(store.sourceCount));
  t.is(store.size + store.expired, 1000);
  t.is((await read('source 0')).count, 0);
  t.false(store.meta().has('source 0'));
  put(line('source 0', 1));
  t.like(store.meta().get('source 0'), { count: 1, expired: 0 });
});

test('keeps at most so many sources, and forgets quiet ones first', (t) => {
  const { store, put } = testStore({ maxSources: 10 });
  for (let n = 0; n < 10; n += 1) put(line(`quiet ${n}`, 1));
  for (let n = 0; n < 500; n += 1) put(line('a', n), line('b', n), line(`flood ${n % 100}`, n));
  t.is(store.sourceCount, 10);
  t.is(store.size + store.expired, 10 + 1500);
  t.is(store.meta().get('a')?.count, 500);
  t.is(store.meta().get('b')?.count, 500);
});

test('bounds what the ids of its sources take', (t) => {
  const { store, put } = testStore({ maxSources: 1000 });
  for (let n = 0; n < 50; n += 1) put(line(`${n}`.padEnd(64 * KIB), 1));
  t.true(store.sourceCount <= 4, String(store.sourceCount));
  t.is(store.size + store.expired, 50);
});

test('costs little for each of ten thousand quiet sources', (t) => {
  const { store, put } = testStore({ memoryLimitBytes: 64 * 2 ** 20 });
  for (let n = 0; n < 100; n += 1) {
    put(...Array.from({ length: 100 }, (_, index) => line(`source ${n * 100 + index}`, n)));
  }
  t.is(store.sourceCount, 10_000);
  t.true(store.usedBytes / 10_000 < 1.5 * KIB, String(store.usedBytes / 10_000));
});

// The store must hold what a sorted list per source would. Envelopes come late, early, twice and
// in all sizes; a failure names the seed, and the seed alone repeats the run.
for (const seed of [1, 2, 3, 5, 8, 13]) {
  test(`agrees with sorted lists under a cap, seed ${seed}`, async (t) => {
    const random = randomFrom(seed);
    const maxPerSource = 1 + random(600);
    const { store, read } = testStore({ maxPerSource, memoryLimitBytes: 32 * 2 ** 20 });
    const model = new Model(maxPerSource);
    let put = 0;
    for (let step = 0; step < 60; step += 1) {
      const lateness = [1, 50, 5000][random(3)] ?? 1;
      const inits = Array.from({ length: 1 + random(100) }, () => {
        put += 1;
        const time = step * 100 - random(lateness);
        const source = `source ${random(1 + random(6))}`;
        model.put(source, time, put);
        return large(source, time, random(20) === 0 ? random(3000) : 0, put);
      });
      store.put(batchOf(inits));
    }
    for (const [source, { kept, expired }] of model.sources) {
      const descending = await readAll(store, source);
      t.deepEqual(
        descending,
        kept.map(({ n }) => n),
        source,
      );
      t.is(store.meta().get(source)?.expired, expired);
      await compareReads(t, { read, source, kept, random });
    }
    t.is(store.size + store.expired, put);
  });

  test(`holds what it did not give up under a budget, seed ${seed}`, async (t) => {
    const random = randomFrom(seed * 1000);
    const limit = (64 + random(1000)) * KIB;
    const { store, read } = testStore({ memoryLimitBytes: limit, maxPerSource: 2000 });
    const putOf = new Map<string, number>();
    let put = 0;
    for (let step = 0; step < 400; step += 1) {
      const inits = Array.from({ length: 1 + random(60) }, () => {
        put += 1;
        const source = `source ${random(1 + random(1 + random(300)))}`;
        putOf.set(source, (putOf.get(source) ?? 0) + 1);
        const size = random(30) === 0 ? random(9000) : random(300);
        const now = step * 1000;
        const time =
          [now, now - random(3000), random(400_000), now + random(1e9)][random(4)] ?? now;
        return large(source, time, size, put);
      });
      store.put(batchOf(inits));
      t.true(store.usedBytes <= limit);
    }
    t.is(store.size + store.expired, put);
    let size = 0;
    for (const [source, info] of store.meta()) {
      const { count, expired, oldest, newest } = told(info);
      size += count;
      t.true(count + expired <= (putOf.get(source) ?? 0));
      const all = await readAll(store, source);
      t.is(all.length, count);
      t.is(new Set(all).size, count);
      const [first] = times(await read(source, { limit: 1n, startTime: -END, endTime: END }));
      const [last] = times(
        await read(source, { limit: 1n, startTime: -END, endTime: END, descending: true }),
      );
      t.deepEqual([first, last], [Number(oldest), Number(newest)]);
    }
    t.is(size, store.size);
  });
}

// Envelopes of some order of time, put long after the budget is used up. Without a cap a source gives
// what came first, so it must hold exactly what came last; and as much as if all came in order.
const orders: Readonly<Record<string, (n: number, random: (below: number) => number) => number>> = {
  'the same times over and over': (n) => n % 5000,
  'one time only': () => 7,
  'times that fall': (n) => -n,
  'two streams, one late': (n) => (n % 2 === 0 ? n : n - 7001),
  'some very late': (n, random) => n - random(1 + random(20_000)),
  'some in the future': (n, random) => (random(10) > 0 ? n : n + 1e9),
  'times without any order': (_, random) => random(2 ** 30) - 2 ** 29,
};
for (const seed of [1, 2, 3]) {
  for (const [order, timeOf] of Object.entries(orders)) {
    test(`holds as much under a budget with ${order}, seed ${seed}`, async (t) => {
      const inOrder = fillUp(seed, (n) => n);
      const { store, least, put } = fillUp(seed, timeOf);
      t.true(least > 0.8 * inOrder.least, `${least} of ${inOrder.least}`);
      t.is(store.size + store.expired, FILL_COUNT);
      t.is(store.sourceCount, put.size);
      for (const [source, times] of put) {
        const numbersHeld = await readAll(store, source);
        const all = [...times.keys()];
        const last = all.slice(all.length - numbersHeld.length);
        t.deepEqual(
          numbersHeld.toSorted((a, b) => a - b),
          last,
          source,
        );
        const timesHeld = numbersHeld.map((n) => times.get(n) ?? 0);
        t.like(told(store.meta().get(source)), {
          count: last.length,
          expired: all.length - last.length,
          oldest: BigInt(timesHeld[0] ?? 0),
          newest: BigInt(timesHeld.at(-1) ?? 0),
        });
      }
    });
  }
}

const FILL_COUNT = 15_000;

/** Puts so many that most must go: the numbers put to each source with their times, and the least held since the first went. */
function fillUp(
  seed: number,
  timeOf: (n: number, random: (below: number) => number) => number,
): { store: Store; least: number; put: Map<string, Map<number, number>> } {
  const random = randomFrom(seed);
  const { store } = testStore({ memoryLimitBytes: 512 * KIB });
  const sources = 1 + random(5);
  const put = new Map<string, Map<number, number>>();
  let least = Number.POSITIVE_INFINITY;
  for (let n = 0; n < FILL_COUNT; ) {
    const inits = Array.from({ length: 100 }, () => {
      n += 1;
      const source = `source ${n % sources}`;
      const time = timeOf(n, random);
      const times = put.get(source) ?? new Map<number, number>();
      put.set(source, times.set(n, time));
      const payload = Buffer.from(`line ${n}`.padEnd(100));
      return { ...line(source, time, n), log: { payload } };
    });
    store.put(batchOf(inits));
    if (store.expired > 0) least = Math.min(least, store.size);
  }
  return { store, least, put };
}

interface Kept {
  readonly time: number;
  readonly n: number;
}

class Model {
  readonly sources = new Map<string, { kept: Kept[]; expired: number }>();
  readonly #maxPerSource: number;

  constructor(maxPerSource: number) {
    this.#maxPerSource = maxPerSource;
  }

  put(source: string, time: number, n: number): void {
    const held = this.sources.get(source) ?? { kept: [], expired: 0 };
    this.sources.set(source, held);
    held.kept.push({ time, n });
    held.kept.sort((a, b) => a.time - b.time || a.n - b.n);
    if (held.kept.length <= this.#maxPerSource) return;
    held.kept.shift();
    held.expired += 1;
  }
}

/** All numbers of a source in order, by walking it backwards and forwards. */
async function readAll(store: Store, source: string): Promise<number[]> {
  const cursor = store.cursor(source);
  if (cursor === undefined) return [];
  const there: number[] = [];
  cursor.seek(-(2 ** 31), 0);
  let time = -(2n ** 63n);
  while (cursor.next()) {
    const n = numberIn(cursor);
    const next = joinTime(cursor.timeHigh, cursor.timeLow);
    const isStable = next > time || (next === time && n > (there.at(-1) ?? 0));
    if (!isStable) throw new Error(`${n} at ${next} stands behind ${there.at(-1)} at ${time}`);
    time = next;
    there.push(n);
  }
  const back: number[] = [];
  while (cursor.previous()) back.push(numberIn(cursor));
  if (String(back.toReversed()) !== String(there)) throw new Error('there and back differ');
  return there;
}

function numberIn(cursor: { bytes: Uint8Array; start: number; end: number }): number {
  const text = Buffer.from(cursor.bytes.subarray(cursor.start, cursor.end)).toString('latin1');
  return Number(/line (\d+)/.exec(text)?.[1]);
}

async function compareReads(
  t: { deepEqual(actual: unknown, expected: unknown, message?: string): boolean },
  given: {
    read: ReturnType<typeof testStore>['read'];
    source: string;
    kept: readonly Kept[];
    random: (below: number) => number;
  },
): Promise<void> {
  const { read, source, kept, random } = given;
  for (let round = 0; round < 10; round += 1) {
    const startTime = random(6000) - 500;
    const endTime = startTime + 1 + random(6000);
    const limit = 1 + random(200);
    const descending = random(2) === 0;
    const within = kept.filter(
      ({ time }) => time >= startTime && (endTime === 0 || time < endTime),
    );
    const wanted = descending ? within.toReversed() : within;
    const last = wanted[limit - 1];
    const expected = wanted.filter(({ time }, index) => index < limit || time === last?.time);
    const batch = await read(source, {
      startTime: BigInt(startTime),
      endTime: BigInt(endTime),
      limit: BigInt(limit),
      descending,
    });
    if (endTime === 0) continue; // Which is now.
    t.deepEqual(
      numbers(batch),
      expected.map(({ n }) => n),
      `${startTime} ${endTime} ${limit}`,
    );
  }
}

function lines(source: string, time: number, count: number): EnvelopeInit[] {
  return Array.from({ length: count }, () => line(source, time));
}

/** A numbered log with so many bytes behind its number. */
function large(source: string, time: number, extraBytes: number, n = time): EnvelopeInit {
  return { ...line(source, time, n), instance_id: 'x'.repeat(extraBytes) };
}
