/** What a node says no to, as opposed to what keeps it from answering. */

import { type ServiceError, status } from '@grpc/grpc-js';
import { ReadError } from './read-error.ts';

const REFUSALS: ReadonlySet<status> = new Set([
  status.RESOURCE_EXHAUSTED,
  status.INVALID_ARGUMENT,
  status.UNKNOWN,
]);

/** The ReadError that an error is, or that a node of the cluster meant by it; else undefined. */
export function refusalOf(error: unknown): ReadError | undefined {
  if (error instanceof ReadError) return error;
  if (!isServiceError(error) || !REFUSALS.has(error.code)) return undefined;
  return new ReadError(error.code, error.details, { cause: error });
}

/** Whether a gRPC call failed with this. ReadErrors have a code, too, but no details. */
export function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && 'code' in error && 'details' in error;
}
