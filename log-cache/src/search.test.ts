import { status } from '@grpc/grpc-js';
import { longOf, randomFrom } from '@standpipe/protos/testing';
import test from 'ava';
import { ReadError, type ReadRequest, readRequest } from './reader.ts';
import { counter, type EnvelopeInit, event, gauge, testStore, times } from './testing.ts';

/** Slow to match, with no word in it that could be looked for beforehand. */
const SLOW = '(?:[a-x ]?[0-9 ]?){50}';

function log(
  time: number,
  payload: string,
  tags: Readonly<Record<string, string>> = {},
): EnvelopeInit {
  const bytes = Buffer.from(payload);
  return { source_id: 'a', timestamp: longOf(BigInt(time)), tags, log: { payload: bytes } };
}

test('contains finds logs whose payload has the text, byte for byte', async (t) => {
  const { put, read } = testStore();
  put(log(1, 'an error'), log(2, 'An Error'), log(3, 'errör'), log(4, ''), log(5, 'error'));
  t.deepEqual(times(await read('a', { contains: 'error' })), [1, 5]);
  t.deepEqual(times(await read('a', { contains: 'ö' })), [3]);
  t.deepEqual(times(await read('a', { contains: '.*' })), []);
  t.deepEqual(times(await read('a', { contains: 'error', descending: true })), [5, 1]);
});

test('matches finds logs whose payload an RE2 expression is found in', async (t) => {
  const { put, read } = testStore();
  put(log(1, 'status=200'), log(2, 'status=503 '), log(3, 'STATUS=500'), log(4, 'ü\n5'));
  t.deepEqual(times(await read('a', { matches: 'status=5\\d\\d' })), [2]);
  t.deepEqual(times(await read('a', { matches: '(?i)status=5' })), [2, 3]);
  t.deepEqual(times(await read('a', { matches: '^ü$' })), []);
  t.deepEqual(times(await read('a', { matches: '(?m)^ü$' })), [4]);
});

test('only logs have a payload, whatever else has the text', async (t) => {
  const { put, read } = testStore();
  put(counter('a', 1, 'error'), event('a', 2, 'error'), gauge('a', 3, 'error'));
  put({ ...log(4, 'fine', { error: 'error' }), instance_id: 'error' }, log(5, 'error'));
  put({ source_id: 'a', timestamp: longOf(6n), tags: { error: '' } });
  t.deepEqual(times(await read('a', { contains: 'error' })), [5]);
  t.deepEqual(times(await read('a', { matches: 'error' })), [5]);
  t.deepEqual(times(await read('a', { matches: '', contains: '' })).length, 6);
  t.deepEqual(times(await read('a', { contains: 'error', nameFilter: 'error' })), []);
});

test('tag finds envelopes of any kind that have it with exactly that value', async (t) => {
  const { put, read } = testStore();
  put(log(1, 'x', { k: 'v' }), log(2, 'x', { k: 'V' }), log(3, 'x', { k: '' }), log(4, 'x'));
  put(gauge('a', 5, 'cpu'), log(6, 'x', { kk: 'v', k: 'v:w' }));
  t.deepEqual(times(await read('a', { tags: ['k:v'] })), [1]);
  t.deepEqual(times(await read('a', { tags: ['k:'] })), [3]);
  t.deepEqual(times(await read('a', { tags: ['k:v:w'] })), [6]);
  t.deepEqual(times(await read('a', { tags: ['k:v:w', 'kk:v'] })), [6]);
  t.deepEqual(times(await read('a', { tags: ['k:v', 'kk:v'] })), []);
  t.deepEqual(times(await read('a', { tags: ['a:b'], nameFilter: 'c' })), [5]);
});

test('a deprecated tag counts where there is no other of its name', async (t) => {
  const { put, read } = testStore();
  const deprecated_tags = { k: { text: 'old' }, n: { integer: longOf(7n) } };
  put({ ...log(1, 'x'), deprecated_tags }, { ...log(2, 'x', { k: 'new' }), deprecated_tags });
  t.deepEqual(times(await read('a', { tags: ['k:old'] })), [1]);
  t.deepEqual(times(await read('a', { tags: ['k:new'] })), [2]);
  t.deepEqual(times(await read('a', { tags: ['n:7'] })), []);
});

test('filters come before the limit, and a run of equal times stays whole', async (t) => {
  const { put, read } = testStore();
  put(...Array.from({ length: 500 }, (_, n) => log(n, n % 100 === 7 ? 'yes' : 'no')));
  put(log(107, 'yes'), log(107, 'no'));
  t.deepEqual(times(await read('a', { contains: 'yes', limit: 2n })), [7, 107, 107]);
  t.deepEqual(times(await read('a', { contains: 'yes', limit: 1n, descending: true })), [407]);
});

const REFUSED: readonly [Partial<ReadRequest>, number, RegExp][] = [
  [{ matches: '(' }, status.INVALID_ARGUMENT, /^Matches must be a valid regular expression: /],
  [{ matches: 'x'.repeat(9000) }, status.INVALID_ARGUMENT, /expression too large/],
  [{ tags: ['k'] }, status.INVALID_ARGUMENT, /^"k" is not KEY:VALUE$/],
  [{ tags: Array(33).fill('k:v') }, status.INVALID_ARGUMENT, /^33 tags are more than the 32 /],
  [
    { contains: 'ü'.repeat(513) },
    status.INVALID_ARGUMENT,
    /^Contains \(1026 bytes\) must be 1024 bytes or less$/,
  ],
];
for (const [fields, code, message] of REFUSED) {
  test(`refuses ${JSON.stringify(fields).slice(0, 30)}`, async (t) => {
    const { read } = testStore();
    const error = await t.throwsAsync(read('a', fields), { instanceOf: ReadError, message });
    t.is(error?.code, code);
  });
}

test('gives up an expression that would take minutes for one payload', async (t) => {
  const { put, read } = testStore();
  put(log(1, 'a'.repeat(50_000)));
  const error = await t.throwsAsync(read('a', { matches: '(?:a?){1000}a{1000}' }));
  t.is((error as ReadError).code, status.RESOURCE_EXHAUSTED);
});

for (const descending of [false, true]) {
  const order = descending ? 'newest' : 'oldest';
  test(`gives up a search that would take minutes for one and the same time, ${order} first`, async (t) => {
    const { put, read } = testStore();
    put(...Array.from({ length: 1000 }, () => log(1, 'a'.repeat(999))), log(2, 'b'));
    const error = await t.throwsAsync(read('a', { matches: '(?:a?){1000}a{1000}', descending }), {
      instanceOf: ReadError,
      message: /too many envelopes have one and the same time/,
    });
    t.is(error?.code, status.RESOURCE_EXHAUSTED);
    t.deepEqual(times(await read('a', { contains: 'b', descending })), [2]);
  });
}

test('finds text that is as long as may be, in text that is much like it', async (t) => {
  const { put, read } = testStore({ memoryLimitBytes: 16 * 2 ** 20 });
  const half = 'a'.repeat(512);
  const wanted = `${half}b${half.slice(1)}`;
  for (let n = 0; n < 60; n += 1) put(log(n, 'a'.repeat(20_000)), log(n, `${half}${wanted} ${n}`));
  for (const descending of [false, true]) {
    t.is((await read('a', { contains: wanted, descending })).count, 60);
    t.is((await read('a', { contains: `x${wanted.slice(1)}`, descending })).count, 0);
  }
});

test('a search whose asker has left is given up, and others are not', async (t) => {
  const { put, read, reader } = testStore({ memoryLimitBytes: 16 * 2 ** 20 });
  put(...Array.from({ length: 5000 }, (_, n) => log(n, `a line ${n} of a search`)));
  const request = readRequest('a', { matches: `${SLOW}[7a][7b][7c][7d][7e]` });
  const gone = new AbortController();
  const left = t.throwsAsync(reader.read(request, { gone: gone.signal }), {
    instanceOf: ReadError,
  });
  const stays = reader.read(readRequest('a', { contains: 'line 4999 ' }), {});
  gone.abort();
  const error = await left;
  t.deepEqual([error?.code, error?.message], [status.CANCELLED, 'context canceled']);
  t.deepEqual(times((await stays).batch), [4999]);
  t.deepEqual(times(await read('a', { contains: 'line 4998 ' })), [4998]);
});

test('a long search lets others in, and finds each log once whatever comes meanwhile', async (t) => {
  const { put, read } = testStore({ memoryLimitBytes: 64 * 2 ** 20, maxPerSource: 200_000 });
  const count = 20_000;
  for (let n = 0; n < count; n += 1000) {
    put(
      ...Array.from({ length: 1000 }, (_, i) => log(10 * (n + i), `x line ${n + i} of a search`)),
    );
  }
  for (const descending of [false, true]) {
    let rounds = 0;
    let isOver = false;
    const others = async (): Promise<void> => {
      while (!isOver) {
        await new Promise((resolve) => setImmediate(resolve));
        rounds += 1;
        // Before, behind and amid what is searched; none of them matches.
        for (const at of [1, 5 * count + 1, 10 * count + 1]) put(log(at, 'a late one'));
      }
    };
    // So much work to match that it can't be done in one slice on any machine.
    const request = { matches: `${SLOW}[1e][7a][7b][7c][7d]`, limit: 1000n, descending };
    const [batch] = await Promise.all([
      read('a', request).finally(() => {
        isOver = true;
      }),
      others(),
    ]);
    t.true(rounds > 2, `${rounds} rounds`);
    t.deepEqual(times(batch), [177_770]);
  }
});

test('gives up a search that is not over in time', async (t) => {
  const { put, read } = testStore({ searchMs: 0 });
  for (let n = 0; n < 5000; n += 1000) {
    put(...Array.from({ length: 1000 }, (_, i) => log(n + i, `a line ${n + i} of a search`)));
  }
  const error = await t.throwsAsync(read('a', { matches: `${SLOW}[7a][7b][7c][7d][7e]` }), {
    message: /the search takes too long/,
  });
  t.is((error as ReadError).code, status.RESOURCE_EXHAUSTED);
  t.is((await read('a', { contains: 'line 4995', startTime: 4990n })).count, 1);
});

for (const seed of [1, 2, 3]) {
  test(`finds what a plain look at each log finds, seed ${seed}`, async (t) => {
    const random = randomFrom(seed);
    const { put, read } = testStore({ memoryLimitBytes: 8 * 2 ** 20 });
    const words = ['need', 'needle', 'nee', 'dle', 'x', 'ü', 'needlee', 'NEEDLE', ' '];
    const payloads: string[] = [];
    for (let n = 0; n < 3000; n += 1) {
      payloads.push(Array.from({ length: random(12) }, () => words[random(words.length)]).join(''));
    }
    // Two sources side by side, and some out of order, so that the walk jumps.
    const order = payloads.map((_, n) => n);
    for (let n = 0; n < 300; n += 1) {
      const [a, b] = [random(order.length), random(order.length)];
      [order[a], order[b]] = [order[b] as number, order[a] as number];
    }
    for (const n of order)
      put(log(n, payloads[n] as string), { ...log(n, 'needle'), source_id: 'b' });
    for (let round = 0; round < 40; round += 1) {
      const contains = words[random(words.length)] as string;
      const start = random(3000);
      const descending = random(2) === 0;
      const wanted = payloads.flatMap((text, n) =>
        n >= start && text.includes(contains) ? [n] : [],
      );
      const expected = (descending ? wanted.reverse() : wanted).slice(0, 50);
      const fields = { limit: 50n, startTime: BigInt(start), endTime: 3000n, descending };
      t.deepEqual(times(await read('a', { ...fields, contains })), expected, contains);
      t.deepEqual(times(await read('a', { ...fields, matches: contains })), expected, contains);
    }
  });
}
