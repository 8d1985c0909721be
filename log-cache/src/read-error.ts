/** Why a read has no answer: a gRPC status, and its text. */

import type { status } from '@grpc/grpc-js';

export class ReadError extends Error {
  override readonly name = 'ReadError';
  readonly code: status;

  constructor(code: status, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
