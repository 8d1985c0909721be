/**
 * What comes to an HTTP port and does not become a request: no HTTP, headers that are too long or
 * too slow. Answered as Node answers it, and counted beside the requests that are refused.
 */

import type { OutgoingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { countRefused } from './http-refused.ts';
import type { Metrics } from './metrics.ts';

/** Where the parser has a code of its own for what is wrong; all else is 400. */
const STATUS: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  HPE_CHUNK_EXTENSIONS_OVERFLOW: '413 Payload Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
};

/** A client that broke off is no bad request. */
const GONE: readonly (string | undefined)[] = ['ECONNRESET', 'EPIPE', 'HPE_INVALID_EOF_STATE'];

export function answerBadRequests(server: Server, metrics: Metrics | undefined): void {
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Duplex) => {
    if (!GONE.includes(error.code)) {
      const status = STATUS[error.code ?? ''] ?? '400 Bad Request';
      if (metrics) countRefused(metrics, Number.parseInt(status, 10));
      if (isAwaited(socket)) socket.write(`HTTP/1.1 ${status}\r\nConnection: close\r\n\r\n`);
    }
    socket.destroy(error);
  });
}

/** Whether an answer may still be written: not in the midst of another. */
function isAwaited(socket: Duplex): boolean {
  const { _httpMessage: answering } = socket as { _httpMessage?: OutgoingMessage | null }; // Node's own.
  return socket.writable && answering?.headersSent !== true;
}
