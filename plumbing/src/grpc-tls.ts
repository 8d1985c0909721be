/**
 * grpc-js's client with certificates that change: it goes by what the files say when a connection
 * is made, and leaves the connection that lives alone.
 */

import * as grpc from '@grpc/grpc-js';
import { type ClientContext, clientContext, type Tls } from './tls.ts';

/** A client that stops following its files when it is closed. */
export class FollowingClient extends grpc.Client {
  readonly #context: ClientContext | undefined;

  constructor(address: string, tls: Tls | undefined, options: grpc.ClientOptions) {
    const context = tls && clientContext(tls);
    const credentials = context
      ? grpc.credentials.createFromSecureContext(context.secureContext)
      : grpc.credentials.createInsecure();
    super(address, credentials, options);
    this.#context = context;
  }

  override close(): void {
    this.#context?.[Symbol.dispose]();
    super.close();
  }
}
