/**
 * Who was not let in: each is counted, and one line in ten seconds for each reason says why, so
 * that one noisy client hides nobody else. A client that speaks plain HTTP to a port for HTTPS is
 * told so, in the words of Go's servers.
 */

import type { Server, Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { ListenerKind } from './announce.ts';
import type { Log } from './log.ts';
import type { Counter, Metrics } from './metrics.ts';

const NAME = 'connections_refused';
const HELP = 'Connections refused, for a failed TLS handshake or because there were too many.';

/** Reasons of failed handshakes that have lines of their own; all others share one. */
const REASONS_MAX = 50;

/** Counts and logs what a server refuses: bad handshakes, and more connections than it may have. */
export function watchRefusals(
  server: Pick<Server, 'on'>,
  options: {
    readonly kind: ListenerKind;
    readonly log: Log;
    readonly metrics?: Metrics | undefined;
  },
): void {
  const { kind, log, metrics } = options;
  const counter = (reason: string): Counter | undefined =>
    metrics?.counter(NAME, HELP, { listener: kind, reason });
  const handshakes = counter('tls');
  const tooMany = counter('limit');
  const reasons = new Set<string>();

  server.on('connection', rememberPeer);
  server.on('tlsClientError', (error: Error & { code?: string }, socket: TLSSocket) => {
    handshakes?.add(1);
    if (kind !== 'grpc' && kind !== 'syslog' && error.code === 'ERR_SSL_HTTP_REQUEST')
      answerPlainHttp(socket);
    const key = String(socket.authorizationError || error.code);
    if (reasons.size < REASONS_MAX) reasons.add(key);
    const limit = `${kind}-tls-${reasons.has(key) ? key : 'others'}`;
    log.limited(limit, 'warn', handshakeFacts(error, socket), 'a TLS handshake failed');
  });
  server.on('drop', (dropped?: { readonly remoteAddress?: string }) => {
    tooMany?.add(1);
    log.limited(`${kind}-drop`, 'warn', { peer: dropped?.remoteAddress }, 'too many connections');
  });
}

const PLAIN_HTTP =
  'HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n';

/** A socket knows its peer's address for as long as it lives, and beyond if it was asked before. */
function rememberPeer(socket: Socket): void {
  void socket.remoteAddress;
}

/** The TLS socket is lost by now; what it was made of still takes an answer. */
function answerPlainHttp(socket: TLSSocket): void {
  const plain = plainOf(socket);
  plain?.write(PLAIN_HTTP);
  plain?.destroySoon();
}

/** What a TLS socket was made of; not in its type. */
function plainOf(socket: TLSSocket): Socket | undefined {
  return (socket as TLSSocket & { readonly _parent?: Socket })._parent;
}

/**
 * A client whose certificate is refused is hung up on, and the error says no more than that; why
 * stands on the socket, and whose it was on what it was made of.
 */
function handshakeFacts(
  error: Error,
  socket: TLSSocket,
): { readonly reason: string; readonly peer: string | undefined } {
  const { authorizationError } = socket;
  return {
    reason: authorizationError ? String(authorizationError) : error.message,
    peer: socket.remoteAddress ?? plainOf(socket)?.remoteAddress,
  };
}
