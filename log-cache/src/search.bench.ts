/**
 * What a search over a million lines of one source costs, and how long reads and searches keep
 * others waiting while 100,000 envelopes a second are put.
 *
 *     npm run bench -- search
 */

import assert from 'node:assert/strict';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as wait } from 'node:timers/promises';
import { Metrics } from '@standpipe/plumbing';
import { Batch, JsonWriter, scanBatch } from '@standpipe/protos';
import { leanBatch } from '@standpipe/protos/testing';
import { LocalReader } from './local-reader.ts';
import { type ReadRequest, readRequest } from './reader.ts';
import { readBody } from './rest/json.ts';
import { Store } from './store.ts';

const LINES = 1_000_000;
const MEMORY_BYTES = 512 * 2 ** 20;
const PUTS_PER_MS = 100;
const PAUSES_MS = 3000;
const FIRST_TIME = 1_700_000_000_000_000_000n;

const SEARCHES: readonly [string, Partial<ReadRequest>][] = [
  ['contains, nothing found', { contains: 'needle-in-a-haystack' }],
  ['contains, newest first', { contains: 'needle-in-a-haystack', descending: true }],
  ['contains a common word, and something else', { contains: 'line', tags: ['a:b'] }],
  ['matches, nothing found', { matches: 'status=5\\d\\d' }],
  ['matches without regard to case', { matches: '(?i)needle|haystack' }],
  ['tag, nothing found', { tags: ['source_type:NOBODY'] }],
  ['envelope_types, nothing found', { envelopeTypes: [2] }],
];

export async function main(): Promise<void> {
  const metrics = new Metrics({ origin: 'bench' });
  const store = new Store({
    metrics,
    memoryLimitBytes: MEMORY_BYTES,
    maxPerSource: LINES,
    maxBytesPerSource: MEMORY_BYTES,
  });
  const reader = new LocalReader({ store, metrics });
  const batch = new Batch();
  for (let number = 0; number < LINES; number += 100) {
    const timestamp = FIRST_TIME + BigInt(number) * 1_000_000n;
    scanBatch(leanBatch(100, { timestamp, sourceId: () => 'app' }).bytes, batch);
    store.put(batch);
  }
  assert.equal(store.size, LINES, 'all of them are searched');
  for (const [name, fields] of SEARCHES) await searchOnce(reader, name, fields);
  await pauses(store, reader);
}

/** Puts at its rate; reads a thousand lines as JSON again and again, and searches all the time. */
async function pauses(store: Store, reader: LocalReader): Promise<void> {
  const batch = new Batch();
  const { bytes } = leanBatch(100, { sourceId: (index) => `source-${index % 50}` });
  const search = readRequest('app', { matches: 'status=5\\d\\d', limit: 1000n });
  const newest = readRequest('app', { limit: 1000n, descending: true });
  const writer = new JsonWriter();
  let put = 0;
  let reads = 0;
  let searches = 0;
  const overMs = performance.now() + PAUSES_MS;
  const startedMs = performance.now();
  const puts = setInterval(() => {
    for (; put < (performance.now() - startedMs) * PUTS_PER_MS; put += 100) {
      scanBatch(bytes, batch);
      store.put(batch);
    }
  }, 1);
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const until = async (work: () => Promise<void>): Promise<void> => {
    while (performance.now() < overMs) await work();
  };
  await Promise.all([
    until(async () => {
      // On a machine that is busy otherwise, one may take too long and be refused.
      await reader.read(search).catch(() => undefined);
      searches += 1;
    }),
    until(async () => {
      await readBody((await reader.read(newest)).batch, writer);
      reads += 1;
      await wait(10);
    }),
  ]);
  delay.disable();
  clearInterval(puts);
  const ms = (nanoseconds: number): string => (nanoseconds / 1e6).toFixed(1);
  process.stdout.write(
    `  ${put} puts, ${reads} reads of 1000 and ${searches} searches in ${PAUSES_MS} ms: ` +
      `pauses ${ms(delay.percentile(99))} ms at most in 99 %, ${ms(delay.max)} ms the longest\n`,
  );
}

async function searchOnce(
  reader: LocalReader,
  name: string,
  fields: Partial<ReadRequest>,
): Promise<void> {
  const request = readRequest('app', { ...fields, limit: 1000n });
  await reader.read(request);
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const before = process.cpuUsage();
  const { batch: found } = await reader.read(request);
  const { user, system } = process.cpuUsage(before);
  delay.disable();
  const cpuMs = ((user + system) / 1000).toFixed(0).padStart(6);
  const pauseMs = (delay.max / 1e6).toFixed(1).padStart(6);
  process.stdout.write(
    `  ${name.padEnd(46)} ${cpuMs} CPU-ms, longest pause ${pauseMs} ms, found ${found.count}\n`,
  );
}
