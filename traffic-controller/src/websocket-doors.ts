/**
 * The way from a request to a consumer.
 *
 *     request ─▶ may it? ─▶ is there room? ─▶ is it a handshake? ─▶ websocket ─▶ subscription
 *                401 404 500     503              400 405
 *
 * The order of the questions is that of Loggregator v107.0.21. The original subscribes before it
 * looks at the handshake; here nobody subscribes who has no websocket.
 */

import { type IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type Clock, formatAddress, type Log } from '@standpipe/plumbing';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Access } from './auth.ts';
import { Consumer, type ConsumerLimits, type Peer, WEBSOCKET_OPTIONS } from './consumer.ts';
import type { Consumers } from './consumers.ts';
import type { Door } from './firehose.ts';
import { handshakeMistake } from './handshake.ts';
import type { TrafficControllerMetrics } from './metrics.ts';
import { answer, bare, NO_HANDSHAKE, type Refusal } from './refusal.ts';
import type { Upstream } from './upstream.ts';

export interface WebsocketDoorsOptions {
  readonly access: Access;
  readonly upstream: Upstream;
  readonly consumers: Consumers;
  readonly limits: ConsumerLimits;
  readonly metrics: TrafficControllerMetrics;
  readonly clock: Clock;
  readonly log: Log;
  readonly onSlow: (peer: Peer) => void;
  /** Hears of each handshake that is refused, with the status. */
  readonly onRefused: (status: number) => void;
}

export class WebsocketDoors {
  readonly #options: WebsocketDoorsOptions;
  readonly #server = new WebSocketServer(WEBSOCKET_OPTIONS);

  constructor(options: WebsocketDoorsOptions) {
    this.#options = options;
    // What ws finds wrong with a handshake beyond what handshake.ts does.
    this.#server.on('wsClientError', (_error, socket, request) => {
      this.#refuse(request, socket, NO_HANDSHAKE);
    });
  }

  /** Why this request gets no websocket at this door; undefined, if it may have one. */
  async refusal(request: IncomingMessage, door: Door): Promise<Refusal | undefined> {
    const { consumers, metrics } = this.#options;
    const denied = await this.denial(request, door);
    if (denied !== undefined) return denied;
    if (consumers.full) {
      metrics.refused.add(1);
      return bare(503);
    }
    return handshakeMistake(request);
  }

  /** Why this request may not see what is behind a door; undefined, if it may. */
  async denial(
    request: IncomingMessage,
    { name, id }: Pick<Door, 'name' | 'id'>,
  ): Promise<Refusal | undefined> {
    const { access, metrics } = this.#options;
    const { headers } = request;
    const denied = await (name === 'firehose'
      ? access.firehose(headers)
      : access.stream(headers, id));
    if (denied !== undefined) metrics.unauthorized.add(1);
    return denied;
  }

  /** Makes a consumer of the connection, or refuses it. */
  async enter(request: IncomingMessage, socket: Duplex, head: Buffer, door: Door): Promise<void> {
    // Nobody else listens to the socket until ws does; it may break at any time.
    const ignore = (): void => undefined;
    socket.on('error', ignore);
    const refusal = await this.refusal(request, door);
    if (refusal !== undefined) {
      this.#refuse(request, socket, refusal);
      return;
    }
    this.#server.handleUpgrade(request, socket, head, (websocket) => {
      socket.off('error', ignore);
      this.#welcome(websocket, socket, { request, door });
    });
  }

  #refuse(request: IncomingMessage, socket: Duplex, refusal: Refusal): void {
    this.#options.onRefused(refusal.status);
    answer(responseOn(socket, request), refusal);
  }

  #welcome(
    websocket: WebSocket,
    connection: Duplex,
    { request, door }: { readonly request: IncomingMessage; readonly door: Door },
  ): void {
    const { upstream, consumers, limits, metrics, clock, log, onSlow } = this.#options;
    const consumer = new Consumer({
      socket: websocket,
      connection,
      peer: peerOf(request, door),
      limits,
      metrics,
      clock,
      onSlow,
      onMalformed: ({ path }) => {
        log.limited('malformed', 'error', { path }, 'a Doppler sent what is no BatchResponse');
      },
    });
    consumers.add(consumer);
    consumer.attach(
      upstream.subscribe({
        request: door.request,
        accept: (message) => consumer.accept(message),
      }),
    );
  }
}

/** An HTTP response on a connection that asked for an upgrade and doesn't get it; closes it after. */
export function responseOn(socket: Duplex, request: IncomingMessage): ServerResponse {
  const response = new ServerResponse(request);
  response.shouldKeepAlive = false;
  const connection = socket as Socket; // An upgrade of node:http comes on one.
  response.assignSocket(connection);
  response.once('finish', () => {
    response.detachSocket(connection);
    // Closed both ways: nobody reads it any more, nor would notice that the client keeps it open.
    connection.destroySoon();
  });
  return response;
}

function peerOf(request: IncomingMessage, door: Door): Peer {
  const { remoteAddress = '', remotePort = 0 } = request.socket;
  return {
    door: door.name,
    path: request.url ?? '',
    remoteAddress: formatAddress({ host: remoteAddress, port: remotePort }),
    forwardedFor: String(request.headers['x-forwarded-for'] ?? ''),
  };
}
