/**
 * What a search over a million lines of one source costs, and how long it keeps others waiting.
 *
 *     npm run bench -- search
 */

import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Metrics } from '@standpipe/plumbing';
import { Batch, scanBatch } from '@standpipe/protos';
import { leanBatch } from '@standpipe/protos/testing';
import { LocalReader } from './local-reader.ts';
import { type ReadRequest, readRequest } from './reader.ts';
import { Store } from './store.ts';

const LINES = 1_000_000;
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
  const store = new Store({ metrics, memoryLimitBytes: 512 * 2 ** 20, maxPerSource: LINES });
  const reader = new LocalReader({ store, metrics });
  const batch = new Batch();
  for (let number = 0; number < LINES; number += 100) {
    const timestamp = FIRST_TIME + BigInt(number) * 1_000_000n;
    scanBatch(leanBatch(100, { timestamp, sourceId: () => 'app' }).bytes, batch);
    store.put(batch);
  }
  for (const [name, fields] of SEARCHES) {
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
}
