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

test('what a kill at any step leaves is whole, also when it is written over', async (t) => {
  const folder = await testFolder(t);
  const before = await openKept(folder, OPTIONS);
  before.put(...Array.from({ length: SOURCES }, (_, n) => largeLine(`source-${n}`, n)));
  await before.end();
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
  for (let round = 0; round < rounds; round += 1) {
    kept.put(line('busy', round));
    held = [held[1], contents(kept.store)];
    const snapshot = kept.persistence.snapshot(); // It hands over to the disk what was put.
    await journalled(kept, round + 1);
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
