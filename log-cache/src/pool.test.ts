/** Logs and metrics in one budget, against each other. */

import { randomFrom } from '@standpipe/protos/testing';
import test from 'ava';
import type { Store } from './store.ts';
import { batchOf, counter, type EnvelopeInit, line, testStore } from './testing.ts';

const MIB = 2 ** 20;
const OTHERS = 100;
/** How much may lie idle, and what is given at once. */
const SLACK = 0.03;

interface Kind {
  readonly name: string;
  /** The part of the budget that it gives to nobody. */
  readonly part: number;
  envelope(source: string, time: number): EnvelopeInit;
}

const logs: Kind = {
  name: 'logs',
  part: 3 / 4,
  envelope: (source, time) => ({
    ...line(source, time),
    log: { payload: Buffer.from('a line of some length'.padEnd(100, '.')) },
  }),
};
const counters: Kind = {
  name: 'counters',
  part: 1 / 4,
  envelope: (source, time) => counter(source, time, 'requests'),
};

for (const memoryLimitBytes of [2 * MIB, 8 * MIB]) {
  for (const [quiet, flood] of [
    [logs, counters],
    [counters, logs],
  ] as const) {
    const title = `${quiet.name} against a flood of ${flood.name}, in ${memoryLimitBytes / MIB} MiB`;

    test(`leaves a hundred sources what they have within their part: ${title}`, (t) => {
      const { store } = testStore({ memoryLimitBytes, maxPerSource: 1e6 });
      fill(store, quiet, quiet.part - 0.01);
      const before = countsOf(store);
      put(store, flood, memoryLimitBytes);
      const after = countsOf(store);
      t.true(sum(after) >= 0.95 * sum(before), `${sum(after)} of ${sum(before)}`);
      t.true(Math.min(...after) >= 0.9 * Math.min(...before), `${after} of ${before}`);
      t.true(store.usedBytes >= (1 - SLACK) * store.limitBytes, String(store.usedBytes));
    });

    test(`takes back no more than what was lent: ${title}`, (t) => {
      const { store } = testStore({ memoryLimitBytes, maxPerSource: 1e6 });
      fill(store, quiet, quiet.part + 0.24);
      put(store, flood, memoryLimitBytes);
      const held = heldBytes(store, 'quiet') / store.limitBytes;
      t.true(Math.abs(held - quiet.part) < SLACK, String(held));
      t.true(store.usedBytes >= (1 - SLACK) * store.limitBytes, String(store.usedBytes));
    });
  }
}

// Floods of either kind come and go. Whenever something is put, neither kind may shrink that has
// less than its part, whoever has put it.
for (const seed of [1, 2, 3, 5]) {
  test(`lets no kind give below its part, seed ${seed}`, (t) => {
    const random = randomFrom(seed);
    const { store } = testStore({ memoryLimitBytes: MIB, maxPerSource: 1e6 });
    const held = (kind: Kind): number => heldBytes(store, kind.name) / store.limitBytes;
    for (let step = 0; step < 600; step += 1) {
      const kind = random(2) === 0 ? logs : counters;
      const source = `${kind.name} ${random(step % 200 < 100 ? 30 : 3)}`;
      const before = [held(logs), held(counters)];
      store.put(batchOf(Array.from({ length: 1 + random(60) }, () => kind.envelope(source, step))));
      for (const [index, { name, part }] of [logs, counters].entries()) {
        const least = Math.min(before[index] ?? 0, part) - SLACK;
        const now = heldBytes(store, name) / store.limitBytes;
        t.true(now >= least, `${name} ${now} after ${before[index]}, step ${step}`);
      }
    }
    t.true(store.usedBytes >= (1 - SLACK) * store.limitBytes, String(store.usedBytes));
  });
}

/** Has the hundred fill a part of the budget, in turn. */
function fill(store: Store, kind: Kind, part: number): void {
  for (let n = 0; store.usedBytes < part * store.limitBytes; n += 1) {
    store.put(batchOf([kind.envelope(`quiet ${n % OTHERS}`, n)]));
  }
}

/** Has one source put several times the budget. */
function put(store: Store, kind: Kind, memoryLimitBytes: number): void {
  const batch = batchOf(Array.from({ length: 1000 }, (_, n) => kind.envelope('flood', n)));
  for (let n = 0; n < (memoryLimitBytes / MIB) * 60; n += 1) store.put(batch);
}

function countsOf(store: Store): number[] {
  const meta = store.meta();
  return Array.from({ length: OTHERS }, (_, i) => meta.get(`quiet ${i}`)?.count ?? 0);
}

/** The memory of the sources whose ids begin so. */
function heldBytes(store: Store, prefix: string): number {
  return sum(
    store
      .largest(store.sourceCount)
      .filter(({ id }) => id.startsWith(prefix))
      .map((source) => source.heldBytes),
  );
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
