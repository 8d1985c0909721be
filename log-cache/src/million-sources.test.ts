/** In a file of its own, because it takes some seconds. */

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Batch, scanBatch } from '@standpipe/protos';
import { leanBatch } from '@standpipe/protos/testing';
import test from 'ava';
import { line, testStore, times } from './testing.ts';

const SOURCES = 1_000_000;
const PER_BATCH = 1000;
const MIB = 2 ** 20;

test('a million sources take no more memory than the store may have', async (t) => {
  t.timeout(300_000);
  const memoryLimitBytes = 2 * MIB;
  const maxSources = 2000;
  const { store, put, read } = testStore({ memoryLimitBytes, maxSources });
  for (let n = 0; n < 100; n += 1) put(line('busy', n));
  const batch = new Batch();
  const heapBytes = usedHeapBytes();
  for (let first = 0; first < SOURCES; first += PER_BATCH) {
    scanBatch(leanBatch(PER_BATCH, { sourceId: (n) => `source-${first + n}` }).bytes, batch);
    store.put(batch);
    if (first % 100_000 === 0) put(line('busy', 100 + first));
  }
  t.true(store.sourceCount <= maxSources, String(store.sourceCount));
  t.true(store.usedBytes <= memoryLimitBytes, String(store.usedBytes));
  t.is(store.size + store.expired, 100 + SOURCES + 10);
  t.is(store.meta().size, store.sourceCount);
  const grownBytes = usedHeapBytes() - heapBytes;
  t.true(grownBytes < 16 * MIB, `the heap has grown by ${grownBytes} bytes`);
  t.deepEqual(times(await read('busy', { limit: 2n, descending: true })), [900_100, 800_100]);
});

/** Of what is still needed. */
function usedHeapBytes(): number {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void; // There, once it is exposed.
  collect();
  return process.memoryUsage().heapUsed;
}
