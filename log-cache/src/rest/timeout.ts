/** The `Grpc-Timeout` of a request, as grpc-gateway reads it: up to eight digits and a unit. */

import { status } from '@grpc/grpc-js';
import { ReadError } from '../reader.ts';

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

/** What `promise` gives, if it does so in time; else DEADLINE_EXCEEDED, and the result is dropped. */
export async function within<T>(timeoutMs: number | undefined, promise: Promise<T>): Promise<T> {
  if (timeoutMs === undefined) return promise;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const error = new ReadError(status.DEADLINE_EXCEEDED, 'context deadline exceeded');
    timer = setTimeout(() => reject(error), timeoutMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
