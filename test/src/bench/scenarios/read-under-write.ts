/**
 * Fifty readers of the log cache, each of whom asks for the newest 100 lines of one source ten
 * times a second, while as much is put into it as a busy Doppler takes; and, beside it, while nothing
 * is put: what of the time is the machine's and the readers'.
 */

import { measure, warmUp } from '../flow.ts';
import { throughDoppler } from '../flows.ts';
import { figuresOf, type Scenario } from '../scenario.ts';

const RATE = { lean: 100_000, cf: 50_000 };
const READERS = 50;
const LIMIT = 100;
const EVERY_MS = 100;

export const readUnderWrite: Scenario = {
  name: 'read-under-write',
  about: 'read under write: 50 readers of 100 lines, ten times a second each',
  shapes: ['lean'],
  async play({ stage, shape, seconds, rateFactor }) {
    const asked = RATE[shape] * rateFactor;
    const flow = await throughDoppler(stage, shape);
    const address = flow.dopplers[0]?.address('http') ?? '';
    const poll = { address, sources: 100, readers: READERS, limit: LIMIT };
    const readers = await stage.worker('poll', poll);
    await warmUp(flow, asked);
    await readers.ask({ everyMs: EVERY_MS, seconds: 1 });
    const alone = await readers.ask({ everyMs: EVERY_MS, seconds });

    const [usage, { envelopes, p50Ms = 0, p99Ms = 0 }] = await Promise.all([
      measure(flow, { perSecond: asked, seconds }),
      readers.ask({ everyMs: EVERY_MS, seconds }),
    ]);
    const further = {
      reads: envelopes / LIMIT,
      'read p50 ms': p50Ms,
      'read p99 ms': p99Ms,
      'p99 ms while nothing is put': alone.p99Ms ?? 0,
    };
    return [figuresOf({ shape, detail: '', asked, usage, further })];
  },
};
