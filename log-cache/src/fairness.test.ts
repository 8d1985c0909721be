import { randomFrom } from '@standpipe/protos/testing';
import test from 'ava';
import type { Store } from './store.ts';
import { batchOf, counter, type EnvelopeInit, line, testStore, told } from './testing.ts';

const KIB = 1024;
const OTHERS = 100;
const FLOOD_RATIO = 10_000;

// The hundred put as many envelopes with and without the flood; what they keep is compared.
for (const [title, before, beside] of [
  ['when there is room for all they have', 0, 40],
  ['when they fill the budget alone', 300, 40],
] as const) {
  test(`leaves a hundred sources 95 % of their history beside one of 10,000 times the rate, ${title}`, (t) => {
    const alone = historyOfOthers({ before, beside, floodRatio: 0 });
    const flooded = historyOfOthers({ before, beside, floodRatio: FLOOD_RATIO });
    t.true(alone.total > OTHERS * 30, String(alone.total));
    t.true(flooded.total >= 0.95 * alone.total, `${flooded.total} of ${alone.total}`);
    t.true(flooded.least >= 0.9 * alone.least, `${flooded.least} of ${alone.least}`);
  });
}

// Large blocks are hard to come by where many small ones are; others must not give for them in vain.
for (const [kilobytes, memoryLimitBytes] of [
  [5, 2048 * KIB],
  [60, 8192 * KIB],
  [200, 16_384 * KIB],
] as const) {
  test(`leaves a hundred sources 95 % of their history beside one that floods envelopes of ${kilobytes} kB`, (t) => {
    const { store } = testStore({ memoryLimitBytes, maxPerSource: 1e6 });
    for (let n = 0; store.expired === 0; n += 1) putOthers(store, n);
    const alone = countsOfOthers(store);
    const payload = Buffer.alloc(kilobytes * 1000, 'x');
    const batch = batchOf(
      Array.from({ length: 10 }, () => ({ ...line('flood', 1), log: { payload } })),
    );
    for (let n = 0; n < 20; n += 1) store.put(batch);
    const flooded = countsOfOthers(store);
    t.true(sum(flooded) >= 0.95 * sum(alone), `${sum(flooded)} of ${sum(alone)}`);
    t.true(Math.min(...flooded) >= 0.9 * Math.min(...alone), `${flooded} of ${alone}`);
    t.true(store.usedBytes >= 0.95 * store.limitBytes, String(store.usedBytes));
  });
}

test('keeps the newest of a source whose envelopes are large, where memory is cut up', (t) => {
  const { store } = testStore({ memoryLimitBytes: 8192 * KIB, maxPerSource: 1e6 });
  const large = (n: number): EnvelopeInit => ({
    ...line('large', n),
    log: { payload: Buffer.alloc(60_000, 'x') },
  });
  store.put(batchOf([large(0)]));
  for (let n = 0; store.expired === 0; n += 1) putOthers(store, n);
  for (let n = 1; n < 100; n += 1) store.put(batchOf([large(n)]));
  t.is(told(store.meta().get('large')).newest, 99n);
});

test('does not let a source that floods logs push out metrics, its own or of others', (t) => {
  const { store, put } = testStore({ memoryLimitBytes: 512 * KIB });
  for (let n = 0; n < 500; n += 1) put(counter('app', n, 'own'), counter('other', n, 'other'));
  for (let n = 0; n < 300; n += 1) put(...floodOf('app', n, 100));
  t.deepEqual(kinds(store, 'app').metrics, 500);
  t.deepEqual(kinds(store, 'other').metrics, 500);
  t.true(kinds(store, 'app').logs > 1000);
});

test('does not let a source that floods metrics push out logs, its own or of others', (t) => {
  const { store, put } = testStore({ memoryLimitBytes: 512 * KIB });
  for (let n = 0; n < 500; n += 1) put(line('app', n), line('other', n));
  for (let n = 0; n < 300; n += 1) put(...metricsOf('app', n, 100));
  t.is(kinds(store, 'app').logs, 500);
  t.is(kinds(store, 'other').logs, 500);
  t.true(kinds(store, 'app').metrics > 1000);
});

test('lends logs what metrics leave, and takes it back', (t) => {
  const { store, put } = testStore({ memoryLimitBytes: 512 * KIB });
  for (let n = 0; n < 300; n += 1) put(...floodOf('logs', n, 100));
  const most = kinds(store, 'logs').logs;
  for (let n = 0; n < 300; n += 1) put(...metricsOf('metrics', n, 100));
  const left = kinds(store, 'logs').logs;
  t.true(left > 0.7 * most && left < 0.8 * most, `${left} of ${most}`);
});

test('shares the cap of a source between its logs and its metrics', (t) => {
  const { store, put } = testStore({ maxPerSource: 1000 });
  for (let n = 0; n < 200; n += 1) put(counter('app', n, 'own'));
  for (let n = 0; n < 50; n += 1) put(...floodOf('app', 1000 + n, 100));
  t.is(kinds(store, 'app').metrics, 200);
  for (let n = 0; n < 50; n += 1) put(...metricsOf('app', 2000 + n, 100));
  const { logs, metrics } = kinds(store, 'app');
  t.true(logs > 700 && logs <= 760, String(logs));
  t.true(logs + metrics <= 1000 && logs + metrics > 950, String(logs + metrics));
  t.is(store.size + store.expired, 10_200);
});

test('keeps a source within its bytes, and gives up what came to it first', (t) => {
  const maxBytesPerSource = 64 * KIB;
  const { store, put } = testStore({ maxBytesPerSource });
  for (let n = 0; n < 50; n += 1) {
    put(...floodOf('busy', n, 100), line('quiet', n));
    t.true(store.usedBytes <= maxBytesPerSource + 8 * KIB, String(store.usedBytes));
  }
  t.is(store.meta().get('quiet')?.count, 50);
  const { count, expired, newest } = told(store.meta().get('busy'));
  t.true(count > 1000, String(count));
  t.is(count + expired, 5000);
  t.is(newest, 49n);
});

test('refuses an envelope larger than all that a source may take, and counts it', (t) => {
  const { store, put } = testStore({ maxBytesPerSource: 16 * KIB });
  put(line('a', 1), { ...line('a', 2), instance_id: 'x'.repeat(20 * KIB) }, line('a', 3));
  t.is(told(store.meta().get('a')).newest, 3n);
  t.is(store.size + store.expired, 3);
});

test('does not let a flood of sources wear down those that were there', (t) => {
  const { store, put } = testStore({ memoryLimitBytes: 4 * 1024 * KIB });
  for (let n = 0; n < 40; n += 1) {
    put(...Array.from({ length: OTHERS }, (_, index) => line(`source ${index}`, n)));
  }
  for (let n = 0; n < 20_000; n += 1) {
    put(line(`flood ${n}`, n));
    if (n % 100 === 0) put(line(`source ${(n / 100) % OTHERS}`, n));
  }
  const counts = Array.from(
    { length: OTHERS },
    (_, index) => store.meta().get(`source ${index}`)?.count ?? 0,
  );
  t.true(Math.min(...counts) >= 40, String(counts));
});

// Sources that want very different amounts of a budget, of one kind: none may have much less than
// max-min fairness gives it, which is computed here from what each has put.
for (const seed of [1, 2, 3, 5]) {
  test(`gives each source its max-min share, seed ${seed}`, (t) => {
    const random = randomFrom(seed);
    const { store, put } = testStore({ memoryLimitBytes: 2048 * KIB });
    const rates = Array.from({ length: 20 }, () => 2 ** random(9));
    const putOf = new Array<number>(rates.length).fill(0);
    for (let step = 0; step < 150; step += 1) {
      for (const [index, rate] of rates.entries()) {
        put(...floodOf(`source ${index}`, step, rate));
        putOf[index] = (putOf[index] ?? 0) + rate;
      }
    }
    const share = maxMinShare(putOf, store.size);
    for (const [index, all] of putOf.entries()) {
      const count = store.meta().get(`source ${index}`)?.count ?? 0;
      const due = Math.min(all, share);
      t.true(count >= 0.75 * due, `${count} of ${due}, at ${rates[index]}`);
    }
  });
}

/** How much each may have, if all that is held were given out max-min fairly. */
function maxMinShare(wanted: readonly number[], total: number): number {
  let left = total;
  let share = 0;
  for (const [index, want] of wanted.toSorted((a, b) => a - b).entries()) {
    share = left / (wanted.length - index);
    if (want >= share) return share;
    left -= want;
  }
  return Number.POSITIVE_INFINITY;
}

/** What they have after so many envelopes each, of which the last came beside the flood. */
function historyOfOthers(given: { before: number; beside: number; floodRatio: number }): {
  total: number;
  least: number;
} {
  const { store } = testStore({ memoryLimitBytes: 2048 * KIB, maxPerSource: 1e6 });
  const flood = Array.from({ length: 1000 }, () => line('flood', 1));
  const batch = batchOf(flood);
  for (let n = 0; n < given.before + given.beside; n += 1) {
    putOthers(store, n);
    if (n < given.before) continue;
    for (let put = 0; put < given.floodRatio; put += batch.count) store.put(batch);
  }
  const counts = countsOfOthers(store);
  return { total: sum(counts), least: Math.min(...counts) };
}

function putOthers(store: Store, time: number): void {
  store.put(batchOf(Array.from({ length: OTHERS }, (_, i) => padded(line(`quiet ${i}`, time)))));
}

function countsOfOthers(store: Store): number[] {
  const meta = store.meta();
  return Array.from({ length: OTHERS }, (_, index) => meta.get(`quiet ${index}`)?.count ?? 0);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

function padded(init: EnvelopeInit): EnvelopeInit {
  return { ...init, log: { payload: Buffer.from('a line of some length'.padEnd(100, '.')) } };
}

function floodOf(source: string, time: number, count: number): EnvelopeInit[] {
  return Array.from({ length: count }, () => line(source, time));
}

function metricsOf(source: string, time: number, count: number): EnvelopeInit[] {
  return Array.from({ length: count }, () => counter(source, time, 'requests'));
}

function kinds(store: Store, source: string): { logs: number; metrics: number } {
  const cursor = store.cursor(source);
  const found = { logs: 0, metrics: 0 };
  cursor?.seek(-1, 0);
  while (cursor?.next()) {
    if (cursor.kind === 1) found.logs += 1;
    else found.metrics += 1;
  }
  return found;
}
