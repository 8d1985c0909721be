/**
 * What a read costs from the store to the JSON of its answer, and meta of ten thousand sources.
 *
 *     npm run bench -- read
 */

import { Metrics } from '@standpipe/plumbing';
import { Batch, JsonWriter, scanBatch } from '@standpipe/protos';
import { cfBatch, leanBatch } from '@standpipe/protos/testing';
import { LocalReader } from '../local-reader.ts';
import { type ReadRequest, readRequest } from '../reader.ts';
import { Store } from '../store.ts';
import { metaBody, readBody } from './json.ts';

const FIRST_TIME = 1_700_000_000_000_000_000n;
const SOURCES = 10_000;

const metrics = new Metrics({ origin: 'bench' });
const writer = new JsonWriter();
const batch = new Batch();

export async function main(): Promise<void> {
  await readBench();
  await metaBench();
}

async function readBench(): Promise<void> {
  for (const [name, shape] of [
    ['lean, 282 bytes', leanBatch],
    ['cf, 712 bytes', cfBatch],
  ] as const) {
    const store = new Store({ metrics });
    const reader = new LocalReader({ store, metrics });
    for (let number = 0; number < 500; number += 1) {
      const timestamp = FIRST_TIME + BigInt(number) * 1_000_000n;
      scanBatch(shape(100, { timestamp, sourceId: () => 'app' }).bytes, batch);
      store.put(batch);
    }
    const reads: readonly [string, Partial<ReadRequest>][] = [
      ['limit 1', { limit: 1n, descending: true }],
      ['limit 100', { limit: 100n, descending: true }],
      ['limit 1000', { limit: 1000n, descending: true }],
      ['limit 1000 from the middle', { limit: 1000n, startTime: FIRST_TIME + 250_000_000n }],
      ['nothing of 50,000 matches', { nameFilter: 'x' }],
    ];
    for (const [what, fields] of reads) {
      const request = readRequest('app', fields);
      const cpuMs = await cpuPerCall(async () => {
        await readBody((await reader.read(request)).batch, writer);
      });
      print(`${name}: read, ${what}`, cpuMs);
    }
  }
}

async function metaBench(): Promise<void> {
  const store = new Store({ metrics });
  for (let number = 0; number < SOURCES; number += 100) {
    scanBatch(leanBatch(100, { sourceId: (index) => guid(number + index) }).bytes, batch);
    store.put(batch);
  }
  const reader = new LocalReader({ store, metrics });
  print(
    `meta of ${SOURCES} sources`,
    await cpuPerCall(async () => {
      await metaBody((await reader.meta()).sources);
    }),
  );
}

/** In no order, as the ids of apps are. */
function guid(number: number): string {
  const hash = (Math.imul(number, 2654435761) >>> 0).toString(16).padStart(8, '0');
  return `${hash}-8f0d-4d5e-b5a8-${hash}6f3b`;
}

function print(name: string, cpuMs: number): void {
  process.stdout.write(`  ${name.padEnd(52)} ${cpuMs.toFixed(3).padStart(9)} CPU-ms\n`);
}

/** Runs for about a second after warming up. */
async function cpuPerCall(call: () => Promise<void>): Promise<number> {
  const warm = performance.now();
  while (performance.now() - warm < 300) await call();
  const before = process.cpuUsage();
  const start = performance.now();
  let calls = 0;
  while (performance.now() - start < 1000) {
    await call();
    calls += 1;
  }
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000 / calls;
}
