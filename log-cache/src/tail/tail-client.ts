/**
 * The client's side of standpipe.v1.Tails: one stream of one node.
 *
 * While whoever reads does not, neither is the stream, and what is too much drops at the owner, which
 * says so in the stream. Ends when the node ends it; rejects with the gRPC ServiceError.
 */

import * as grpc from '@grpc/grpc-js';
import { tailsService } from '@standpipe/protos';
import { LOCAL_KEY } from '../local-key.ts';
import { decodeTailResponse, encodeTailRequest } from './messages.ts';
import type { ZoneChunk, ZonesRequest } from './tail.ts';

export interface TailCallOptions {
  /** Tail the node's own store only. */
  readonly local: boolean;
  readonly gone: AbortSignal;
}

export async function* tailOver(
  client: grpc.Client,
  request: ZonesRequest,
  { local, gone }: TailCallOptions,
): AsyncGenerator<ZoneChunk> {
  if (gone.aborted) return;
  const metadata = new grpc.Metadata();
  if (local) metadata.set(LOCAL_KEY, 'true');
  const { path, requestSerialize, responseDeserialize } = tailsService.tail;
  const call = client.makeServerStreamRequest(
    path,
    requestSerialize,
    responseDeserialize,
    encodeTailRequest(request),
    metadata,
  );
  const cancel = (): void => call.cancel();
  gone.addEventListener('abort', cancel, { once: true });
  call.on('error', () => undefined); // The loop hears of it, unless it has ended.
  try {
    for await (const bytes of call) yield decodeTailResponse(bytes);
  } catch (error) {
    if (!gone.aborted) throw error;
  } finally {
    gone.removeEventListener('abort', cancel);
    call.cancel();
  }
}
