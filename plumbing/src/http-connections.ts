/**
 * The connections of an HTTP server, for the time when it ends them.
 *
 * Node's own server ends those that wait between two requests, and knows neither those that never
 * sent one nor those that speak HTTP/2.
 */

import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { ServerHttp2Session } from 'node:http2';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';

/** How long a connection over HTTP/2 may be without a request. */
const SESSION_IDLE_MS = 60_000;

export class HttpConnections {
  readonly #server: Server;
  readonly #draining: AbortSignal;
  readonly #all = new Set<Socket>();
  /** Those that never sent a request, which Node doesn't count among the idle. */
  readonly #fresh = new Set<Socket>();
  readonly #sessions = new Set<ServerHttp2Session>();

  constructor(server: Server, secure: boolean, draining: AbortSignal) {
    this.#server = server;
    this.#draining = draining;
    server.on('connection', (socket: Socket) => {
      this.#all.add(socket);
      socket.once('close', () => this.#all.delete(socket));
    });
    server.on(secure ? 'secureConnection' : 'connection', (socket: Socket | TLSSocket) => {
      if ('alpnProtocol' in socket && socket.alpnProtocol === 'h2') return;
      this.#fresh.add(socket);
      socket.once('close', () => this.#fresh.delete(socket));
    });
    server.on('session', (session: ServerHttp2Session) => this.#began(session));
    server.on('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
      this.#fresh.delete(socket);
      response.once('close', () => {
        if (this.#draining.aborted) server.closeIdleConnections();
      });
    });
  }

  /** Says that a connection was handed over. */
  handedOver(socket: Socket): void {
    this.#fresh.delete(socket);
  }

  /** Ends those that wait for nothing, and tells those over HTTP/2 to ask for nothing more. */
  endIdle(): void {
    this.#server.closeIdleConnections();
    for (const socket of this.#fresh) socket.destroy();
    for (const session of this.#sessions) session.close();
  }

  /** Ends all, upgraded ones and unfinished handshakes too. */
  cut(): void {
    for (const socket of this.#all) socket.destroy();
  }

  #began(session: ServerHttp2Session): void {
    this.#sessions.add(session);
    session.once('close', () => this.#sessions.delete(session));
    let streams = 0;
    session.on('stream', (stream) => {
      streams += 1;
      stream.once('close', () => {
        streams -= 1;
      });
    });
    session.setTimeout(SESSION_IDLE_MS, () => {
      if (streams === 0) session.close();
    });
    if (this.#draining.aborted) session.close();
  }
}
