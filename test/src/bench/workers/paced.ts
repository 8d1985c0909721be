/** Sends at a steady rate: what is due at each tick goes out at once. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { LoadCommand } from '../worker.ts';

const TICK_MS = 4;

/**
 * Calls `send` as often as the rate asks for, `size` at a time, and returns how many were sent.
 * What `send` waits for holds up the rest, and then less than was asked for is sent.
 */
export async function paced(
  { perSecond, seconds }: LoadCommand,
  size: number,
  send: () => Promise<unknown> | undefined,
): Promise<number> {
  const startedAt = performance.now();
  let sent = 0;
  for (;;) {
    const elapsed = (performance.now() - startedAt) / 1000;
    if (elapsed >= seconds) return sent;
    for (const due = elapsed * perSecond; sent < due; sent += size) await send();
    await sleep(TICK_MS);
  }
}
