/**
 * The gRPC face of tails: standpipe.v1.Tails, for the nodes of a cluster and those that stand for it.
 *
 * While the peer does not read, nothing is taken from the tail, and what is too much drops in its
 * queue. A call ends well when the node stops; whoever wants to go on opens another.
 */

import type * as grpc from '@grpc/grpc-js';
import type { GrpcService } from '@standpipe/plumbing';
import { tailsService } from '@standpipe/protos';
import { LOCAL_KEY } from '../local-key.ts';
import { statusOf } from '../status-of.ts';
import { decodeTailRequest, encodeTailResponse } from './messages.ts';
import type { Tails } from './tail.ts';

type Call = grpc.ServerWritableStream<Buffer, Buffer>;

export function tailService(options: {
  /** The node's own store, and all nodes. */
  readonly local: Tails;
  readonly cluster: Tails;
}): GrpcService {
  const tail = (call: Call): void => {
    const isLocal = call.metadata.get(LOCAL_KEY).includes('true');
    serve(call, isLocal ? options.local : options.cluster).then(
      () => call.end(),
      (error: unknown) => call.emit('error', statusOf(error)),
    );
  };
  return { definition: tailsService, implementation: { tail } };
}

async function serve(call: Call, tails: Tails): Promise<void> {
  const gone = new AbortController();
  const leave = (): void => gone.abort();
  for (const ending of ['cancelled', 'close', 'error']) call.on(ending, leave);
  const request = decodeTailRequest(call.request);
  for await (const chunk of tails.tail(request, gone.signal)) {
    if (gone.signal.aborted) return;
    if (!call.write(encodeTailResponse(chunk))) await drained(call, gone.signal);
  }
}

/** Resolves when the call takes more, or is over. */
function drained(call: Call, gone: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const go = (): void => {
      call.off('drain', go);
      gone.removeEventListener('abort', go);
      resolve();
    };
    call.on('drain', go);
    gone.addEventListener('abort', go);
    if (gone.aborted) go();
  });
}
