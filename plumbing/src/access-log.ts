/**
 * The access log: one line in the Common Event Format for each request, written before it is
 * handled, as Loggregator v107.0.21 and log-cache-release v3.2.0 write it:
 *
 *     CEF:0|cloud_foundry|PRODUCT|1.0|GET /a?b=c|GET /a?b=c|0|rt=… … request=/a?b=c requestMethod=GET …
 *
 * Paths are decoded, as theirs are, but for what would begin another line or field where it was escaped.
 * What stands bare in a path or a header, such as `|`, is written as it came, as theirs is.
 *
 * Lines wait for the disk in memory, up to WAITING_BYTES_MAX. Past that, and while the file can't be
 * written, they are left out and counted, and the process's own log says so; a file that failed is
 * opened again after REOPEN_MS. It does not begin without a file that can be written.
 */

import { once } from 'node:events';
import { createWriteStream, type WriteStream } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { parseAddress } from './address.ts';
import type { Log } from './log.ts';
import type { Counter, Metrics } from './metrics.ts';

const REOPEN_MS = 5000;
const DROPPED_NAME = 'access_log_dropped';
const DROPPED_HELP = 'Lines of the access log that the disk did not take.';
const WAITING_BYTES_MAX = 1024 * 1024;

export interface AccessLogOptions {
  readonly file: string;
  /** What is asked, as the lines name it: `loggregator_trafficcontroller`, `log_cache`. */
  readonly product: string;
  /** This machine, as the lines name it. */
  readonly ip: string;
  readonly log: Log;
  readonly metrics: Metrics;
}

export class AccessLog implements AsyncDisposable {
  readonly #options: AccessLogOptions;
  readonly #dropped: Counter;
  #stream: WriteStream;
  /** When the file was last opened anew. */
  #openedAtMs = Number.NEGATIVE_INFINITY;
  #isClosed = false;

  private constructor(options: AccessLogOptions, stream: WriteStream) {
    this.#options = options;
    this.#dropped = options.metrics.counter(DROPPED_NAME, DROPPED_HELP);
    this.#stream = stream;
  }

  /** Opens the file for appending; rejects if that can't be done. */
  static async open(options: AccessLogOptions): Promise<AccessLog> {
    const stream = streamTo(options);
    await once(stream, 'open');
    return new AccessLog(options, stream);
  }

  write(request: IncomingMessage, nowMs: number): void {
    if (this.#stream.destroyed) this.#reopen(nowMs);
    if (this.#stream.writableLength > WAITING_BYTES_MAX || !this.#stream.writable) {
      this.#dropped.add(1);
      this.#options.log.limited('access-log', 'error', {}, 'the access log leaves lines out');
      return;
    }
    this.#stream.write(cefLine(request, nowMs, this.#options), this.#onWritten);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    if (this.#stream.destroyed) return;
    // It closes in any case; that it could not be written is logged.
    await new Promise<void>((resolve) => {
      this.#stream.once('close', resolve).end();
    });
  }

  #reopen(nowMs: number): void {
    if (this.#isClosed || nowMs - this.#openedAtMs < REOPEN_MS) return;
    this.#openedAtMs = nowMs;
    this.#stream = streamTo(this.#options);
  }

  readonly #onWritten = (error: Error | null | undefined): void => {
    if (error) this.#dropped.add(1);
  };
}

function streamTo({ file, log }: AccessLogOptions): WriteStream {
  const stream = createWriteStream(file, { flags: 'a' });
  stream.on('error', (error) => {
    log.limited('access-log', 'error', { error }, 'the access log can not be written');
  });
  return stream;
}

/** One request as a line. Exported for its test. */
export function cefLine(
  request: IncomingMessage,
  nowMs: number,
  { product, ip }: Pick<AccessLogOptions, 'product' | 'ip'>,
): string {
  const { method = '', url = '' } = request;
  const asked = askedFor(url);
  const { host, port } = sourceOf(request);
  const requestId = String(request.headers['x-vcap-request-id'] ?? '');
  const signature = escaped(`${method} ${asked}`);
  const facts = [
    `rt=${nowMs}`,
    'cs1Label=userAuthenticationMechanism',
    'cs1=oauth-access-token',
    'cs2Label=vcapRequestId',
    `cs2=${escaped(requestId)}`,
    `request=${escaped(asked)}`,
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
  // A peer by IPv4 has another name where one socket listens for both.
  return { host: remoteAddress.replace(/^::ffff:(?=\d+\.)/, ''), port: String(remotePort) };
}

/** What a request asks for: its path, decoded, and its query as it came, if there is one. */
function askedFor(url: string): string {
  const mark = url.indexOf('?');
  const path = mark === -1 ? url : url.slice(0, mark);
  const query = mark === -1 ? '' : url.slice(mark + 1);
  const decoded = path.replaceAll(/(?:%[0-9a-f]{2})+/gi, decodedRun);
  return query === '' ? decoded : `${decoded}?${query}`;
}

/** What is no UTF-8, and would stand for a blank, a control or a `|`, stays as it is. */
function decodedRun(run: string): string {
  try {
    return decodeURIComponent(run).replaceAll(/[\p{C}\p{Z}|]/gu, encodeURIComponent);
  } catch (error) {
    if (error instanceof URIError) return run;
    throw error;
  }
}

/** As Go's html/template escapes; a line stays one line, for what a request brings has no breaks. */
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
