import { Metrics } from '@standpipe/plumbing';
import { randomFrom } from '@standpipe/protos/testing';
import test from 'ava';
import { ReadError, type ReadRequest, readRequest } from '../reader.ts';
import { Store } from '../store.ts';
import { batchOf, counter, type EnvelopeInit, line, metricOf, numbers } from '../testing.ts';
import { TailHub } from './hub.ts';
import type { Chunk, Gap, Place, Tail } from './tail.ts';

const SOON = BigInt(Date.now()) * 1_000_000n;

interface Asked extends Partial<ReadRequest> {
  readonly source?: string;
  readonly after?: Place | undefined;
}

class Reader {
  readonly seen: number[] = [];
  readonly gaps: Gap[] = [];
  place: Place | undefined;
  readonly #tail: Tail;
  readonly #chunks: AsyncIterator<Chunk>;

  constructor(tail: Tail) {
    this.#tail = tail;
    this.#chunks = tail[Symbol.asyncIterator]();
  }

  /** Reads one chunk; false at the end. */
  async read(): Promise<boolean> {
    const { value, done } = await this.#chunks.next();
    if (done === true) return false;
    this.seen.push(...numbers(value.batch));
    this.gaps.push(...value.gaps);
    this.place = value.place ?? this.place;
    return true;
  }

  async readTo(count: number): Promise<number[]> {
    while (this.seen.length < count && (await this.read()));
    return this.seen;
  }

  close(): void {
    this.#tail.close();
  }
}

function hub(options: { readonly maxPerSource?: number } = {}) {
  const metrics = new Metrics({ origin: 'test' });
  const store = new Store({ memoryLimitBytes: 16 * 2 ** 20, ...options, metrics });
  const tails = new TailHub({ store, metrics });
  return {
    tails,
    metrics,
    put(...inits: readonly EnvelopeInit[]): void {
      const batch = batchOf(inits);
      store.put(batch);
      tails.put(batch);
    },
    open({ source = 'a', after, ...fields }: Asked = {}): Reader {
      const backlog = fields.startTime !== undefined;
      return new Reader(tails.open({ read: readRequest(source, fields), backlog, after }));
    },
  };
}

test('gives what comes, as it comes, and nothing older', async (t) => {
  const { put, open } = hub();
  put(line('a', 1), line('b', 2));
  const reader = open();
  put(line('a', 5), line('b', 6), line('a', 3), line('a', 5, 50));
  put(line('a', 4));
  t.deepEqual(await reader.readTo(4), [5, 3, 50, 4]);
  t.deepEqual(reader.gaps, []);
});

test('gives what there is from its start on, and then what comes', async (t) => {
  const { put, open } = hub();
  put(...Array.from({ length: 500 }, (_, n) => line('a', n)));
  const reader = open({ startTime: 100n });
  await reader.read();
  await reader.read();
  // Some of it with a time that is still to come in the backlog, some earlier than the start.
  put(line('a', 400, 1000), line('a', 99, 1001), line('a', 500, 1002), line('a', 120, 1003));
  const older = Array.from({ length: 400 }, (_, n) => 100 + n);
  t.deepEqual(await reader.readTo(403), [...older, 1000, 1002, 1003]);
});

test('gives only what its filters let pass', async (t) => {
  const { put, open } = hub();
  const byKind = open({ envelopeTypes: [2] });
  const byText = open({ contains: 'line 2' });
  const byTag = open({ tags: ['source_type:APP/PROC/WEB'] });
  put(line('a', 1), counter('a', 7, 'x'), line('a', 2), line('a', 20));
  await byKind.read();
  await byKind.read();
  t.is(byKind.seen.length, 1);
  t.deepEqual(await byText.readTo(2), [2, 20]);
  t.deepEqual(await byTag.readTo(3), [1, 2, 20]);
});

test('goes on where another tail ended, without loss or repeat', async (t) => {
  const { put, open } = hub();
  const first = open();
  put(line('a', 9, 1), line('a', 9, 2));
  await first.readTo(2);
  first.close();
  put(line('a', 9, 3), line('a', 4, 4), line('a', 9, 5));
  const second = open({ after: first.place });
  put(line('a', 9, 6), line('a', 4, 7));
  t.deepEqual(await second.readTo(5), [3, 4, 5, 6, 7]);
  t.deepEqual(second.gaps, []);
});

test('says what has expired before it could be given', async (t) => {
  const { put, open } = hub({ maxPerSource: 10 });
  const first = open();
  put(line('a', 1));
  await first.readTo(1);
  first.close();
  put(...Array.from({ length: 25 }, (_, n) => line('a', 2 + n)));
  const second = open({ after: first.place });
  t.deepEqual(await second.readTo(10), [17, 18, 19, 20, 21, 22, 23, 24, 25, 26]);
  t.deepEqual(second.gaps, [{ reason: 'expired', count: 15, after: first.place?.time ?? 0n }]);
});

test('goes on by time after a place that it does not know, and says so', async (t) => {
  const { put, open } = hub();
  put(line('a', 1), line('a', 2), line('a', 3));
  const after = { run: 'another', arrival: 7, time: 1n, backlog: undefined };
  const reader = open({ after });
  put(line('a', 4));
  t.deepEqual(await reader.readTo(3), [2, 3, 4]);
  t.deepEqual(reader.gaps, [{ reason: 'unknown', count: undefined, after: 1n }]);
});

test('a slow reader loses the oldest, and is told how many', async (t) => {
  const { put, open, metrics } = hub();
  const reader = open();
  await reader.read();
  for (let n = 0; n < 12_000; n += 100) {
    put(...Array.from({ length: 100 }, (_, i) => line('a', n + i)));
  }
  await reader.readTo(10_000);
  t.is(reader.seen[0], 2000);
  t.is(reader.seen.at(-1), 11_999);
  t.like(reader.gaps, [{ reason: 'slow', count: 2000 }]);
  t.is(metricOf(metrics, 'log_cache_tail_dropped'), 2000);
});

test('a reader who wants little of much can still go on where it was', async (t) => {
  const { put, open } = hub();
  const reader = open({ contains: 'line 7777777' });
  for (let n = 0; n < 40_000; n += 100) {
    put(...Array.from({ length: 100 }, (_, i) => line('a', n + i)));
    if (n % 10_000 === 0) await reader.read();
  }
  await reader.read();
  reader.close();
  put(line('a', 7_777_777));
  const second = open({ contains: 'line 7777777', after: reader.place });
  t.deepEqual(await second.readTo(1), [7_777_777]);
  t.deepEqual(second.gaps, []);
});

test('ends when it is closed, and when the hub is', async (t) => {
  const { open, tails, metrics } = hub();
  const [one, two] = [open(), open({ source: 'b' })];
  t.is(metricOf(metrics, 'log_cache_tails'), 2);
  t.true((await one.read()) && (await two.read()));
  one.close();
  t.false(await one.read());
  tails[Symbol.dispose]();
  t.false(await two.read());
  t.is(metricOf(metrics, 'log_cache_tails'), 0);
});

test('refuses what can not be read, and more tails than there may be', (t) => {
  const { open, metrics } = hub();
  t.throws(() => open({ matches: '(' }), { instanceOf: ReadError });
  t.is(metricOf(metrics, 'log_cache_tails'), 0);
  for (let n = 0; n < 1000; n += 1) open();
  t.throws(() => open(), { instanceOf: ReadError, message: /there are 1000 tails already/ });
});

test('forgets the source that was idle longest when there are too many', async (t) => {
  const { put, open } = hub();
  const first = open({ source: 'first' });
  await first.read();
  first.close();
  const others = Array.from({ length: 500 }, (_, n) => open({ source: `source-${n}` }));
  put(line('first', Number(SOON)));
  t.throws(() => open({ source: 'first', after: first.place }), { message: /500 sources/ });
  others[0]?.close();
  const again = open({ source: 'first', after: first.place });
  await again.read();
  t.like(again.gaps, [{ reason: 'unknown' }]);
});

for (const seed of [1, 2, 3, 4]) {
  test(`gives each envelope once to readers that come and go, seed ${seed}`, async (t) => {
    const random = randomFrom(seed);
    const { put, open } = hub();
    let n = 0;
    const some = (): EnvelopeInit[] =>
      Array.from({ length: random(40) }, () => {
        n += 1;
        return line(random(3) === 0 ? 'b' : 'a', 1 + random(1 + n / 4), n);
      });
    const wanted: number[] = [];
    const putSome = (): void => {
      const inits = some();
      put(...inits);
      const first = n - inits.length + 1;
      wanted.push(...inits.flatMap((init, i) => (init.source_id === 'a' ? [first + i] : [])));
    };
    for (let round = 0; round < 20; round += 1) putSome();

    const seen: number[] = [];
    let after: Place | undefined;
    const startTime = 0n;
    for (let visit = 0; visit < 60; visit += 1) {
      const reader = open({ startTime, after });
      for (
        let reads = random(4);
        reads > 0 && seen.length + reader.seen.length < wanted.length;
        reads -= 1
      ) {
        if (random(2) === 0) putSome();
        await reader.read();
      }
      after = reader.place ?? after;
      seen.push(...reader.seen);
      t.deepEqual(reader.gaps, []);
      reader.close();
      if (random(2) === 0) putSome();
    }
    const last = open({ startTime, after });
    seen.push(...(await last.readTo(wanted.length - seen.length)));
    t.deepEqual(
      seen.toSorted((a, b) => a - b),
      wanted,
    );
  });
}
