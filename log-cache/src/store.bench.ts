/**
 * What keeping an envelope costs: CPU per put and bytes per envelope, in a full store.
 *
 *     npm run bench -- store
 *
 * The store is filled to its budget first, so each put also pays for what has to go. Scanning is
 * not counted here (protos has its own benchmark). The process's CPU time includes the garbage
 * collector's threads.
 */

import { Metrics } from '@standpipe/plumbing';
import { Batch, type PackedBatch, scanBatch } from '@standpipe/protos';
import { cfBatch, leanBatch } from '@standpipe/protos/testing';
import { Store } from './store.ts';
import { writeTime } from './time-field.ts';

const BUDGET_BYTES = 64 * 2 ** 20;
const ENVELOPES = 100;
const BATCHES = 64;
/** What the timestamp takes, the first field of each envelope. */
const TIME_BYTES = 10;

type Shape = (count: number, options: { sourceId?: (index: number) => string }) => PackedBatch;

const shapes: readonly [string, Shape][] = [
  ['lean, 282 bytes', leanBatch],
  ['cf, 712 bytes', cfBatch],
];
const spreads: readonly [string, number][] = [
  ['one source', 1],
  ['100 sources, mixed', 100],
  ['10,000 sources, mixed', 10_000],
];

export function main(): void {
  for (const [shapeName, shape] of shapes) {
    for (const [spreadName, sources] of spreads) {
      const put = filledStore(shape, sources);
      const columns = [
        `put, ${shapeName}, ${spreadName}`.padEnd(44),
        `${cpuPerPut(put.next).toFixed(3).padStart(9)} CPU-µs per envelope`,
        `${put.bytesPerEnvelope().toFixed(0).padStart(6)} bytes each`,
      ];
      process.stdout.write(`  ${columns.join(' ')}\n`);
    }
  }
}

/** A store at its budget, and a function that puts the next batch, later than all before. */
function filledStore(
  shape: Shape,
  sources: number,
): { next: () => void; bytesPerEnvelope: () => number } {
  const store = new Store({
    memoryLimitBytes: BUDGET_BYTES,
    metrics: new Metrics({ origin: 'bench' }),
  });
  const batches: Batch[] = [];
  for (let number = 0; number < BATCHES; number += 1) {
    const batch = new Batch();
    const sourceId = (index: number): string =>
      `${1_000_000 + (((number * ENVELOPES + index) * 7919) % sources)}-8f0d-4d5e-b5a8-6f3b1c1d2e3f`;
    scanBatch(shape(ENVELOPES, { sourceId }).bytes, batch);
    batches.push(batch);
  }
  let turn = 0;
  const next = (): void => {
    const batch = batches[turn % BATCHES] as Batch; // Within the array.
    turn += 1;
    restamp(batch, turn * ENVELOPES);
    store.put(batch);
  };
  while (store.expired === 0) next();
  return { next, bytesPerEnvelope: () => store.usedBytes / store.size };
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
  const rounds = 20_000;
  for (let round = 0; round < rounds / 4; round += 1) next();
  const before = process.cpuUsage();
  for (let round = 0; round < rounds; round += 1) next();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / (rounds * ENVELOPES);
}
