/** What the tests of restarts need: a store with its files, and what the store holds. */

import { copyFileSync, linkSync, readdirSync, statSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { type Log, Metrics, systemClock } from '@standpipe/plumbing';
import { type SpyLog, spyLog } from '@standpipe/plumbing/testing';
import type { Batch } from '@standpipe/protos';
import type { ExecutionContext } from 'ava';
import { fieldsOf } from '../merge.ts';
import { Store, type StoreOptions } from '../store.ts';
import { batchOf, type EnvelopeInit } from '../testing.ts';
import { Persistence } from './persistence.ts';
import type { PersistenceSettings } from './settings.ts';

/** How much of an envelope a failed test shows. */
const SHOWN_BYTES = 80;

export interface KeptStoreOptions extends Partial<PersistenceSettings> {
  readonly memoryLimitBytes?: number;
  readonly maxPerSource?: number;
  readonly stop?: AbortSignal;
}

/** A store that keeps what it has in a folder. */
export interface KeptStore {
  readonly store: Store;
  readonly persistence: Persistence;
  readonly metrics: Metrics;
  readonly log: SpyLog;
  put(...inits: readonly EnvelopeInit[]): void;
  putBatch(batch: Batch, mine?: Uint8Array): void;
  /** Ends it as SIGTERM does. */
  end(): Promise<void>;
}

/** Opens the store of a folder, as a process that starts does. */
export async function openKept(folder: string, options: KeptStoreOptions = {}): Promise<KeptStore> {
  const { memoryLimitBytes = 4 * 2 ** 20, maxPerSource, stop, ...settings } = options;
  const metrics = new Metrics({ origin: 'test' });
  const log = spyLog();
  const limits = maxPerSource === undefined ? {} : { maxPerSource };
  const store = new Store({ memoryLimitBytes, metrics, ...limits } satisfies StoreOptions);
  const persistence = new Persistence({
    folder,
    journal: false,
    saveTimeoutMs: 60_000,
    restoreTimeoutMs: 60_000,
    ...settings,
    store,
    metrics,
    log: log satisfies Log,
    clock: systemClock,
  });
  await persistence.restore(stop ?? new AbortController().signal);
  const putBatch = (batch: Batch, mine?: Uint8Array): void => {
    store.put(batch, mine);
    persistence.append(batch, mine);
  };
  return {
    store,
    persistence,
    metrics,
    log,
    putBatch,
    put: (...inits) => putBatch(batchOf(inits)),
    end: () => persistence[Symbol.asyncDispose](),
  };
}

export async function testFolder(t: ExecutionContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'standpipe-restart-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** A folder as it stands now: what a process that is killed at this moment leaves. */
export async function copyOf(t: ExecutionContext, folder: string): Promise<string> {
  const copy = await testFolder(t);
  copyFiles(folder, copy);
  return copy;
}

/** In one turn: what this process does next must not show in a part of the files. */
export function copyFiles(folder: string, copy: string): void {
  const copies = new Map<number, string>();
  for (const name of readdirSync(folder)) {
    const from = join(folder, name);
    const to = join(copy, name);
    const file = statSync(from, { throwIfNoEntry: false });
    if (file === undefined) continue;
    const same = copies.get(file.ino);
    copies.set(file.ino, to);
    if (same === undefined) copyFileSync(from, to);
    else linkSync(same, to);
  }
}

/** Every envelope that a store holds, by source, in the order in which reads give them. */
export function contents(store: Store): Record<string, string[]> {
  const held: Record<string, string[]> = {};
  for (const id of [...store.meta().keys()].sort()) {
    const cursor = store.cursor(id);
    const envelopes: string[] = [];
    cursor?.seek(-(2 ** 31), 0);
    while (cursor?.next()) {
      // A store puts tags in order once it has seen them in two, and a restart begins anew with that.
      const fields = fieldsOf(Buffer.from(cursor.bytes.subarray(cursor.start, cursor.end)));
      const bytes = Buffer.from(fields, 'latin1');
      const shown = fields.slice(0, SHOWN_BYTES);
      envelopes.push(`${shown} ${bytes.length} ${crc32(bytes)}`);
    }
    held[id] = envelopes;
  }
  return held;
}
