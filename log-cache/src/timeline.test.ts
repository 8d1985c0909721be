import { splitTime } from '@standpipe/protos';
import { randomFrom } from '@standpipe/protos/testing';
import test from 'ava';
import { Arena, local } from './arena.ts';
import type { Room } from './room.ts';
import { Timeline } from './timeline.ts';

const KIB = 1024;

interface Entry {
  readonly time: number;
  /** Stands in the entry's third word. */
  readonly n: number;
}

test('finds a place for what is earlier than all, equal to some, and later than all', (t) => {
  const given = testTimeline();
  const { timeline, insert } = given;
  for (const [n, time] of [5, 3, 5, -1, 9, 3].entries()) insert(time, n);
  t.deepEqual(given.numbers(), [3, 1, 5, 0, 2, 4]);
  t.is(timeline.oldest, -1n);
  t.is(timeline.newest, 9n);
});

test('gives back what is too large for the few that a sweep leaves', (t) => {
  const given = testTimeline();
  for (let n = 0; n < 2000; n += 1) given.insert(n, n);
  for (const [left, most] of [
    [100, 2 * KIB],
    [40, 2 * KIB],
    [10, KIB / 2],
  ] as const) {
    given.sweep((n) => n < 2000 - left);
    t.deepEqual(
      given.numbers(),
      given.model.map(({ n }) => n),
    );
    t.true(given.arena.usedBytes <= most, `${given.arena.usedBytes} for ${left}`);
  }
});

test('sweeps entries out of the midst, and the newest, and all', (t) => {
  const { timeline, insert, sweep } = testTimeline();
  for (let n = 0; n < 1000; n += 1) insert(n, n);
  sweep((n) => n % 3 === 1);
  t.is(timeline.count, 667);
  sweep((n) => n >= 900);
  t.is(timeline.newest, 899n);
  t.is(timeline.oldest, 0n);
  sweep(() => true);
  t.is(timeline.count, 0);
  t.is(timeline.pageCount, 0);
});

test('joins pages that a sweep leaves half empty', (t) => {
  const { timeline, arena, insert, sweep } = testTimeline();
  for (let n = 0; n < 10_000; n += 1) insert(n, n);
  const before = arena.usedBytes;
  sweep((n) => n % 10 > 0);
  t.is(timeline.count, 1000);
  t.true(arena.usedBytes < before / 5, `${arena.usedBytes} of ${before}`);
});

const orders: Readonly<Record<string, (n: number) => number>> = {
  rise: (n) => n,
  fall: (n) => -n,
  'come again and again': (n) => n % 3000,
  'are of two streams, one late': (n) => (n % 2 === 0 ? n : n - 3001),
  'are the same': () => 7,
};
for (const [order, timeOf] of Object.entries(orders)) {
  test(`wastes little on an index of times that ${order}`, (t) => {
    const { arena, insert } = testTimeline();
    for (let n = 0; n < 10_000; n += 1) insert(timeOf(n), n);
    t.true(arena.usedBytes / 10_000 < 25, String(arena.usedBytes / 10_000));
  });
}

// The timeline must hold what a sorted list would, also when a page for it is only found by a sweep
// of this very timeline. A failure names the seed, and the seed alone repeats the run.
for (const seed of [1, 2, 3, 5, 8, 13, 21, 34]) {
  test(`agrees with a sorted list, seed ${seed}`, (t) => {
    const random = randomFrom(seed);
    const given = testTimeline((64 + random(100)) * KIB);
    const { timeline, insert, sweep } = given;
    let n = 0;
    const spread = 1 + random(5000);
    given.onFull = () => {
      const upTo = n - timeline.count + Math.ceil(timeline.count / (2 + random(10)));
      sweep((number) => number < upTo || number % 7 === 0);
    };
    for (let step = 0; step < 300; step += 1) {
      const many = random(100);
      for (let put = 0; put < many; put += 1) {
        n += 1;
        const time = [step * 10, step * 10 - random(spread), random(3000), 77][random(4)] ?? 0;
        insert(time, n);
      }
      const expired = random(3) === 0 ? Math.min(random(200), timeline.count) : 0;
      for (let done = 0; done < expired; done += 1) given.dropFirst();
      if (random(10) === 0) sweep((number) => number % (2 + random(5)) === 0);
      t.deepEqual(
        given.numbers(),
        given.model.map((entry) => entry.n),
      );
      const times = given.model.map(({ time }) => BigInt(time));
      if (times.length > 0)
        t.deepEqual([timeline.oldest, timeline.newest], [times[0], times.at(-1)]);
    }
    sweep(() => true);
    t.is(given.arena.usedBytes, 0);
  });
}

class TestTimeline {
  readonly arena: Arena;
  readonly timeline: Timeline;
  /** What the timeline must hold. */
  model: Entry[] = [];
  /** Makes room in an arena that is full. */
  onFull: (() => void) | undefined;

  constructor(limitBytes: number) {
    const arena = new Arena(limitBytes);
    const room: Room & { takenClass: number } = {
      takenClass: 0,
      take: (blockClass) => {
        room.takenClass = blockClass;
        const page = arena.take(blockClass);
        if (page >= 0) return page;
        this.onFull?.();
        return arena.take(blockClass);
      },
      release: (address, blockClass) => arena.release(address, blockClass),
    };
    this.arena = arena;
    this.timeline = new Timeline(arena, room);
  }

  readonly insert = (time: number, n: number): void => {
    const { high, low } = splitTime(BigInt(time));
    const entry = this.timeline.insert(high, low);
    if (entry < 0) return;
    this.arena.words(entry)[local(entry) + 2] = n;
    const index = this.model.findLastIndex((held) => held.time <= time);
    this.model.splice(index + 1, 0, { time, n });
  };

  readonly dropFirst = (): void => {
    this.timeline.dropFirst();
    this.model.shift();
  };

  /** The third words of all entries in their order. */
  numbers(): number[] {
    const { timeline, arena } = this;
    const numbers: number[] = [];
    for (let page = 0; page < timeline.pageCount; page += 1) {
      for (let index = timeline.firstIn(page); index < timeline.endOf(page); index += 1) {
        const entry = timeline.entry(page, index);
        numbers.push(arena.words(entry)[local(entry) + 2] ?? 0);
      }
    }
    return numbers;
  }

  readonly sweep = (drops: (n: number) => boolean): void => {
    const gone = new Set(this.model.filter(({ n }) => drops(n)).map(({ n }) => n));
    this.model = this.model.filter(({ n }) => !gone.has(n));
    this.timeline.sweep({ drops: (n) => gone.has(n) }, gone.size);
  };
}

function testTimeline(limitBytes: number = 1024 * KIB): TestTimeline {
  return new TestTimeline(limitBytes);
}
