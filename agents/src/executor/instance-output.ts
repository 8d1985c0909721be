/**
 * Carries what an instance writes, from its pipe into its log.
 *
 *     pipe ──▶ lines ──▶ envelopes ──▶ the client's queue ──▶ agent
 *
 * A program can write faster than an agent takes, so when much waits for an agent that is there,
 * the pipe is left unread until it has been sent: the program then waits in its own write, as it
 * would for a slow terminal. But it never waits for long, nor for an agent that is away: after a
 * second the pipe is read again, and the client's queue drops its oldest envelopes, and counts.
 */

import type { Socket } from 'node:net';
import type { Clock } from '@standpipe/plumbing';

/** With more envelopes than this waiting for the agent, instances have to wait. */
const WAITING_MAX = 5_000;
/** The longest that they wait at a time. */
const WAIT_LIMIT_MS = 1_000;

/** Where envelopes go: an IngressClient. */
export interface Outlet {
  /** Takes a bare Envelope, whose bytes it copies. */
  emit(envelope: Uint8Array): void;
  /** Envelopes that have not been sent. */
  readonly waiting: number;
  readonly isConnected: boolean;
  /** Resolves when all that waits has been sent or dropped. */
  flush(): Promise<void>;
}

export interface OutputOptions {
  readonly reader: Socket;
  readonly into: { push(chunk: Buffer): void; flush(): void };
  readonly outlet: Outlet;
  readonly clock: Clock;
}

/** Reads until the pipe is closed at either end. */
export async function carryOutput({ reader, into, outlet, clock }: OutputOptions): Promise<void> {
  const closed = new Promise<void>((resolve) => void reader.once('close', () => resolve()));
  reader.on('error', () => undefined); // It is closed then, too.
  reader.on('data', (chunk: Buffer) => {
    into.push(chunk);
    if (outlet.waiting <= WAITING_MAX || !outlet.isConnected) return;
    reader.pause();
    const limit = new AbortController();
    const limited = clock.sleep(WAIT_LIMIT_MS, limit.signal);
    void Promise.race([outlet.flush(), closed, limited]).then(() => {
      limit.abort();
      reader.resume();
    });
  });
  await closed;
  into.flush();
}
