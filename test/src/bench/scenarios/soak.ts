/**
 * One Doppler under a steady load for as long as is asked for: whether its memory stays flat, and
 * how long its event loop stood still. `--seconds 600` is what it is for; what grows once the cache
 * is full is compared.
 */

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { measure, warmUp } from '../flow.ts';
import { throughDoppler } from '../flows.ts';
import { rssBytes } from '../proc.ts';
import { figuresOf, type Scenario } from '../scenario.ts';

const RATE = { lean: 150_000, cf: 75_000 };
/** What fills the cache, before memory is looked at. */
const FILLING_SECONDS = 8;
const AT_LEAST_SECONDS = 20;
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
    const { pid } = flow.dopplers[0] ?? {};
    await warmUp(flow, asked / 2);
    await flow.feed.ask({ perSecond: asked, seconds: FILLING_SECONDS });
    const [before, pausesBefore] = [await rssBytes(pid), await pauses(file)];

    const usage = await measure(flow, { perSecond: asked, seconds });
    const grown = ((await rssBytes(pid)) - before) / MEBIBYTE;
    const { count, longestMs } = await pauses(file);
    const further = {
      'MiB more than before': grown,
      'pauses over 50 ms': count - pausesBefore.count,
      'longest ms': longestMs,
    };
    return [figuresOf({ shape, detail: `${seconds} s`, asked, usage, further })];
  },
};

async function pauses(file: string): Promise<{ count: number; longestMs: number }> {
  return JSON.parse(await readFile(file, 'utf8'));
}
