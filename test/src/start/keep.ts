/**
 * Starts the processes of a local pipeline again when they end, and says so.
 *
 * What ends at once is tried again after a pause that grows, so a broken process costs little.
 */

import { setMaxListeners } from 'node:events';
import { Backoff, systemClock } from '@standpipe/plumbing';
import type { ManagedProcess } from '../process.ts';

const LOOK_INTERVAL_MS = 500;
const PAUSE_FIRST_MS = 500;
const PAUSE_MAX_MS = 30_000;
/** A process that has run for so long was not broken from the start. */
const STEADY_MS = 60_000;

/** Keeps all of them running until it is disposed of; `say` hears a line for each that ended. */
export function keepRunning(
  processes: readonly ManagedProcess[],
  say: (line: string) => void,
): AsyncDisposable {
  const stop = new AbortController();
  setMaxListeners(processes.length + 1, stop.signal);
  const keeping = Promise.all(processes.map((managed) => keep(managed, say, stop.signal)));
  return {
    async [Symbol.asyncDispose](): Promise<void> {
      stop.abort();
      await keeping;
    },
  };
}

async function keep(
  managed: ManagedProcess,
  say: (line: string) => void,
  stop: AbortSignal,
): Promise<void> {
  const backoff = new Backoff({ firstMs: PAUSE_FIRST_MS, maxMs: PAUSE_MAX_MS });
  const { name } = managed.spec;
  let startedAt = systemClock.now();
  for (;;) {
    await systemClock.sleep(LOOK_INTERVAL_MS, stop);
    if (stop.aborted) return;
    if (managed.isRunning) continue;
    if (systemClock.now() - startedAt >= STEADY_MS) backoff.reset();
    say(`${name} ${managed.ending}; starting it again`);
    await systemClock.sleep(backoff.next(), stop);
    if (stop.aborted) return;
    startedAt = systemClock.now();
    await managed.start().then(
      () => say(`${name} is back`),
      (error: Error) => say(error.message),
    );
  }
}
