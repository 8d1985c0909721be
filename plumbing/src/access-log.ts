/**
 * The access log: one line in the Common Event Format for each request, written before it is
 * handled, as Loggregator v107.0.21 and log-cache-release v3.2.0 write it.
 *
 * Lines wait for the disk in memory, up to WAITING_BYTES_MAX; past that they are left out, and
 * the process's own log says so. It does not begin without a file that can be written.
 */

import { once } from 'node:events';
import { createWriteStream, type WriteStream } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { parseAddress } from './address.ts';
import type { Log } from './log.ts';

const WAITING_BYTES_MAX = 1024 * 1024;

export interface AccessLogOptions {
  readonly file: string;
  /** What is asked, as the lines name it: `loggregator_trafficcontroller`, `log_cache`. */
  readonly product: string;
  /** This machine, as the lines name it. */
  readonly ip: string;
  readonly log: Log;
}

export class AccessLog implements AsyncDisposable {
  readonly #options: AccessLogOptions;
  readonly #stream: WriteStream;

  private constructor(options: AccessLogOptions, stream: WriteStream) {
    this.#options = options;
    this.#stream = stream;
  }

  /** Opens the file for appending; rejects if that can't be done. */
  static async open(options: AccessLogOptions): Promise<AccessLog> {
    const stream = createWriteStream(options.file, { flags: 'a' });
    await once(stream, 'open');
    stream.on('error', (error) => {
      options.log.limited('access-log', 'error', { error }, 'the access log can not be written');
    });
    return new AccessLog(options, stream);
  }

  write(request: IncomingMessage, nowMs: number): void {
    if (this.#stream.writableLength > WAITING_BYTES_MAX || !this.#stream.writable) {
      this.#options.log.limited('access-log', 'error', {}, 'the access log leaves lines out');
      return;
    }
    this.#stream.write(cefLine(request, nowMs, this.#options));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#stream.destroyed) return;
    // It closes in any case; that it could not be written is logged.
    await new Promise<void>((resolve) => {
      this.#stream.once('close', resolve).end();
    });
  }
}

/** One request as a line. Exported for its test. */
export function cefLine(
  request: IncomingMessage,
  nowMs: number,
  { product, ip }: Pick<AccessLogOptions, 'product' | 'ip'>,
): string {
  const { method = '', url = '' } = request;
  const path = url.split('?')[0] ?? '';
  const { host, port } = sourceOf(request);
  const requestId = String(request.headers['x-vcap-request-id'] ?? '');
  const signature = escaped(`${method} ${path}`);
  const facts = [
    `rt=${nowMs}`,
    'cs1Label=userAuthenticationMechanism',
    'cs1=oauth-access-token',
    'cs2Label=vcapRequestId',
    `cs2=${escaped(requestId)}`,
    `request=${escaped(url)}`,
    `requestMethod=${escaped(method)}`,
    `src=${escaped(host)}`,
    `spt=${port}`,
    `dst=${escaped(ip)}`,
    `dpt=${request.socket.localPort ?? ''}`,
  ];
  const head = `CEF:0|cloud_foundry|${product}|1.0`;
  return `${head}|${signature}|${signature}|0|${facts.join(' ')}\n`;
}

/** Who asked: the first that the proxies before us saw, else the peer. */
function sourceOf(request: IncomingMessage): { readonly host: string; readonly port: string } {
  const forwarded = String(request.headers['x-forwarded-for'] ?? '');
  const first = forwarded.split(',')[0]?.trim() ?? '';
  if (first !== '') {
    const address = parseAddress(first);
    return { host: address?.host ?? first, port: address === undefined ? '' : `${address.port}` };
  }
  const { remoteAddress = '', remotePort = '' } = request.socket;
  return { host: remoteAddress, port: String(remotePort) };
}

/** As Go's html/template escapes; a line stays one line, for a request's line has no breaks. */
function escaped(text: string): string {
  return text.replaceAll(/[&<>"'+]/g, (letter) => ESCAPES[letter] ?? letter);
}

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&#34;',
  "'": '&#39;',
  '+': '&#43;',
};
