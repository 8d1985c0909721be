/** What a node says no to, as opposed to what keeps it from answering. */

import { type ServiceError, status } from '@grpc/grpc-js';
import { canceled, deadlineExceeded, ReadError } from './read-error.ts';

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

/**
 * Why a call failed, in words for whoever asked: of a node that can't be reached without what grpc-js
 * puts around the reason, and in Go's where it was given up here.
 */
export function reasonOf({ code, details }: ServiceError): string {
  if (code === status.DEADLINE_EXCEEDED && details.startsWith('Deadline exceeded after')) {
    return deadlineExceeded().message;
  }
  if (code === status.CANCELLED && /^(Cancelled on client|Call cancelled)/.test(details)) {
    return canceled().message;
  }
  const last = /^No connection established\. Last error: (.*)\. Resolution note: /s.exec(
    details,
  )?.[1];
  if (last === undefined) return details;
  const reason = last.startsWith('Failed to connect')
    ? 'it hung up at once, as when only one of the two speaks TLS'
    : last.replace(/^Error: /, '').replace(/ \(\d{4}-\d\d-\d\dT[^)]*\)$/, '');
  return `the log cache can't be reached: ${reason}`;
}

/** Whether a gRPC call failed with this. ReadErrors have a code, too, but no details. */
export function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && 'code' in error && 'details' in error;
}
