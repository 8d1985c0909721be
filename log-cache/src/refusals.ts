/** What a node says no to, as opposed to what keeps it from answering. */

import { type ServiceError, status } from '@grpc/grpc-js';
import { connectionError, goWords } from './go-words.ts';
import { ReadError } from './read-error.ts';

const REFUSALS: ReadonlySet<status> = new Set([
  status.RESOURCE_EXHAUSTED,
  status.INVALID_ARGUMENT,
  status.UNKNOWN,
]);

const HUNG_UP = 'it hung up at once, as when only one of the two speaks TLS';

/** The ReadError that an error is, or that a node of the cluster meant by it; else undefined. */
export function refusalOf(error: unknown): ReadError | undefined {
  if (error instanceof ReadError) return error;
  if (!isServiceError(error) || !REFUSALS.has(error.code)) return undefined;
  return new ReadError(error.code, error.details, { cause: error });
}

/**
 * Why a call failed, in words for whoever asked: Go's, where it has any, and else of a node that can't
 * be reached without what grpc-js puts around the reason.
 */
export function reasonOf(error: ServiceError): string {
  const words = goWords(error);
  if (words !== undefined) return words;
  const reason = connectionError(error.details);
  if (reason === undefined) return error.details;
  return `the log cache can't be reached: ${reason.startsWith('Failed to connect') ? HUNG_UP : reason}`;
}

/** Whether a gRPC call failed with this. ReadErrors have a code, too, but no details. */
export function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && 'code' in error && 'details' in error;
}
