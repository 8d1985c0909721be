import { readdir, readFile } from 'node:fs/promises';
import { type Clock, Metrics, systemClock } from '@standpipe/plumbing';
import { eventually, ManualClock, spyLog } from '@standpipe/plumbing/testing';
import test, { type ExecutionContext } from 'ava';
import { batchOf, line } from '../testing.ts';
import { DataFolder } from './data-folder.ts';
import { FILE_HEAD_BYTES } from './frames.ts';
import { Journal } from './journal.ts';
import { restartMetrics } from './metrics.ts';
import { testFolder } from './testing.ts';
import { onStep } from './testing-steps.ts';

test('a segment that is still to be written to is not written over as another', async (t) => {
  const { journal, folder, written } = await openJournal(t, systemClock);
  journal.append(batchOf([line('early', 1)]));
  await written(1);
  journal.append(batchOf([line('late', 2)])); // It waits.
  const next = journal.rotate();
  journal.release(next);
  journal.append(batchOf([line('next', 3)]));
  await written(3);
  await journal.close();
  const sizes = journal.segments.map(([number, bytes]) => [number, FILE_HEAD_BYTES + bytes]);
  t.deepEqual(sizes, [...(await folder.segments())]);
  t.deepEqual(
    sizes.map(([number]) => number),
    [next],
  );
  const bytes = await readFile(folder.segment(next));
  t.true(bytes.includes('next') && !bytes.includes('late'));
});

test.serial('a write that fails again and again uses up one old segment', async (t) => {
  const clock = new ManualClock();
  const { journal, folder, written } = await openJournal(t, clock);
  for (let n = 1; n <= 3; n += 1) {
    journal.append(batchOf([line('a', n)]));
    journal.rotate();
    await written(n);
  }
  journal.release(journal.segment);
  let failures = 0;
  using _ = await onStep(({ call }) => {
    if (call !== 'write' || failures === 5) return;
    failures += 1;
    throw new Error('no room');
  });
  journal.append(batchOf([line('a', 4)]));
  journal.rotate();
  for (let n = 1; n <= 5; n += 1) {
    await eventually(() => failures === n && clock.sleeping === 1);
    await clock.advance(1000);
  }
  await written(4);
  t.is((await readdir(folder.path)).filter((name) => name.startsWith('journal-')).length, 3);
  t.deepEqual(
    journal.segments.map(([number]) => number),
    [4],
  );
  await journal.close();
});

interface Opened {
  readonly journal: Journal;
  readonly folder: DataFolder;
  /** Waits until so many have been written. */
  readonly written: (envelopes: number) => Promise<boolean>;
}

async function openJournal(t: ExecutionContext, clock: Clock): Promise<Opened> {
  const metrics = restartMetrics(new Metrics({ origin: 'test' }));
  const folder = await DataFolder.open(await testFolder(t));
  const journal = new Journal({
    folder,
    clock,
    log: spyLog(),
    metrics,
    segment: 1,
    wholeFrom: 0,
    ordinal: 0,
    live: new Map(),
    stale: [],
    segmentBytes: 2 ** 20,
    capacityBytes: () => 2 ** 30,
    onWritten: () => {},
  });
  const written = (envelopes: number): Promise<boolean> =>
    eventually(() => metrics.journalWritten.value >= envelopes);
  return { journal, folder, written };
}
