/**
 * Hands requests of the front door on to another server over plain HTTP, and streams its answers
 * back as they come, so that one address serves every client: `/v2/read` of the reverse log proxy's
 * gateway, and what UAA and Cloud Controller serve.
 *
 * Nothing is held but what the connections hold. A client that goes ends its request to the other
 * server at once. A request's body may have BODY_BYTES_MAX; headers of an answer must come within
 * ANSWER_LIMIT_MS; at most `maxRequests` are served at a time, and the next is told to come back.
 *
 * The other server sees the headers as the client sent them, but for those between two neighbours,
 * and X-Forwarded-Host, -Proto and -For besides, so that it can write links that lead here.
 */

import http, {
  type IncomingHttpHeaders,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type ServerResponse,
} from 'node:http';
import { pipeline } from 'node:stream';
import { parseAddress } from '@standpipe/plumbing';
import { answer, type Refusal, TOO_LARGE } from './refusal.ts';

const BODY_BYTES_MAX = 1024 * 1024;
const ANSWER_LIMIT_MS = 30_000;

/** Headers that are between two neighbours only (RFC 9110, 7.6.1). */
const HOP_HEADERS: readonly string[] = [
  ...['connection', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'transfer-encoding'],
  ...['upgrade', 'expect', 'http2-settings'],
];

export interface HttpProxyOptions {
  /** The other server's host:port. */
  readonly address: string;
  readonly maxRequests: number;
  /** What is answered when it does not answer, or is asked too much at a time. */
  readonly unavailable: Refusal;
  /** For tests. Default 30 s. */
  readonly answerLimitMs?: number;
}

export class HttpProxy implements Disposable {
  readonly #options: HttpProxyOptions;
  readonly #host: string;
  readonly #port: number;
  readonly #agent: http.Agent;
  #requests = 0;

  constructor(options: HttpProxyOptions) {
    const parsed = parseAddress(options.address);
    if (parsed === undefined) throw new TypeError(`${options.address} is no address`);
    this.#options = options;
    this.#host = parsed.host;
    this.#port = parsed.port;
    this.#agent = new http.Agent({ maxSockets: options.maxRequests });
  }

  /** Serves one request for a path with its query; resolves when all is said or one side has gone. */
  async serve(request: IncomingMessage, response: ServerResponse, path: string): Promise<void> {
    if (response.destroyed) return; // It left while its token was judged, and will say no more.
    if (this.#requests >= this.#options.maxRequests) {
      answer(response, this.#options.unavailable);
      return;
    }
    if (Number(request.headers['content-length'] ?? 0) > BODY_BYTES_MAX) {
      answer(response, TOO_LARGE);
      return;
    }
    this.#requests += 1;
    try {
      await this.#forward(request, response, path);
    } finally {
      this.#requests -= 1;
    }
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }

  #forward(request: IncomingMessage, response: ServerResponse, path: string): Promise<void> {
    return new Promise((resolve) => {
      const forwarded = http.request({
        host: this.#host,
        port: this.#port,
        method: request.method,
        path,
        headers: requestHeaders(request),
        agent: this.#agent,
      });
      const refuse = (refusal: Refusal): void => {
        forwarded.destroy();
        if (!response.headersSent && !response.destroyed) answer(response, refusal);
        resolve();
      };
      const { unavailable, answerLimitMs = ANSWER_LIMIT_MS } = this.#options;
      const late = setTimeout(() => refuse(unavailable), answerLimitMs);
      response.once('close', () => {
        clearTimeout(late);
        forwarded.destroy();
        resolve();
      });
      forwarded.on('response', (incoming) => {
        clearTimeout(late);
        if (response.headersSent) return; // It was refused meanwhile.
        response.writeHead(incoming.statusCode ?? 502, endToEnd(incoming.headers));
        response.flushHeaders();
        // An answer that breaks off is broken off here too; there is no other way to tell.
        pipeline(incoming, response, () => resolve());
      });
      forwarded.on('error', () => refuse(unavailable));
      sendBody(request, forwarded, () => refuse(TOO_LARGE));
    });
  }
}

/** Streams the body on, as far as it may be. */
function sendBody(
  request: IncomingMessage,
  forwarded: http.ClientRequest,
  onTooLarge: () => void,
): void {
  let byteLength = 0;
  request.on('data', (part: Buffer) => {
    byteLength += part.length;
    if (byteLength <= BODY_BYTES_MAX) return;
    request.unpipe(forwarded);
    onTooLarge();
  });
  request.pipe(forwarded);
}

function requestHeaders(request: IncomingMessage): OutgoingHttpHeaders {
  const { headers, socket } = request;
  const proto = 'encrypted' in socket ? 'https' : 'http';
  const host = headers.host ?? String(headers[':authority'] ?? '');
  const before = headers['x-forwarded-for'];
  const peer = socket.remoteAddress ?? '';
  return {
    ...endToEnd(headers),
    host,
    // Said for every method: a body whose length nobody told would be taken for a next request.
    ...(headers['transfer-encoding'] !== undefined && { 'transfer-encoding': 'chunked' }),
    'x-forwarded-host': headers['x-forwarded-host'] ?? host,
    'x-forwarded-proto': headers['x-forwarded-proto'] ?? proto,
    'x-forwarded-for': before === undefined ? peer : `${String(before)}, ${peer}`,
  };
}

/** Without the headers between neighbours, those included that `Connection` names, and HTTP/2's own. */
function endToEnd(headers: IncomingHttpHeaders): OutgoingHttpHeaders {
  const named = (headers.connection ?? '').split(',').map((name) => name.trim().toLowerCase());
  return Object.fromEntries(
    Object.entries(headers).filter(
      ([name]) => !name.startsWith(':') && !HOP_HEADERS.includes(name) && !named.includes(name),
    ),
  );
}
