/**
 * What a restart costs, and what a journal costs meanwhile.
 *
 *     npm run bench -- restart
 *
 * A store is filled to its budget, saved to a folder and taken back into another store: memory that
 * a process touches for the first time costs something in itself, which is told first. Then a scan
 * and a put of a batch are compared in one run with and without a journal, whose snapshots are
 * counted in. CPU time is that of the whole process, writing to the kernel included.
 *
 * That is a process of its own, with large pages as `npm start` gives them to a Doppler.
 */

import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { createLogger, Metrics, systemClock } from '@standpipe/plumbing';
import { Batch, encodeVarint64, scanBatch } from '@standpipe/protos';
import { cfBatch, leanBatch } from '@standpipe/protos/testing';
import { Store } from '../store.ts';
import { Persistence } from './persistence.ts';

const BUDGET_BYTES = 256 * 2 ** 20;
const ENVELOPES = 100;
const BATCHES = 64;
const SOURCES = 100;
const WARM_SNAPSHOTS = 3;
const TURNS_BETWEEN = 8;
const GIBIBYTE = 2 ** 30;
const PAGE_BYTES = 4096;

const shapes = [
  { name: 'lean', make: leanBatch, bytes: 282 },
  { name: 'cf', make: cfBatch, bytes: 712 },
] as const;
type Shape = (typeof shapes)[number];

interface MainOptions {
  readonly seconds: number;
  /** Whether it was asked for by name: what a journal costs takes half a minute to see. */
  readonly isNamed?: boolean;
}

interface Case {
  readonly store: Store;
  readonly persistence: Persistence;
}

const LARGE_PAGES = 'glibc.malloc.hugetlb=1';

export async function main(options: MainOptions): Promise<void> {
  const script = `import { measure } from '${import.meta.url}'; await measure(${JSON.stringify(options)})`;
  execFileSync(process.execPath, ['--input-type=module', '--eval', script], {
    stdio: 'inherit',
    env: { GLIBC_TUNABLES: LARGE_PAGES },
  });
}

export async function measure({ seconds, isNamed }: MainOptions): Promise<void> {
  const touched = await timed(async () => {
    const memory = Buffer.allocUnsafeSlow(BUDGET_BYTES);
    for (let at = 0; at < memory.length; at += PAGE_BYTES) memory[at] = 1;
  });
  const touchedSeconds = (touched.wallMs / 1000) * (GIBIBYTE / BUDGET_BYTES);
  process.stdout.write(`  fresh memory itself  ${touchedSeconds.toFixed(1)} s for 1 GiB\n`);
  for (const shape of shapes) {
    const folder = await mkdtemp(join(tmpdir(), 'standpipe-bench-'));
    try {
      await measureFiles(shape, folder);
      if (isNamed) await measureJournal(shape, folder, seconds);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }
}

async function measureFiles(shape: Shape, folder: string): Promise<void> {
  const before = await openCase(folder, false);
  const next = feed(shape, before);
  while (before.store.expired === 0) next();
  const { size } = before.store;
  const wireBytes = size * shape.bytes;
  const saved = await timed(() => before.persistence[Symbol.asyncDispose]());
  tell(`${shape.name}: save`, saved, { size, wireBytes });
  let after: Case | undefined;
  const restored = await timed(async () => {
    after = await openCase(folder, false);
  });
  tell(`${shape.name}: take back`, restored, { size: after?.store.size ?? 0, wireBytes });
}

async function measureJournal(shape: Shape, folder: string, seconds: number): Promise<void> {
  const costs: number[] = [];
  for (const journal of [false, true]) {
    const one = await openCase(join(folder, String(journal)), journal);
    const next = feed(shape, one);
    // Until files are written over, as they are from then on.
    while (one.store.expired === 0 || (journal && one.persistence.snapshots < WARM_SNAPSHOTS)) {
      await several(next);
    }
    let envelopes = 0;
    const { cpu } = await timed(async () => {
      const until = performance.now() + seconds * 4000;
      while (performance.now() < until) {
        await several(next);
        envelopes += TURNS_BETWEEN * ENVELOPES;
      }
    });
    costs.push(cpu / envelopes);
    await one.persistence[Symbol.asyncDispose]();
  }
  const [without = 0, withJournal = 0] = costs;
  const text = `${without.toFixed(2)} without, ${withJournal.toFixed(2)} with a journal`;
  process.stdout.write(`  ${`${shape.name}: scan and put`.padEnd(20)} ${text} (CPU-µs)\n`);
}

async function openCase(folder: string, journal: boolean): Promise<Case> {
  const metrics = new Metrics({ origin: 'bench' });
  const store = new Store({ memoryLimitBytes: BUDGET_BYTES, metrics });
  const settings = { folder, journal, saveTimeoutMs: 60_000, restoreTimeoutMs: 60_000 };
  const log = createLogger('bench', { level: 'error' });
  const persistence = new Persistence({ ...settings, store, metrics, log, clock: systemClock });
  await persistence.restore(new AbortController().signal);
  return { store, persistence };
}

/** Scans and puts the next batch, later than all before. */
function feed(shape: Shape, { store, persistence }: Case): () => void {
  const batch = new Batch();
  const messages = Array.from({ length: BATCHES }, (_, number) => {
    const sourceId = (index: number): string =>
      `${1000 + (((number * ENVELOPES + index) * 7919) % SOURCES)}-8f0d-4d5e-b5a8-6f3b1c1d2e3f`;
    const { bytes } = shape.make(ENVELOPES, { sourceId });
    scanBatch(bytes, batch);
    return { bytes, starts: batch.start.slice(0, ENVELOPES) };
  });
  let round = 0;
  let microseconds = 0;
  return () => {
    const { bytes, starts } = messages[round % BATCHES] as (typeof messages)[number]; // Within.
    round += 1;
    for (const start of starts) {
      microseconds += 1;
      // Each begins with its time, whose varint has nine bytes whatever is added here.
      const low = (microseconds % 2 ** 22) * 1024;
      encodeVarint64(bytes, start + 1, 0x1790_0000 + Math.floor(microseconds / 2 ** 22), low);
    }
    scanBatch(bytes, batch);
    store.put(batch);
    persistence.append(batch);
  };
}

/** A few batches, and a turn of the event loop, as in a process that receives them. */
async function several(next: () => void): Promise<void> {
  for (let count = 0; count < TURNS_BETWEEN; count += 1) next();
  await turn();
}

interface Cost {
  /** Microseconds. */
  readonly cpu: number;
  readonly wallMs: number;
}

async function timed(work: () => Promise<void>): Promise<Cost> {
  const began = performance.now();
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return { cpu: user + system, wallMs: performance.now() - began };
}

function tell(
  what: string,
  { cpu, wallMs }: Cost,
  { size, wireBytes }: { readonly size: number; readonly wireBytes: number },
): void {
  const columns = [
    `${(cpu / size).toFixed(2)} CPU-µs per envelope`,
    `${((wallMs / 1000) * (GIBIBYTE / wireBytes)).toFixed(1)} s for 1 GiB`,
    `${size} envelopes`,
  ];
  process.stdout.write(`  ${what.padEnd(20)} ${columns.join(', ')}\n`);
}
