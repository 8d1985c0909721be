/**
 * Readers of the log cache's REST API: each asks for the newest lines of one source, as often as it
 * is told, and waits for each answer. The time of an answer counts from when it was due, so one that
 * is late because the one before was late is late.
 */

import { Agent, request } from 'node:http';
import { createHistogram } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { type PollCommand, type PollOptions, type Report, sourceOf } from '../worker.ts';
import { optionsOf, serve } from './serve.ts';

const { address, sources, readers, limit } = optionsOf<PollOptions>();
const agent = new Agent({ keepAlive: true, maxSockets: readers });

serve<PollCommand>(async (command): Promise<Report> => {
  const histogram = createHistogram();
  let reads = 0;
  const one = async (index: number): Promise<void> => {
    const startedAt = performance.now() + (command.everyMs * index) / readers;
    const until = performance.now() + command.seconds * 1000;
    for (let due = startedAt; due < until; due += command.everyMs) {
      await sleep(Math.max(0, due - performance.now()));
      await read(sourceOf(index % sources));
      histogram.record(Math.max(1, Math.round((performance.now() - due) * 1000)));
      reads += 1;
    }
  };
  await Promise.all(Array.from({ length: readers }, (_, index) => one(index)));
  return {
    envelopes: reads * limit,
    p50Ms: histogram.percentile(50) / 1000,
    p99Ms: histogram.percentile(99) / 1000,
  };
});

/** Reads one source; an answer with fewer envelopes than were asked for is a mistake. */
function read(source: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const url = `http://${address}/api/v1/read/${source}?limit=${limit}&descending=true`;
    request(url, { agent }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const found = Buffer.concat(chunks).toString('latin1').split('"timestamp"').length - 1;
        if (found === limit) resolve();
        else reject(new Error(`${url} answered ${response.statusCode} with ${found} envelopes`));
      });
    })
      .on('error', reject)
      .end();
  });
}
