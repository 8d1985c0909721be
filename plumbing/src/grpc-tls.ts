/**
 * grpc-js with certificates that change: a server's credentials and a client that go by what the
 * files say when a connection is made, and leave the connections that live alone.
 */

import * as grpc from '@grpc/grpc-js';
import { type ClientContext, clientContext, contextOptions, type Tls } from './tls.ts';
import type { TlsReport } from './tls-source.ts';

const HANDSHAKE_LIMIT_MS = 10_000;

/**
 * A server's side of mutual TLS. It follows its files for as long as a server listens with it,
 * which is as long as grpc-js has a watcher here.
 */
export class MutualTls extends grpc.ServerCredentials {
  readonly #tls: Tls;
  readonly #report: TlsReport;
  #following: Disposable | undefined;

  constructor(tls: Tls, report: TlsReport) {
    const verify = { requestCert: true, rejectUnauthorized: true };
    super({ ...verify, handshakeTimeout: HANDSHAKE_LIMIT_MS }, contextOptions(tls, tls.suites));
    this.#tls = tls;
    this.#report = report;
  }

  override _addWatcher(watcher: Parameters<grpc.ServerCredentials['_addWatcher']>[0]): void {
    super._addWatcher(watcher);
    const { source, suites } = this.#tls;
    this.#following ??= source?.follow(
      (pem) => this.updateSecureContextOptions(contextOptions(pem, suites)),
      this.#report,
    );
  }

  override _removeWatcher(watcher: Parameters<grpc.ServerCredentials['_removeWatcher']>[0]): void {
    super._removeWatcher(watcher);
    if (this.getWatcherCount() > 0) return;
    this.#following?.[Symbol.dispose]();
    this.#following = undefined;
  }

  override _equals(other: grpc.ServerCredentials): boolean {
    return this === other;
  }
}

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
