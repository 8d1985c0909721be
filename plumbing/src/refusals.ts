/**
 * Who was not let in: each is counted, and one line in ten seconds says why. A client that speaks
 * plain HTTP to a port for HTTPS is told so, in the words of Go's servers.
 */

import type { Server, Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { ListenerKind } from './announce.ts';
import type { Log } from './log.ts';
import type { Counter, Metrics } from './metrics.ts';

const NAME = 'connections_refused';
const HELP = 'Connections refused, for a failed TLS handshake or because there were too many.';

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

  server.on('tlsClientError', (error: Error & { code?: string }, socket: TLSSocket) => {
    handshakes?.add(1);
    if (kind !== 'grpc' && kind !== 'syslog' && error.code === 'ERR_SSL_HTTP_REQUEST')
      answerPlainHttp(socket);
    log.limited(`${kind}-tls`, 'warn', handshakeFacts(error, socket), 'a TLS handshake failed');
  });
  server.on('drop', (dropped?: { readonly remoteAddress?: string }) => {
    tooMany?.add(1);
    log.limited(`${kind}-drop`, 'warn', { peer: dropped?.remoteAddress }, 'too many connections');
  });
}

const PLAIN_HTTP =
  'HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n';

/** The TLS socket is lost by now; what it was made of still takes an answer. */
function answerPlainHttp(socket: TLSSocket): void {
  const { _parent: plain } = socket as TLSSocket & { readonly _parent?: Socket }; // Not in its type.
  plain?.write(PLAIN_HTTP);
  plain?.destroySoon();
}

/**
 * A client whose certificate is refused is hung up on, and the error says no more than that; why
 * stands on the socket.
 */
function handshakeFacts(
  error: Error,
  socket: TLSSocket,
): { readonly reason: string; readonly peer: string | undefined } {
  const { authorizationError, remoteAddress } = socket;
  return {
    reason: authorizationError ? String(authorizationError) : error.message,
    peer: remoteAddress,
  };
}
