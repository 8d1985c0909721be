/** One HTTP request, answered whole or read as a stream of text; over TLS when an authority is given. */

import http, { type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import https from 'node:https';

export interface AskOptions {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as a form, unless the headers say otherwise. */
  readonly body?: string;
  /** The PEM of the authority of the server's certificate. */
  readonly ca?: Buffer;
  /** The name that its certificate must have; without it, the host of the URL. */
  readonly serverName?: string;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export async function ask(url: string, options: AskOptions = {}): Promise<Answer> {
  const response = await begin(url, options);
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    body: Buffer.concat(chunks).toString(),
  };
}

/** An answer that goes on: what has come of it so far. */
export class TextStream implements Disposable {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  text = '';
  ended = false;
  readonly #response: IncomingMessage;

  private constructor(response: IncomingMessage) {
    this.#response = response;
    this.status = response.statusCode ?? 0;
    this.headers = response.headers;
    response.on('data', (chunk: Buffer) => {
      this.text += chunk.toString();
    });
    response.on('close', () => {
      this.ended = true;
    });
    response.on('error', () => {}); // That it has ended is noted.
  }

  static async open(url: string, options: AskOptions = {}): Promise<TextStream> {
    return new TextStream(await begin(url, options));
  }

  [Symbol.dispose](): void {
    this.#response.destroy();
  }
}

function begin(url: string, options: AskOptions): Promise<IncomingMessage> {
  const { method = options.body === undefined ? 'GET' : 'POST', headers, body } = options;
  const form = body === undefined ? {} : { 'Content-Type': 'application/x-www-form-urlencoded' };
  return new Promise((resolve, reject) => {
    const settings = { method, headers: { ...form, ...headers }, agent: false };
    const request = url.startsWith('https:')
      ? https.request(url, { ...settings, ...tlsOf(options) })
      : http.request(url, settings);
    request.once('response', resolve);
    request.once('error', reject);
    request.end(body);
  });
}

function tlsOf({ ca, serverName }: AskOptions): https.RequestOptions {
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(serverName === undefined ? {} : { servername: serverName }),
  };
}
