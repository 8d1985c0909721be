/**
 * One Doppler under a steady load for as long as is asked for: whether its memory stays flat, and
 * how long its event loop stood still meanwhile. `--seconds 600` is what it is for.
 *
 * Memory goes up and down with the collector, so that of the first fifth is compared with that of
 * the last. The cache is full before.
 */

import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { measure, warmUp } from '../flow.ts';
import { throughDoppler } from '../flows.ts';
import { rssBytes } from '../proc.ts';
import { figuresOf, type Scenario } from '../scenario.ts';

const RATE = { lean: 150_000, cf: 75_000 };
const AT_LEAST_SECONDS = 20;
const SAMPLES = 100;
const MEBIBYTE = 1024 * 1024;

export const soak: Scenario = {
  name: 'soak',
  about: 'a steady load for --seconds 600',
  shapes: ['lean'],
  async play({ stage, shape, seconds: wanted, rateFactor }) {
    const seconds = Math.max(AT_LEAST_SECONDS, wanted);
    const asked = RATE[shape] * rateFactor;
    const file = join(stage.folder, 'pauses.json');
    const watch = new URL(`../pauses.js?file=${pathToFileURL(file).pathname}`, import.meta.url);
    const flow = await throughDoppler(stage, shape, { nodeOptions: ['--import', watch.href] });
    await warmUp(flow, asked);
    await rm(file, { force: true }); // The watch begins anew.

    const [usage, memory] = await Promise.all([
      measure(flow, { perSecond: asked, seconds }),
      sampled(() => rssBytes(flow.dopplers[0]?.pid), seconds),
    ]);
    const { count, longestMs } = JSON.parse(await readFile(file, 'utf8'));
    const fifth = Math.floor(SAMPLES / 5);
    const grown = mean(memory.slice(-fifth)) - mean(memory.slice(0, fifth));
    const further = {
      'MiB more in the last fifth': grown / MEBIBYTE,
      'pauses over 50 ms': count,
      'longest ms': longestMs,
    };
    return [figuresOf({ shape, detail: `${seconds} s`, asked, usage, further })];
  },
};

/** What `look` returns at as many moments of the time, one after another. */
async function sampled(look: () => Promise<number>, seconds: number): Promise<number[]> {
  const samples: number[] = [];
  while (samples.length < SAMPLES) {
    samples.push(await look());
    await sleep((seconds * 1000) / SAMPLES);
  }
  return samples;
}

function mean(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0) / numbers.length;
}
