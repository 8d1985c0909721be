/** What a Doppler's memory comes to when sources never stop coming, at the settings it has by itself. */

import { eventually } from '@standpipe/plumbing/testing';
import { ingressService } from '@standpipe/protos';
import { leanBatch } from '@standpipe/protos/testing';
import test from 'ava';
import { peakRssBytes } from '../bench/proc.ts';
import { startLoneDoppler } from '../lone-doppler.ts';
import type { ManagedProcess } from '../process.ts';
import { page, sumOf } from '../start/rates.ts';

const SOURCES = 1_000_000;
const PER_BATCH = 1000;
const PER_STREAM = 100;
/** Twice what the cache may take by itself, and a heap that knows a hundred thousand sources twice. */
const RSS_BYTES_MAX = 640 * 2 ** 20;
const KNOWN = 100_000;

test.serial(
  'a million sources that come one after another leave a Doppler its memory',
  async (t) => {
    t.timeout(300_000);
    const { doppler, caller } = await startLoneDoppler(t);
    using sender = caller();
    for (let first = 0; first < SOURCES; first += PER_BATCH * PER_STREAM) {
      const messages = Array.from({ length: PER_STREAM }, (_, number) => {
        const from = first + number * PER_BATCH;
        return leanBatch(PER_BATCH, { sourceId: (index) => idOf(from + index) }).bytes;
      });
      await sender.stream(ingressService.batchSender, messages);
    }
    await eventually(async () => sumOf(await page(doppler), 'log_cache_ingress') === SOURCES);

    const answers = await Promise.all(Array.from({ length: 3 }, () => readMeta(doppler)));
    for (const ids of answers) {
      t.is(ids.length, KNOWN);
      t.true(ids.includes(idOf(SOURCES - 1)));
    }
    const bytes = await peakRssBytes(doppler.pid);
    t.true(bytes < RSS_BYTES_MAX, `it took ${bytes} bytes`);
  },
);

async function readMeta(doppler: ManagedProcess): Promise<string[]> {
  const response = await fetch(`http://${doppler.address('http')}/api/v1/meta`);
  const { meta } = (await response.json()) as { readonly meta: object };
  return Object.keys(meta);
}

function idOf(number: number): string {
  return `${String(number).padStart(8, '0')}-8f0d-4d5e-b5a8-6f3b1c1d2e3f`;
}
