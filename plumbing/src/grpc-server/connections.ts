/**
 * The connections of a gRPC server: their windows, the pings that find dead peers, and their end.
 *
 * A peer that answers no ping within KEEPALIVE_LIMIT_MS is hung up on. Draining tells every peer
 * to begin no more calls here; a connection ends with its last call.
 */

import type { Http2Server, ServerHttp2Session } from 'node:http2';
import type { Socket } from 'node:net';

/** Both of a connection's windows; see grpc.ts. */
export interface ConnectionsOptions {
  readonly windowBytes: number;
  readonly keepaliveMs: number;
  readonly keepaliveLimitMs: number;
}

export class Connections {
  readonly #options: ConnectionsOptions;
  readonly #sockets = new Set<Socket>();
  readonly #sessions = new Set<ServerHttp2Session>();
  #isDraining = false;

  constructor(server: Http2Server, options: ConnectionsOptions) {
    this.#options = options;
    server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
    server.on('session', (session: ServerHttp2Session) => this.#began(session));
  }

  /** Takes no new calls; those that have begun go on. */
  drain(): void {
    this.#isDraining = true;
    for (const session of this.#sessions) session.close();
  }

  /** Ends all, unfinished handshakes too. */
  cut(): void {
    for (const session of this.#sessions) session.destroy();
    for (const socket of this.#sockets) socket.destroy();
  }

  #began(session: ServerHttp2Session): void {
    const { windowBytes, keepaliveMs } = this.#options;
    this.#sessions.add(session);
    session.setLocalWindowSize(windowBytes);
    session.on('error', () => undefined); // It closes, and that is what counts.
    const pinging = setInterval(() => this.#ping(session), keepaliveMs);
    pinging.unref();
    session.once('close', () => {
      clearInterval(pinging);
      this.#sessions.delete(session);
    });
    if (this.#isDraining) session.close();
  }

  #ping(session: ServerHttp2Session): void {
    if (session.destroyed || session.closed) return;
    let isAnswered = false;
    const late = setTimeout(() => {
      // If it was this process that was busy, the answer is there by now and only has to be read.
      setImmediate(() => {
        if (!isAnswered) session.destroy();
      });
    }, this.#options.keepaliveLimitMs);
    late.unref();
    const isSent = session.ping(() => {
      isAnswered = true;
      clearTimeout(late);
    });
    if (!isSent) clearTimeout(late); // There are ten on their way already, each with its own limit.
  }
}
