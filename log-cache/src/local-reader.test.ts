import { status } from '@grpc/grpc-js';
import { randomFrom } from '@standpipe/protos/testing';
import test from 'ava';
import { ReadError, type ReadRequest } from './reader.ts';
import {
  counter,
  decoded,
  event,
  gauge,
  line,
  metricOf,
  numbers,
  testStore,
  timer,
  times,
} from './testing.ts';

/** Two thousand instructions and more, all of them alive at each letter. */
const HEAVY = '(?:a?){1000}a{1000}';

test('answers an unknown source with nothing', async (t) => {
  const { read } = testStore();
  const batch = await read('nobody');
  t.is(batch.count, 0);
  t.is(batch.byteLength, 0);
});

test('gives the oldest hundred when asked for nothing else', async (t) => {
  const { put, read } = testStore();
  put(...Array.from({ length: 150 }, (_, n) => line('a', n)));
  const batch = await read('a');
  t.is(batch.count, 100);
  t.deepEqual(numbers(batch), [...Array(100).keys()]);
});

test('includes the start and excludes the end', async (t) => {
  const { put, read } = testStore();
  put(line('a', 1), line('a', 2), line('a', 3), line('a', 4));
  t.deepEqual(times(await read('a', { startTime: 2n, endTime: 4n })), [2, 3]);
  t.deepEqual(times(await read('a', { startTime: 2n, endTime: 4n, descending: true })), [3, 2]);
  t.deepEqual(times(await read('a', { startTime: 2n, endTime: 2n })), []);
});

test('takes an end of zero as now, which hides the future', async (t) => {
  const { put, read } = testStore();
  const soon = BigInt(Date.now() + 3_600_000) * 1_000_000n;
  put(line('a', 1), line('a', soon, 2));
  t.deepEqual(numbers(await read('a')), [1]);
  t.deepEqual(numbers(await read('a', { endTime: soon + 1n })), [1, 2]);
});

test('takes negative times, as the core cf CLI sends them', async (t) => {
  const { put, read } = testStore();
  put(line('a', -5), line('a', 5));
  t.deepEqual(times(await read('a', { startTime: -6795364578871345152n })), [-5, 5]);
});

const RUNS: readonly [number[], Partial<ReadRequest>, number[]][] = [
  [[0, 1, 1], { limit: 2n }, [0, 1, 1]],
  [[0, 1, 1, 50], { limit: 2n }, [0, 1, 1]],
  [[10, 20, 20, 20, 30, 40], { limit: 2n }, [10, 20, 20, 20]],
  [[0, 40, 60, 60, 60], { limit: 3n }, [0, 40, 60, 60, 60]],
  [[11, 10, 10], {}, [10, 10, 11]],
  [[1, 1, 2, 3, 3], { limit: 1n, descending: true }, [3, 3]],
  [[1, 1, 2, 3, 3], { limit: 4n, descending: true }, [3, 3, 2, 1, 1]],
];
for (const [there, fields, expected] of RUNS) {
  test(`never cuts a run: of ${there} gives ${expected}`, async (t) => {
    const { put, read } = testStore();
    put(...there.map((time) => line('a', time)));
    t.deepEqual(times(await read('a', fields)), expected);
  });
}

test('misses nothing when stepping on by a nanosecond', async (t) => {
  const { put, read } = testStore();
  const random = randomFrom(7);
  const all = Array.from({ length: 2000 }, (_, n) => ({ time: random(300), n }));
  put(...all.map(({ time, n }) => line('a', time, n)));
  const seen: number[] = [];
  for (let startTime = 0n; ; ) {
    const batch = await read('a', { startTime, limit: 7n });
    if (batch.count === 0) break;
    seen.push(...numbers(batch));
    startTime = BigInt(times(batch).at(-1) ?? 0) + 1n;
  }
  t.deepEqual(
    seen.toSorted((a, b) => a - b),
    [...Array(2000).keys()],
  );
});

const MIXED = [
  line('a', 1),
  counter('a', 2, 'requests'),
  gauge('a', 3, 'cpu', 'memory'),
  timer('a', 4, 'http'),
  event('a', 5, 'title'),
  { source_id: 'a', timestamp: 6 },
];
const TYPES: readonly [number[], number[]][] = [
  [[], [1, 2, 3, 4, 5, 6]],
  [[0], [1, 2, 3, 4, 5, 6]],
  [[1], [1]],
  [[0, 1], [1]],
  [
    [2, 4],
    [2, 4],
  ],
  [[3], [3]],
  [[5], [5]],
  [[77], []],
  [[77, 1], [1]],
];
for (const [envelopeTypes, expected] of TYPES) {
  test(`gives the types [${envelopeTypes}]`, async (t) => {
    const { put, read } = testStore();
    put(...MIXED);
    t.deepEqual(times(await read('a', { envelopeTypes })), expected);
  });
}

const NAMES: readonly [Partial<ReadRequest>, number[]][] = [
  [{ nameFilter: '' }, [1, 2, 3, 4, 5, 6]],
  [{ nameFilter: '.*' }, [2, 3, 4]],
  [{ nameFilter: 'cpu|http' }, [3, 4]],
  [{ nameFilter: 'quest' }, [2]],
  [{ nameFilter: '^REQ' }, []],
  [{ nameFilter: '(?i)^REQ' }, [2]],
  [{ nameFilter: 'title' }, []],
  [{ nameFilter: '.*', envelopeTypes: [1] }, []],
  [{ nameFilter: '.*', envelopeTypes: [4] }, [4]],
  [{ nameFilter: 'cpu|http', limit: 1n, descending: true }, [4]],
];
for (const [fields, expected] of NAMES) {
  test(`filters by name: ${fields.nameFilter} of [${fields.envelopeTypes ?? []}] gives ${expected}`, async (t) => {
    const { put, read } = testStore();
    put(...MIXED);
    t.deepEqual(times(await read('a', fields)), expected);
  });
}

test('leaves only the metrics that match in a gauge', async (t) => {
  const { put, read } = testStore();
  put(gauge('a', 1, 'cpu', 'memory', 'disk'));
  const [envelope] = decoded(await read('a', { nameFilter: 'm|k' }));
  t.deepEqual(Object.keys(envelope?.gauge?.metrics ?? {}).toSorted(), ['disk', 'memory']);
  t.deepEqual(envelope?.tags, { a: 'b' });
  t.is(envelope?.source_id, 'a');
});

const REFUSED: readonly [Partial<ReadRequest>, string][] = [
  [{ startTime: 5n, endTime: 4n }, 'StartTime (5) must be before EndTime (4)'],
  [{ limit: 1001n }, 'Limit (1001) must be 1000 or less'],
  [{ limit: 2n ** 63n - 1n }, 'Limit (9223372036854775807) must be 1000 or less'],
  [{ limit: -1n }, 'Limit (-1) must be greater than zero'],
  [{ limit: -1n, startTime: 6n, endTime: 4n }, 'StartTime (6) must be before EndTime (4)'],
  [
    { nameFilter: '(' },
    'Name filter must be a valid regular expression: error parsing regexp: missing closing ): `(`',
  ],
  [
    { nameFilter: 'a'.repeat(10_000) },
    'Name filter must be a valid regular expression: error parsing regexp: expression too large',
  ],
];
for (const [fields, message] of REFUSED) {
  test(`refuses with "${message}"`, async (t) => {
    const { read } = testStore();
    const error = await t.throwsAsync(read('a', fields), { instanceOf: ReadError, message });
    t.is(error?.code, status.UNKNOWN);
  });
}

test('takes a start after an end that is not given, and the longest limit', async (t) => {
  const { put, read } = testStore();
  put(line('a', 1));
  t.is((await read('a', { startTime: 2n ** 62n })).count, 0);
  t.is((await read('a', { limit: 1000n })).count, 1);
});

test('is not slowed down by an expression that would explode elsewhere', async (t) => {
  const { put, read } = testStore();
  put(counter('a', 1, `${'a'.repeat(40)}!`));
  t.is((await read('a', { nameFilter: '^(a+)+$' })).count, 0);
});

for (const [what, names, nameFilter] of [
  ['takes seconds', Array.from({ length: 100 }, (_, n) => 'a'.repeat(2000) + n), HEAVY],
  ['would take minutes for one name', ['a'.repeat(1_000_000)], HEAVY],
] as const) {
  test(`gives up a filter that ${what}, and can be asked again`, async (t) => {
    const { put, read } = testStore({ memoryLimitBytes: 16 * 2 ** 20 });
    put(counter('a', 1, 'aa'), ...names.map((name, n) => counter('a', n + 2, name)));
    await t.throwsAsync(read('a', { nameFilter }), {
      code: status.RESOURCE_EXHAUSTED,
      message: /the filter takes too long/,
    });
    t.deepEqual(times(await read('a', { nameFilter: '^aa$' })), [1]);
  });
}

test('refuses an answer that no message could carry, and can be asked again', async (t) => {
  const { put, read } = testStore({ memoryLimitBytes: 64 * 2 ** 20 });
  const log = { payload: Buffer.alloc(1_000_000) };
  for (let n = 0; n < 53; n += 1) put({ ...line('a', n), log });
  const counted = read('a').then(({ count }) => count);
  const error = await t.throwsAsync(counted, { instanceOf: ReadError });
  t.is(error?.code, status.RESOURCE_EXHAUSTED);
  t.deepEqual(times(await read('a', { limit: 5n })), [0, 1, 2, 3, 4]);
});

test('counts what it returned', async (t) => {
  const { put, read, metrics } = testStore();
  put(line('a', 1), line('a', 2));
  await read('a', { limit: 1n });
  await read('a');
  t.is(metricOf(metrics, 'log_cache_egress'), 3);
});

test('gives batches that later reads do not write over', async (t) => {
  const { put, read } = testStore();
  put(line('a', 1), line('b', 2));
  const first = await read('a');
  await read('b');
  t.deepEqual(numbers(first), [1]);
});

test('tells of each source once while others are served, and sources come, go and come back', async (t) => {
  const count = 500;
  const { put, reader, store } = testStore({ maxSources: count, sliceMs: 0 });
  const ids = Array.from({ length: count }, (_, n) => `source ${n}`);
  put(...ids.map((id) => line(id, 1)));
  let rounds = 0;
  let cameBack = 0;
  let isOver = false;
  const others = async (): Promise<void> => {
    while (!isOver) {
      await new Promise((resolve) => setImmediate(resolve));
      rounds += 1;
      if (rounds % 5 !== 0) continue;
      // Each takes the place of another one.
      const there = new Set(store.sourceIds());
      const gone = ids.find((id) => !there.has(id));
      put(line(gone ?? 'new', 1));
      if (gone !== undefined) cameBack += 1;
    }
  };
  const asked = reader.meta().finally(() => {
    isOver = true;
  });
  const [{ sources }] = await Promise.all([asked, others()]);
  t.true(rounds > 100 && cameBack > 10, `${cameBack} of ${rounds}`);
  t.is(new Set(sources.keys()).size, sources.size);
  t.true([...sources.values()].every((info) => info.count === 1));
  t.true(sources.size > 0.7 * count, `${sources.size} of ${count}`);
});
