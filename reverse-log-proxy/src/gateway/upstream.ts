/**
 * Opening a stream of the reverse log proxy, and knowing whether it was opened.
 *
 * Ours answers a request that it accepts with headers at once, so a refusal is known before the
 * client has been told anything. Loggregator v107.0.21 sends none before its first batch: of a
 * proxy that is connected and has said nothing for a moment, the stream counts as open.
 *
 * A proxy that is away, because it restarts for instance, is waited for: Go's clients try ten times
 * without a pause and then never again. A proxy that refuses is believed at once.
 */

import * as grpc from '@grpc/grpc-js';
import { Backoff, systemClock } from '@standpipe/plumbing';
import { egressService } from '@standpipe/protos';

/** How long a proxy that is connected may take to refuse. */
const REFUSE_LIMIT_MS = 250;

/**
 * How long a connection is waited for before it is asked whether anybody still wants it. Nothing
 * else ends such a wait, so it must be shorter than a process may take to drain.
 */
const CONNECT_SLICE_MS = 500;

/** A stream that the proxy did not give. */
export class ProxyError extends Error {
  readonly code: grpc.status;

  constructor(message: string, options: { readonly code: grpc.status } & ErrorOptions) {
    super(message, options);
    this.name = 'ProxyError';
    this.code = options.code;
  }
}

export interface OpenOptions {
  /** How long the proxy may be away. */
  readonly waitMs: number;
  /** Aborted when nobody wants the stream any more. */
  readonly signal: AbortSignal;
}

/** Opens a stream with an encoded EgressBatchRequest. Rejects with a ProxyError. */
export async function openStream(
  client: grpc.Client,
  request: Buffer,
  { waitMs, signal }: OpenOptions,
): Promise<grpc.ClientReadableStream<Buffer>> {
  const deadline = Date.now() + waitMs;
  const pauses = new Backoff({ firstMs: 20, maxMs: 1000 });
  for (;;) {
    try {
      await connected(client, Math.min(deadline, Date.now() + CONNECT_SLICE_MS));
      return await asked(client, request);
    } catch (error) {
      const isAway = error instanceof ProxyError && error.code === grpc.status.UNAVAILABLE;
      if (!isAway || signal.aborted || Date.now() >= deadline) throw error;
    }
    await systemClock.sleep(pauses.next(), signal);
  }
}

function connected(client: grpc.Client, deadline: number): Promise<void> {
  return new Promise((resolve, reject) => {
    client.waitForReady(deadline, (error) => {
      if (error === undefined) resolve();
      else reject(new ProxyError(error.message, { code: grpc.status.UNAVAILABLE, cause: error }));
    });
  });
}

function asked(client: grpc.Client, request: Buffer): Promise<grpc.ClientReadableStream<Buffer>> {
  const { path, requestSerialize, responseDeserialize } = egressService.batchedReceiver;
  return new Promise((resolve, reject) => {
    const call = client.makeServerStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      request,
    );
    const accepted = (): void => {
      clearTimeout(limit);
      resolve(call);
    };
    const limit = setTimeout(accepted, REFUSE_LIMIT_MS);
    call.once('metadata', accepted);
    // This listener stays, so that an error that comes when nobody listens ends nothing.
    call.on('error', (error: grpc.ServiceError) => {
      clearTimeout(limit);
      reject(new ProxyError(error.details, { code: error.code, cause: error }));
    });
  });
}
