/**
 * How long a request is worked for: until its client leaves, or its `Grpc-Timeout` is over, which is
 * read as grpc-gateway reads it: up to eight digits and a unit.
 */

import { status } from '@grpc/grpc-js';
import type { Context } from 'koa';
import { onceClosed } from '../once-closed.ts';
import { deadlineExceeded, ReadError } from '../read-error.ts';
import type { Until } from '../until.ts';

const UNIT_MS: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1000,
  m: 1,
  u: 1e-3,
  n: 1e-6,
};
/** The longest that a timer can wait; nothing here waits so long. */
const TIMEOUT_MS_MAX = 2 ** 31 - 1;

/** Undefined, when the header is not there. */
export function timeoutOf(header: string): number | undefined {
  if (header === '') return undefined;
  const [, digits, unit] = /^(\d{1,8})([HMSmun])$/.exec(header) ?? [];
  if (digits === undefined || unit === undefined) {
    throw new ReadError(status.INVALID_ARGUMENT, `invalid grpc-timeout: ${header}`);
  }
  return Math.min(TIMEOUT_MS_MAX, Number(digits) * (UNIT_MS[unit] ?? 0));
}

/** Aborted when the client leaves before it has been answered. */
export function goneOf({ res }: Context): AbortSignal {
  const gone = new AbortController();
  onceClosed(res, () => {
    if (!res.writableEnded) gone.abort();
  });
  return gone.signal;
}

/**
 * What `call` gives, if it does so in time; else DEADLINE_EXCEEDED. It is told when nobody waits for
 * it any more.
 */
export async function answerOf<T>(
  ctx: Context,
  timeoutMs: number | undefined,
  call: (until: Until) => Promise<T>,
): Promise<T> {
  const left = goneOf(ctx);
  if (timeoutMs === undefined) return call({ gone: left });
  const deadlineMs = Date.now() + timeoutMs;
  const late = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(deadlineExceeded());
      late.abort();
    }, timeoutMs);
  });
  try {
    return await Promise.race([
      call({ gone: AbortSignal.any([left, late.signal]), deadlineMs }),
      limit,
    ]);
  } finally {
    clearTimeout(timer);
  }
}
