/**
 * The gateway's access log: one line for each request, when it has been answered, in Apache's common
 * format. Lines go to stdout, as those of Loggregator v107.0.21 do; a stdout that is gone loses them,
 * and nothing else.
 */

import type { Writable } from 'node:stream';
import type { Log } from '@standpipe/plumbing';
import type Koa from 'koa';

export class AccessLog implements Disposable {
  readonly #out: Writable;
  readonly #onError: (error: Error) => void;

  constructor(out: Writable, log: Log) {
    this.#out = out;
    this.#onError = (error) => {
      log.limited('access-log', 'warn', { error }, 'the access log cannot be written');
    };
    out.on('error', this.#onError);
  }

  /** Notes a request that has been answered, with so many bytes of body. */
  note({ req, method, status }: Koa.Context, arrival: Arrival, bytes: number): void {
    if (!this.#out.writable) return;
    const { url: uri = '', httpVersion: http } = req;
    this.#out.write(accessLine({ ...arrival, method, uri, http, status, bytes }));
  }

  [Symbol.dispose](): void {
    this.#out.off('error', this.#onError);
  }
}

/** When a request came, and from where; a connection that is gone no longer knows. */
export interface Arrival {
  readonly at: Date;
  readonly host: string;
}

export interface Access extends Arrival {
  readonly method: string;
  readonly uri: string;
  /** The version of HTTP: 1.1, 2.0. */
  readonly http: string;
  readonly status: number;
  readonly bytes: number;
}

/** A line in Apache's common format, of a client whose name is not known. */
export function accessLine({ host, at, method, uri, http, status, bytes }: Access): string {
  return `${host} - - [${timeOf(at)}] "${method} ${quoted(uri)} HTTP/${http}" ${status} ${bytes}\n`;
}

const MONTHS = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ');

/** Local time, as `02/Jan/2006:15:04:05 -0700`. */
function timeOf(at: Date): string {
  const two = (n: number): string => String(n).padStart(2, '0');
  const date = `${two(at.getDate())}/${MONTHS[at.getMonth()]}/${at.getFullYear()}`;
  const time = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
  const east = -at.getTimezoneOffset();
  const offset = two(Math.floor(Math.abs(east) / 60)) + two(Math.abs(east) % 60);
  return `${date}:${time} ${east < 0 ? '-' : '+'}${offset}`;
}

/** What a client sent must not end the quotes, nor the line. */
function quoted(uri: string): string {
  return uri.replace(/["\\]|[^ -~]/g, (char) => {
    if (char === '"' || char === '\\') return `\\${char}`;
    return `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`;
  });
}
