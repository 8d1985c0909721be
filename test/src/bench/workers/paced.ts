/** Sends at a steady rate: what is due at each tick goes out at once. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { LoadCommand } from '../worker.ts';

const TICK_MS = 4;
/** How long after the end what was held up may still be sent. */
const GRACE_MS = 100;

/**
 * Calls `send` as often as the rate asks for, `size` at a time, and returns how many were sent.
 * What `send` waits for holds up the rest, and then it takes longer, or less than was asked for is sent.
 */
export async function paced(
  { perSecond, seconds }: LoadCommand,
  size: number,
  send: () => Promise<unknown> | undefined,
): Promise<number> {
  const startedAt = performance.now();
  const giveUpAt = startedAt + seconds * 1000 + GRACE_MS;
  let sent = 0;
  for (;;) {
    const elapsed = Math.min(seconds, (performance.now() - startedAt) / 1000);
    for (const due = elapsed * perSecond; sent < due; sent += size) {
      if (performance.now() > giveUpAt) return sent;
      await send();
    }
    if (elapsed >= seconds) return sent;
    await sleep(Math.min(TICK_MS, (seconds - elapsed) * 1000));
  }
}
