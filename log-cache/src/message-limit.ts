/**
 * How large a message of the log cache may be: 50 MiB, as the original's servers and clients have it.
 *
 * What the rest of the pipeline says to each other is smaller. An answer beyond the limit is refused
 * with RESOURCE_EXHAUSTED in the words of the original's client, which REST says as 429, and on which
 * the cf CLI asks for half.
 */

import { status } from '@grpc/grpc-js';
import { varintSize } from '@standpipe/protos';
import { ReadError } from './read-error.ts';

export const LOG_CACHE_MESSAGE_BYTES: number = 50 * 1024 * 1024;

/** Throws a ReadError, if a batch of so many bytes fits no ReadResponse. */
export function checkReadBytes(batchBytes: number): void {
  const byteLength = 1 + varintSize(batchBytes) + batchBytes;
  if (byteLength > LOG_CACHE_MESSAGE_BYTES) throw tooLarge(byteLength);
}

export function tooLarge(byteLength: number): ReadError {
  return new ReadError(
    status.RESOURCE_EXHAUSTED,
    `grpc: received message larger than max (${byteLength} vs. ${LOG_CACHE_MESSAGE_BYTES})`,
  );
}
