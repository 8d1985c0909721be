/**
 * A drain's TCP connection.
 *
 * It is opened by the first write, closed when nothing was written for a while, and opened again by
 * the next. What the peer sends is read and thrown away: so a peer that closes is noticed at once,
 * and not, as in loggregator-agent-release v8.3.9, by losing the first message after it.
 *
 * A write lasts until the kernel has taken its bytes, so a peer that does not read stops its drain
 * and nothing else. Syslog acknowledges nothing: what the kernel had taken and the peer had not
 * read when a connection broke is lost, and nobody can count it.
 */

import { connect, type Socket } from 'node:net';
import { type DrainWriter, WriteError } from './writer.ts';

const CONNECT_LIMIT_MS = 10_000;
/** How long a peer may read nothing at all before it counts as gone. */
const STALL_LIMIT_MS = 60_000;
const KEEPALIVE_MS = 10_000;
/** How long a peer may take to close its side after we have closed ours. */
const CLOSE_LIMIT_MS = 1000;

export interface TcpWriterOptions {
  readonly host: string;
  readonly port: number;
  /** A connection on which nothing was written for so long is closed. */
  readonly idleMs: number;
}

export class TcpWriter implements DrainWriter {
  readonly #options: TcpWriterOptions;
  #connection: Connection | undefined;

  constructor(options: TcpWriterOptions) {
    this.#options = options;
  }

  get isOpen(): boolean {
    return this.#connection?.isOpen === true;
  }

  async write(bytes: Buffer): Promise<void> {
    let connection = this.#connection;
    if (connection?.isUsable !== true) {
      connection = new Connection(this.#options);
      this.#connection = connection;
      await connection.connected();
    }
    await connection.write(bytes);
  }

  cut(): void {
    this.#connection?.cut('the drain is being closed');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connection?.[Symbol.asyncDispose]();
  }
}

/** One TCP connection, from its first packet to its end. */
class Connection implements AsyncDisposable {
  readonly #socket: Socket;
  readonly #peer: string;
  #reason: Error | undefined;
  #isEnding = false;

  constructor({ host, port, idleMs }: TcpWriterOptions) {
    this.#peer = `${host}:${port}`;
    const keepAlive = { keepAlive: true, keepAliveInitialDelay: KEEPALIVE_MS };
    const socket = connect({ host, port, noDelay: true, ...keepAlive });
    this.#socket = socket;
    socket.on('error', (error) => {
      this.#reason = error; // 'close' follows, and tells whoever waits.
    });
    socket.on('end', () => {
      this.#isEnding = true;
    });
    // Not setTimeout's own callback: it is called once, though the connection may be busy then.
    socket.setTimeout(idleMs).on('timeout', () => {
      if (this.#isEnding || socket.connecting || socket.writableLength > 0) return;
      void this[Symbol.asyncDispose](); // It does not reject.
    });
    socket.resume();
  }

  /** Whether more can be written: neither side has begun to close it. */
  get isUsable(): boolean {
    return !this.#isEnding && !this.#socket.destroyed;
  }

  get isOpen(): boolean {
    return this.isUsable && !this.#socket.connecting;
  }

  connected(): Promise<void> {
    return this.#within(CONNECT_LIMIT_MS, 'not connected', (done) => {
      this.#socket.once('connect', done);
    });
  }

  write(bytes: Buffer): Promise<void> {
    return this.#within(STALL_LIMIT_MS, 'nothing was read', (done) => {
      this.#socket.write(bytes, (error) => {
        // What waits when a socket is destroyed is called back without an error; 'close' follows.
        if (!error && !this.#socket.destroyed) done();
      });
    });
  }

  cut(reason: string): void {
    this.#socket.destroy(new WriteError(reason));
  }

  /** Closes gracefully: what was written is still sent, and the peer reads it to its end. */
  async [Symbol.asyncDispose](): Promise<void> {
    const socket = this.#socket;
    this.#isEnding = true;
    if (socket.closed) return;
    const limit = setTimeout(() => socket.destroy(), CLOSE_LIMIT_MS);
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    socket.end();
    await closed;
    clearTimeout(limit);
  }

  /** Waits until `begin` calls back. Rejects when the socket closes, which it does at the limit. */
  #within(limitMs: number, failure: string, begin: (done: () => void) => void): Promise<void> {
    const socket = this.#socket;
    return new Promise((resolve, reject) => {
      const limit = setTimeout(() => this.cut(`${failure} within ${limitMs} ms`), limitMs);
      const onClose = (): void => {
        clearTimeout(limit);
        const why = this.#reason?.message ?? 'closed by the peer';
        reject(new WriteError(`${this.#peer}: ${why}`, { cause: this.#reason }));
      };
      if (socket.closed) {
        onClose();
        return;
      }
      socket.once('close', onClose);
      begin(() => {
        clearTimeout(limit);
        socket.off('close', onClose);
        resolve();
      });
    });
  }
}
