/**
 * What keeping an envelope costs: CPU per put and bytes per envelope, in a full store.
 *
 *     npm run bench -- store
 *
 * The store is filled to its budget first, so each put also pays for what has to go. Scanning is
 * not counted here (protos has its own benchmark). The process's CPU time includes the garbage
 * collector's threads.
 */

import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout } from 'node:timers/promises';
import { Metrics } from '@standpipe/plumbing';
import { Batch, type PackedBatch, scanBatch } from '@standpipe/protos';
import { cfBatch, leanBatch, randomFrom, type ShapeOptions } from '@standpipe/protos/testing';
import { LocalReader } from './local-reader.ts';
import { readRequest } from './reader.ts';
import { Store } from './store.ts';
import { writeTime } from './time-field.ts';

const BUDGET_BYTES = 64 * 2 ** 20;
const RESIDENT_BUDGET_BYTES = 256 * 2 ** 20;
const MAX_PER_SOURCE = 10_000_000;
const ENVELOPES = 100;
const BATCHES = 64;
const PAUSES_MS = 3000;
/** What the timestamp takes, the first field of each envelope. */
const TIME_BYTES = 10;

type Shape = (count: number, options: ShapeOptions) => PackedBatch;

const shuffle = randomFrom(1);
const ANY_ORDER = 'cf, tags in any order';
const shapes: readonly [string, Shape][] = [
  ['lean, 282 bytes', leanBatch],
  ['cf, 712 bytes', cfBatch],
  [ANY_ORDER, (count, options) => cfBatch(count, { ...options, shuffle })],
];
const spreads: readonly [string, number][] = [
  ['one source', 1],
  ['100 sources, mixed', 100],
  ['10,000 sources, mixed', 10_000],
];

export async function main(): Promise<void> {
  residentMemory();
  await pauses();
  for (const [shapeName, shape] of shapes) {
    for (const [spreadName, sources] of spreads) {
      const put = filledStore(shape, sources, shapeName === ANY_ORDER);
      const columns = [
        `put, ${shapeName}, ${spreadName}`.padEnd(44),
        `${cpuPerPut(put.next).toFixed(3).padStart(9)} CPU-µs per envelope`,
        `${put.bytesPerEnvelope().toFixed(0).padStart(6)} bytes each`,
      ];
      process.stdout.write(`  ${columns.join(' ')}\n`);
    }
  }
}

/** What the process grows by for each envelope, in a store of the default budget that is full. */
function residentMemory(): void {
  const kept: Store[] = []; // Lest the memory of one is used for the next.
  for (const [shapeName, shape] of shapes) {
    const batches = batchesOf(shape, 100);
    const before = process.memoryUsage.rss();
    const store = newStore(RESIDENT_BUDGET_BYTES);
    kept.push(store);
    const next = putter(store, batches);
    while (store.usedBytes < 0.99 * store.limitBytes) next();
    for (let round = 0; round < 2000; round += 1) next();
    const grown = process.memoryUsage.rss() - before;
    const part = (grown / RESIDENT_BUDGET_BYTES) * 100;
    print(`RSS, ${shapeName}, 100 sources`, [
      `${(grown / store.size).toFixed(0).padStart(9)} bytes for each of ${store.size}`,
      `${part.toFixed(0)} % of the budget`,
    ]);
  }
}

/** How long the event loop stands still at 100,000 puts a second, in a full store that is read. */
async function pauses(): Promise<void> {
  const metrics = new Metrics({ origin: 'bench' });
  const store = newStore(BUDGET_BYTES, metrics);
  const batches = batchesOf(leanBatch, 100);
  const next = putter(store, batches);
  while (store.expired === 0) next();
  const reader = new LocalReader({ store, metrics });
  const sources = [...store.meta().keys()];
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  let longest = 0;
  const start = performance.now();
  let put = 0;
  let reads = 0;
  for (let now = start; now < start + PAUSES_MS; now = performance.now()) {
    const before = process.cpuUsage();
    for (; put < (now - start) * 100; put += ENVELOPES) next();
    const request = readRequest(sources[reads % sources.length] ?? '', { limit: 1000n });
    await reader.read(request);
    reads += 1;
    const { user, system } = process.cpuUsage(before);
    longest = Math.max(longest, (user + system) / 1000);
    await setTimeout(1);
  }
  delay.disable();
  print('100,000 puts a second while reading', [
    `longest pause ${(delay.max / 1e6).toFixed(1)} ms`,
    `99 % below ${(delay.percentile(99) / 1e6).toFixed(1)} ms`,
    `longest turn ${longest.toFixed(1)} CPU-ms`,
    `${reads} reads of 1000`,
  ]);
}

function print(name: string, columns: readonly string[]): void {
  process.stdout.write(`  ${name.padEnd(44)} ${columns.join(', ')}\n`);
}

/** A store at its budget, and a function that puts the next batch, later than all before. */
function filledStore(
  shape: Shape,
  sources: number,
  isAnyOrder: boolean,
): { next: () => void; bytesPerEnvelope: () => number } {
  const store = newStore(BUDGET_BYTES);
  const next = putter(store, batchesOf(shape, sources), isAnyOrder);
  while (store.expired === 0) next();
  return { next, bytesPerEnvelope: () => store.usedBytes / store.size };
}

function newStore(memoryLimitBytes: number, metrics = new Metrics({ origin: 'bench' })): Store {
  const maxBytesPerSource = memoryLimitBytes;
  return new Store({ memoryLimitBytes, maxBytesPerSource, maxPerSource: MAX_PER_SOURCE, metrics });
}

function batchesOf(shape: Shape, sources: number): Batch[] {
  return Array.from({ length: BATCHES }, (_, number) => {
    const batch = new Batch();
    const sourceId = (index: number): string =>
      `${1_000_000 + (((number * ENVELOPES + index) * 7919) % sources)}-8f0d-4d5e-b5a8-6f3b1c1d2e3f`;
    scanBatch(shape(ENVELOPES, { sourceId }).bytes, batch);
    return batch;
  });
}

/**
 * Puts the next of the batches, later than all before. A put may write their tags in another order:
 * if they are to come in any, they are copied anew, which counts as a part of the put.
 */
function putter(store: Store, batches: readonly Batch[], isAnyOrder = false): () => void {
  const fresh = isAnyOrder ? batches.map(({ bytes }) => Buffer.from(bytes)) : [];
  let turn = 0;
  return () => {
    const batch = batches[turn % BATCHES] as Batch; // Within the array.
    if (isAnyOrder) batch.bytes.set(fresh[turn % BATCHES] as Buffer); // As many as batches.
    turn += 1;
    restamp(batch, turn * ENVELOPES);
    store.put(batch);
  };
}

/** A microsecond per envelope: the batches are the same, the times go on, also in their bytes. */
function restamp(batch: Batch, first: number): void {
  for (let row = 0; row < batch.count; row += 1) {
    const time = first + row;
    const high = 0x1790_0000 + Math.floor(time / 2 ** 22);
    const low = (time % 2 ** 22) * 1024;
    batch.timeHigh[row] = high;
    batch.timeLow[row] = low;
    writeTime(batch.bytes, (batch.start[row] ?? 0) + TIME_BYTES, high, low);
  }
}

/** CPU-µs per envelope. */
function cpuPerPut(next: () => void): number {
  const rounds = 8000;
  for (let round = 0; round < rounds / 4; round += 1) next();
  const before = process.cpuUsage();
  for (let round = 0; round < rounds; round += 1) next();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / (rounds * ENVELOPES);
}
