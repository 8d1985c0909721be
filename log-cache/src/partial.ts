/**
 * How an answer says which nodes are missing in it, each as ZONE/INDEX: by a header over HTTP, by
 * trailing metadata of the same name over gRPC. Old clients pass over both.
 */

import { Metadata } from '@grpc/grpc-js';

const PARTIAL = 'Standpipe-Partial';

/** The header that an answer has if nodes are missing in it. */
export function partialHeader(unreachable: readonly string[]): Readonly<Record<string, string>> {
  return unreachable.length > 0 ? { [PARTIAL]: unreachable.join(',') } : {};
}

export function partialTrailer(unreachable: readonly string[]): Metadata {
  const trailer = new Metadata();
  if (unreachable.length > 0) trailer.set(PARTIAL, unreachable.join(','));
  return trailer;
}

/** The nodes that a trailer names. */
export function missingIn(trailer: Metadata): readonly string[] {
  return trailer
    .get(PARTIAL)
    .flatMap((value) => String(value).split(','))
    .map((name) => name.trim())
    .filter((name) => name !== '');
}
