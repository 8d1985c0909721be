/**
 * How an answer over gRPC says which nodes are missing in it: trailing metadata, which old clients
 * pass over, with each as ZONE/INDEX.
 */

import { Metadata } from '@grpc/grpc-js';

const PARTIAL_KEY = 'standpipe-partial';

export function partialTrailer(unreachable: readonly string[]): Metadata {
  const trailer = new Metadata();
  if (unreachable.length > 0) trailer.set(PARTIAL_KEY, unreachable.join(','));
  return trailer;
}

/** The nodes that a trailer names. */
export function missingIn(trailer: Metadata): readonly string[] {
  return trailer
    .get(PARTIAL_KEY)
    .flatMap((value) => String(value).split(','))
    .map((name) => name.trim())
    .filter((name) => name !== '');
}
