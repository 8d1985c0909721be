/** The gRPC status that a method ends with for an error. */

import * as grpc from '@grpc/grpc-js';
import { MalformedError } from './messages.ts';
import { ReadError } from './read-error.ts';

export function statusOf(error: unknown): Partial<grpc.StatusObject> {
  if (error instanceof ReadError) return { code: error.code, details: error.message };
  const text = error instanceof Error ? error.message : String(error);
  const isTheirs = error instanceof MalformedError;
  const details = isTheirs ? `grpc: error unmarshalling request: ${text}` : text;
  return { code: grpc.status.INTERNAL, details };
}
