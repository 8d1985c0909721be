import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { eventually } from '@standpipe/plumbing/testing';
import { randomFrom } from '@standpipe/protos/testing';
import test from 'ava';
import { type EnvelopeInit, line, metricOf } from '../testing.ts';
import { contents, copyOf, type KeptStore, openKept, testFolder } from './testing.ts';

const LINE_BYTES = 16 * 1024;
const CAPS = { maxPerSource: 20, memoryLimitBytes: 64 * 2 ** 20 };

test('a snapshot has the quiet, and leaves to the journal what is there anyway', async (t) => {
  const folder = await testFolder(t);
  const caps = { ...CAPS, maxPerSource: 150 };
  const kept = await openKept(folder, { ...caps, journal: true });
  kept.put(...lines('quiet', 10));
  for (let round = 0; round < 15; round += 1) kept.put(...lines('busy', 100, 100 * round));
  await written(kept);
  await kept.persistence.snapshot();
  const snapshot = await readFile(join(folder, 'snapshot'));
  t.true(snapshot.includes('quiet'));
  t.true(snapshot.length < 15 * LINE_BYTES, `${snapshot.length} bytes`);
  const after = await openKept(await copyOf(t, folder), caps);
  t.deepEqual(contents(after.store), contents(kept.store));
  t.deepEqual(after.store.meta(), kept.store.meta());
  await after.end();
  await kept.end();
});

test('what the journal had no room for is in the next snapshot', async (t) => {
  const folder = await testFolder(t);
  const options = { journal: true, memoryLimitBytes: 128 * 2 ** 20 };
  const kept = await openKept(folder, options);
  // In one turn, in which nothing can be written.
  for (let n = 0; n < 3; n += 1) kept.put(...lines(`source-${n}`, 800));
  t.true((metricOf(kept.metrics, 'log_cache_journal_dropped') ?? 0) > 0);
  await written(kept);
  await kept.persistence.snapshot();
  const after = await openKept(await copyOf(t, folder), options);
  t.deepEqual(contents(after.store), contents(kept.store));
  await after.end();
  await kept.end();
});

test('an orderly end has all in the snapshot', async (t) => {
  const folder = await testFolder(t);
  const kept = await openKept(folder, { ...CAPS, journal: true });
  kept.put(...lines('busy', 20));
  const held = contents(kept.store);
  await kept.end();
  t.true((await stat(join(folder, 'snapshot'))).size > 20 * LINE_BYTES);
  const after = await openKept(folder, CAPS);
  t.deepEqual(contents(after.store), held);
  await after.end();
});

// Sources of different rates, late lines and equal times; some snapshots leave most sources to the
// journal, some none. Whenever it is killed, it comes back with what it held and with its counts.
for (const seed of [1, 2, 3, 4]) {
  test(`a process killed with sources left to its journal has all, seed ${seed}`, async (t) => {
    const random = randomFrom(seed);
    const folder = await testFolder(t);
    const options = { ...CAPS, journal: true };
    let kept = await openKept(folder, options);
    let at = folder;
    let time = 1000;
    for (let kill = 0; kill < 3; kill += 1) {
      for (let round = 0; round < 4; round += 1) {
        const snapshot = random(3) === 0 ? undefined : kept.persistence.snapshot();
        for (let batch = 0; batch < 20; batch += 1) {
          time += 10;
          // The higher a source's number, the more seldom it comes.
          const next = (): string => `source-${Math.floor(6 * (random(1000) / 1000) ** 3)}`;
          kept.put(...Array.from({ length: 15 }, () => large(next(), time - random(30))));
          if (random(2)) await turn();
        }
        if (random(2)) await snapshot;
      }
      await written(kept);
      at = await copyOf(t, at);
      const after = await openKept(at, options);
      t.deepEqual(contents(after.store), contents(kept.store), `kill ${kill}`);
      for (const [id, { expired }] of kept.store.meta()) {
        // What came and went while its source was written is in neither file.
        const missing = expired - (after.store.meta().get(id)?.expired ?? 0);
        t.true(missing >= 0 && missing <= 15, `kill ${kill}: ${missing} of ${id} are not counted`);
      }
      await kept.end();
      kept = after;
    }
    await kept.end();
  });
}

function large(source: string, time: number): EnvelopeInit {
  return {
    ...line(source, time),
    log: { payload: Buffer.alloc(LINE_BYTES, `${source} ${time} `) },
  };
}

function lines(source: string, count: number, from = 0): EnvelopeInit[] {
  return Array.from({ length: count }, (_, index) => large(source, from + index));
}

/** Waits until all that was put stands in the journal, but for what was dropped. */
async function written(kept: KeptStore): Promise<void> {
  const count = (name: string): number => metricOf(kept.metrics, name) ?? 0;
  const isDone = (): boolean =>
    count('log_cache_journal_written') + count('log_cache_journal_dropped') >=
    count('log_cache_ingress');
  await eventually(isDone, { what: 'all written', timeoutMs: 45_000 });
}
