/**
 * Fills the caches of Dopplers before anything is measured, as any is full that has run for a day:
 * until then each envelope costs the first touch of its memory besides, and gives nobody else's up.
 * It is some seconds of as much load as they take, in which their code is compiled for good.
 *
 * A subscriber that is slow may miss some of it meanwhile; what hangs such up is to come afterwards.
 */

import type { ManagedProcess } from '../process.ts';
import { peerOf, type Stage } from './stage.ts';
import type { Shape } from './worker.ts';

const RATE = { lean: 150_000, cf: 75_000 };
const SOURCES = 100;
const PER_MESSAGE = 100;
const STEP_SECONDS = 0.5;
const STEPS_AT_LEAST = 6;
const STEPS_MAX = 80;
/** The metric of envelopes that had to make room for others. */
const EXPIRED = /^log_cache_expired(?:\{.*\})? ([\d.e+]+)$/m;

export async function fillCaches(
  stage: Stage,
  dopplers: readonly ManagedProcess[],
  shape: Shape,
): Promise<void> {
  const peers = dopplers.map((doppler) => peerOf(doppler, 'doppler'));
  const choice = { shape, sources: SOURCES, perMessage: PER_MESSAGE };
  await using feed = await stage.worker('load', { peers, tls: stage.tls(), ...choice });
  for (let step = 1; step <= STEPS_MAX; step += 1) {
    await feed.ask({ perSecond: RATE[shape], seconds: STEP_SECONDS });
    const full = await Promise.all(dopplers.map(isFull));
    if (step >= STEPS_AT_LEAST && full.every(Boolean)) return;
  }
  throw new Error('the cache of a Doppler did not become full');
}

async function isFull(doppler: ManagedProcess): Promise<boolean> {
  const response = await fetch(`http://${doppler.address('metrics')}/metrics`);
  return Number(EXPIRED.exec(await response.text())?.[1] ?? 0) > 0;
}
