/**
 * Opening a stream of the reverse log proxy, and knowing whether it was opened.
 *
 * Ours answers a request that it accepts with headers at once, so a refusal is known before the
 * client has been told anything. Loggregator v107.0.21 sends none before its first batch: of a
 * proxy that is connected and has said nothing for a moment, the stream counts as open.
 */

import type * as grpc from '@grpc/grpc-js';
import { egressService } from '@standpipe/protos';

/** How long the proxy may take to be connected. */
const CONNECT_LIMIT_MS = 5000;
/** How long a proxy that is connected may take to refuse. */
const REFUSE_LIMIT_MS = 250;

/** A stream that the proxy did not give. */
export class ProxyError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ProxyError';
  }
}

/** Opens a stream with an encoded EgressBatchRequest. Rejects with a ProxyError. */
export function openStream(
  client: grpc.Client,
  request: Buffer,
): Promise<grpc.ClientReadableStream<Buffer>> {
  const { path, requestSerialize, responseDeserialize } = egressService.batchedReceiver;
  return new Promise((resolve, reject) => {
    const call = client.makeServerStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      request,
    );
    let limit: NodeJS.Timeout | undefined;
    const settle = (error?: ProxyError): void => {
      clearTimeout(limit);
      call.off('metadata', onAccepted);
      if (error) reject(error);
      else resolve(call);
    };
    const onAccepted = (): void => settle();
    call.once('metadata', onAccepted);
    // This listener stays, so that an error that comes when nobody listens ends nothing.
    call.on('error', (error) => settle(new ProxyError(error.message, { cause: error })));
    client.waitForReady(Date.now() + CONNECT_LIMIT_MS, (error) => {
      if (error === undefined) {
        limit = setTimeout(onAccepted, REFUSE_LIMIT_MS);
        return;
      }
      settle(new ProxyError(error.message, { cause: error }));
      call.cancel();
    });
  });
}
