/** Why a read has no answer: a gRPC status, and its text. */

import { status } from '@grpc/grpc-js';

export class ReadError extends Error {
  override readonly name = 'ReadError';
  readonly code: status;

  constructor(code: status, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Why a read has no answer whose asker has left; nobody is there to be told. */
export function canceled(): ReadError {
  return new ReadError(status.CANCELLED, 'context canceled');
}

/** Why a call has no answer that had to be there by now. */
export function deadlineExceeded(): ReadError {
  return new ReadError(status.DEADLINE_EXCEEDED, 'context deadline exceeded');
}
