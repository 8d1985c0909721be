/**
 * One HTTP request to UAA or Cloud Controller, and its whole answer.
 *
 * Each has its own connection, 10 s to establish it and 20 s in all, as Loggregator v107.0.21 has;
 * an answer longer than its limit, 1 MiB if it has none, is an error. At most CONNECTIONS_MAX are open to one
 * server, and further ones wait for their turn within their 20 s. Certificates are followed in their
 * files.
 */

import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import {
  type Authorities,
  type ClientContext,
  clientContext,
  type KeyPair,
  type Tls,
} from './tls.ts';

const CONNECT_LIMIT_MS = 10_000;
const ANSWER_LIMIT_MS = 20_000;
const BODY_BYTES_MAX = 1024 * 1024;
const CONNECTIONS_MAX = 64;

/** How a server is reached, and how it is known. */
export interface OutgoingOptions {
  /** `http://` or `https://`, host and port. */
  readonly url: string;
  /** The authority that signed its certificate, the system's without it, and our own certificate. */
  readonly tls?: Authorities | KeyPair | Tls | undefined;
  /** The name its certificate must carry; the URL's host, if not given. */
  readonly serverName?: string | undefined;
  readonly skipVerify?: boolean;
  /** The longest answer that is read. Default 1 MiB. */
  readonly maxBytes?: number;
  /** For tests. Default 10 s and 20 s. */
  readonly connectLimitMs?: number;
  readonly answerLimitMs?: number;
}

export interface Answer {
  readonly status: number;
  readonly body: string;
}

/** Nobody answered, or not in time, or not in words. */
export class OutgoingError extends Error {
  readonly url: string;

  constructor(url: string, reason: string, options?: ErrorOptions) {
    super(`${url}: ${reason}`, options);
    this.name = 'OutgoingError';
    this.url = url;
  }
}

export class Outgoing implements Disposable {
  readonly #options: OutgoingOptions;
  readonly #base: URL;
  readonly #agent: http.Agent;
  readonly #context: ClientContext | undefined;

  constructor(options: OutgoingOptions) {
    this.#options = options;
    this.#base = new URL(options.url);
    const { tls, serverName } = options;
    this.#context = tls && clientContext(tls);
    this.#agent =
      this.#base.protocol === 'https:'
        ? new https.Agent({
            maxSockets: CONNECTIONS_MAX,
            ...(this.#context && { secureContext: this.#context.secureContext }),
            ...(serverName && { servername: serverName }),
            rejectUnauthorized: options.skipVerify !== true,
          })
        : new http.Agent({ maxSockets: CONNECTIONS_MAX });
  }

  /** Asks, and resolves with whatever the server answers. Rejects with an OutgoingError. */
  async ask(request: {
    readonly method: string;
    readonly path: string;
    readonly headers: Readonly<Record<string, string>>;
    readonly body?: string;
  }): Promise<Answer> {
    const { connectLimitMs = CONNECT_LIMIT_MS, answerLimitMs = ANSWER_LIMIT_MS } = this.#options;
    const url = this.#urlOf(request.path);
    const late = new AbortController();
    const unconnected = setTimeout(() => late.abort(`no connection`), connectLimitMs);
    const unanswered = setTimeout(() => late.abort(`no answer`), answerLimitMs);
    try {
      return await this.#send(url, { ...request, signal: late.signal }, () => {
        clearTimeout(unconnected);
      });
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      const reason = late.signal.aborted ? `${late.signal.reason} in time` : text;
      throw new OutgoingError(url, reason, { cause: error });
    } finally {
      clearTimeout(unconnected);
      clearTimeout(unanswered);
    }
  }

  /** A path may be somebody else's: `//host/x` must be one as well, and no other host. */
  #urlOf(path: string): string {
    const mark = path.indexOf('?');
    const url = new URL(this.#base);
    url.pathname = mark === -1 ? path : path.slice(0, mark);
    url.search = mark === -1 ? '' : path.slice(mark);
    return url.href;
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
    this.#context?.[Symbol.dispose]();
  }

  #send(
    url: string,
    request: {
      readonly method: string;
      readonly headers: Readonly<Record<string, string>>;
      readonly body?: string;
      readonly signal: AbortSignal;
    },
    onConnected: () => void,
  ): Promise<Answer> {
    const { method, headers, signal } = request;
    const secure = this.#base.protocol === 'https:';
    return new Promise((resolve, reject) => {
      const options = { method, headers, signal, agent: this.#agent };
      const sent = (secure ? https : http).request(url, options, (response) => {
        readAll(response, this.#options.maxBytes ?? BODY_BYTES_MAX).then(resolve, reject);
      });
      sent.on('socket', (socket) => {
        socket.once(secure ? 'secureConnect' : 'connect', onConnected);
      });
      sent.on('error', reject);
      sent.end(request.body);
    });
  }
}

async function readAll(response: IncomingMessage, maxBytes: number): Promise<Answer> {
  const parts: Buffer[] = [];
  let byteLength = 0;
  for await (const part of response as AsyncIterable<Buffer>) {
    byteLength += part.length;
    if (byteLength > maxBytes) throw new Error('the answer is too long');
    parts.push(part);
  }
  return { status: response.statusCode ?? 0, body: Buffer.concat(parts).toString() };
}
