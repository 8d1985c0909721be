/**
 * `/v2/read` at the front door: hands the request to the reverse log proxy's gateway and streams
 * its answer back as it comes, so that one address serves every client.
 *
 * Nothing is held but what the two connections hold. A reader that goes ends the request to the
 * gateway at once; at most STREAMS_MAX are served at a time, and the next is told to come back.
 */

import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import { pipeline } from 'node:stream';
import { parseAddress } from '@standpipe/plumbing';
import { answer, type Refusal } from './refusal.ts';

const STREAMS_MAX = 500;

/** Headers that are between two neighbours only (RFC 9110, 7.6.1). */
const HOP_HEADERS: readonly string[] = [
  ...['connection', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'transfer-encoding'],
  'upgrade',
];

const UNAVAILABLE: Refusal = gatewayRefusal(
  503,
  '{"message":"streaming is temporarily unavailable","error":"streaming_unavailable"}',
);

/** What the gateway says to whoever may not read. */
export const READ_FORBIDDEN: Refusal = gatewayRefusal(
  404,
  '{"message":"resource not found","error":"not_found"}',
);

export class LogStreamProxy implements Disposable {
  readonly #host: string;
  readonly #port: number;
  readonly #agent = new http.Agent({ maxSockets: STREAMS_MAX });
  #streams = 0;

  /** `address` is the gateway's host:port. */
  constructor(address: string) {
    const parsed = parseAddress(address);
    if (parsed === undefined) throw new TypeError(`${address} is no address`);
    this.#host = parsed.host;
    this.#port = parsed.port;
  }

  /** Serves one request; resolves when all is said or one side has gone. */
  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (response.destroyed) return; // It left while its token was judged, and will say no more.
    if (this.#streams >= STREAMS_MAX) {
      answer(response, UNAVAILABLE);
      return;
    }
    this.#streams += 1;
    try {
      await this.#forward(request, response);
    } finally {
      this.#streams -= 1;
    }
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }

  #forward(request: IncomingMessage, response: ServerResponse): Promise<void> {
    return new Promise((resolve) => {
      const forwarded = http.request({
        host: this.#host,
        port: this.#port,
        method: request.method,
        path: request.url,
        headers: passedOn(request.headers),
        agent: this.#agent,
      });
      response.once('close', () => {
        forwarded.destroy();
        resolve();
      });
      forwarded.on('response', (incoming) => {
        response.writeHead(incoming.statusCode ?? 502, passedOn(incoming.headers));
        response.flushHeaders();
        // An answer that breaks off is broken off here too; there is no other way to tell.
        pipeline(incoming, response, () => resolve());
      });
      forwarded.on('error', () => {
        if (!response.headersSent && !response.destroyed) answer(response, UNAVAILABLE);
        resolve();
      });
      request.pipe(forwarded);
    });
  }
}

function passedOn(headers: http.IncomingHttpHeaders): http.OutgoingHttpHeaders {
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => !HOP_HEADERS.includes(name)),
  );
}

function gatewayRefusal(status: number, json: string): Refusal {
  const headers = {
    'Content-Type': 'text/plain; charset=utf-8',
    'X-Content-Type-Options': 'nosniff',
  };
  return { status, headers, body: `${json}\n\n` };
}
