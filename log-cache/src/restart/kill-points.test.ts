// At each step that snapshots and the journal take in the folder, the process is killed, or the step
// fails. What comes after, and a kill in the midst of that, must lose nothing.

import { mkdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { eventually } from '@standpipe/plumbing/testing';
import test, { type ExecutionContext } from 'ava';
import { type EnvelopeInit, line, metricOf } from '../testing.ts';
import { contents, copyFiles, type KeptStore, openKept, testFolder } from './testing.ts';
import { onStep, type Step } from './testing-steps.ts';

type Contents = Record<string, string[]>;

/** A folder as a kill before a step leaves it, and what must be in it: one or the other. */
interface Killed {
  readonly step: string;
  readonly folder: string;
  readonly held: readonly [Contents, Contents];
}

const OPTIONS = { journal: true, memoryLimitBytes: 4 * 2 ** 20 };
/** Before the others it stands as before the next of these. */
const CHANGES = new Set(['link', 'rename', 'rm', 'truncate', 'write']);
/** A snapshot of these takes two writes, so that one can be torn. */
const SOURCES = 4;
const LINE_BYTES = 90_000;

/** A folder in which a process has left its sources. */
async function keptSources(t: ExecutionContext): Promise<string> {
  const folder = await testFolder(t);
  const kept = await openKept(folder, OPTIONS);
  kept.put(...Array.from({ length: SOURCES }, (_, n) => largeLine(`source-${n}`, n)));
  await kept.end();
  return folder;
}

test.serial('what a kill at any step leaves is whole, also when it is written over', async (t) => {
  t.timeout(300_000);
  const folder = await keptSources(t);
  const first = await openKept(folder, OPTIONS);
  await first.persistence.snapshot();
  const steps = new Set<string>();
  for (const killed of await killedAtSteps(t, first, { folder, rounds: 1 })) {
    steps.add(killed.step);
    const second = await openKept(killed.folder, OPTIONS);
    isKept(t, second, killed, killed.step);
    for (const again of await killedAtSteps(t, second, { ...killed, rounds: 2 })) {
      const third = await openKept(again.folder);
      isKept(t, third, again, `${killed.step}, then ${again.step}`);
      await rm(again.folder, { recursive: true });
    }
    await second.end();
    await rm(killed.folder, { recursive: true });
  }
  t.true(steps.has('rename snapshot.new'), [...steps].join());
  await first.end();
});

test.serial('a step of a snapshot that fails leaves what a kill can not harm', async (t) => {
  t.timeout(300_000);
  const folder = await keptSources(t);
  const failed = new Set<string>();
  const kept = await openKept(folder, OPTIONS);
  for (const call of ['open', 'rename', 'write', 'truncate', 'sync', 'rm', 'link']) {
    for (const last of ['snapshot', 'snapshot.new', 'snapshot.old', '']) {
      const step = `${call} ${last}`;
      const failing = await onStep((one) => {
        if (nameOf(one) !== step || failed.has(step)) return;
        failed.add(step);
        throw new Error(`${step} fails`);
      });
      await kept.persistence.snapshot();
      failing[Symbol.dispose]();
      if (!failed.has(step)) continue;
      for (const killed of await killedAtSteps(t, kept, { folder, rounds: 1 })) {
        const after = await openKept(killed.folder);
        isKept(t, after, killed, `${killed.step}, after ${step} failed`);
        await rm(killed.folder, { recursive: true });
      }
    }
  }
  t.true(failed.has('rename snapshot.new'), [...failed].join());
  await kept.end();
});

test.serial('a start on a full disk takes back what is there, unmarked', async (t) => {
  const folder = await testFolder(t);
  const before = await openKept(folder, OPTIONS);
  before.put(line('a', 1));
  await before.end();
  using _ = await onStep(({ call }) => {
    if (call === 'writeFile') throw Object.assign(new Error('no room'), { code: 'ENOSPC' });
  });
  const after = await openKept(folder, OPTIONS);
  t.deepEqual(contents(after.store), contents(before.store));
  after.put(line('a', 2));
  await after.end();
  const last = await openKept(folder);
  t.is(last.store.size, 2);
});

function isKept(t: ExecutionContext, { store, metrics }: KeptStore, killed: Killed, what: string) {
  const found = contents(store);
  t.true(
    killed.held.some((held) => isDeepStrictEqual(found, held)),
    `killed before ${what}`,
  );
  t.is(metricOf(metrics, 'log_cache_persistence_failures'), 0, `killed before ${what}`);
}

/** Puts and takes snapshots; gives what a kill before each step of that leaves. */
async function killedAtSteps(
  t: ExecutionContext,
  kept: KeptStore,
  { folder, rounds }: { readonly folder: string; readonly rounds: number },
): Promise<Killed[]> {
  const all: Killed[] = [];
  const copies = await testFolder(t);
  let held: Killed['held'] = [contents(kept.store), contents(kept.store)];
  using _ = await onStep((step) => {
    if (!CHANGES.has(step.call)) return;
    const copy = join(copies, String(all.length));
    mkdirSync(copy);
    copyFiles(folder, copy);
    all.push({ step: nameOf(step), folder: copy, held });
  });
  const written = metricOf(kept.metrics, 'log_cache_journal_written') ?? 0;
  for (let round = 0; round < rounds; round += 1) {
    kept.put(line('busy', written + round));
    held = [held[1], contents(kept.store)];
    const snapshot = kept.persistence.snapshot(); // It hands over to the disk what was put.
    await journalled(kept, written + round + 1);
    held = [held[1], held[1]];
    await snapshot;
  }
  return all;
}

function nameOf({ call, path }: Step): string {
  return `${call} ${path.slice(path.lastIndexOf('/') + 1)}`;
}

async function journalled({ metrics }: KeptStore, envelopes: number): Promise<void> {
  const written = (): number => metricOf(metrics, 'log_cache_journal_written') ?? 0;
  await eventually(() => written() >= envelopes, { what: `${envelopes} written` });
}

function largeLine(source: string, time: number): EnvelopeInit {
  return { ...line(source, time), log: { payload: Buffer.alloc(LINE_BYTES, `${source} `) } };
}
