/**
 * How long an answer is wanted: until whoever asked leaves, or waits no more.
 *
 *     asker ══ 10 s ══▶ node ══ 9 s, and at most what a read may take ══▶ owners
 *
 * Whoever asks others for an asker gives them less time than he has. What they lack is then named in
 * an answer that still reaches him; with as much, his time would be over when theirs is.
 */

import type * as grpc from '@grpc/grpc-js';

export interface Until {
  /** Aborted when whoever asked has left. */
  readonly gone?: AbortSignal | undefined;
  /** When he waits no more; milliseconds since 1970. */
  readonly deadlineMs?: number | undefined;
}

/** What others may take of an asker's time. */
const OTHERS_PART = 0.9;

/** Until when others are asked for one who waits so long. */
export function untilForOthers({ gone, deadlineMs }: Until): Until {
  if (deadlineMs === undefined) return { gone };
  const now = Date.now();
  return { gone, deadlineMs: now + (deadlineMs - now) * OTHERS_PART };
}

type Call = Pick<grpc.ServerUnaryCall<Buffer, Buffer>, 'on' | 'getDeadline'>;

/** Until the caller cancels, or waits no more. */
export function untilOf(call: Call): Until {
  const gone = new AbortController();
  call.on('cancelled', () => gone.abort());
  return { gone: gone.signal, deadlineMs: deadlineOf(call) };
}

/** Undefined, when the caller has set none. */
export function deadlineOf(call: Pick<Call, 'getDeadline'>): number | undefined {
  const deadlineMs = Number(call.getDeadline()); // A Date, milliseconds, or infinity.
  return Number.isFinite(deadlineMs) ? deadlineMs : undefined;
}
