/**
 * One call at a gRPC server: messages in, messages out, and the status that it ends with.
 *
 *     client ── DATA ──▶ MessageReader ──▶ 'data', 'end'
 *            ◀─ DATA ─── framed ◀── write                  'drain', 'finish'
 *            ◀─ trailers: grpc-status ◀── answer, end, fail
 *            ── RST_STREAM, or the connection breaks ──▶ 'cancelled'
 *
 * It has of grpc-js's calls what our handlers use, under the same names, so that either could
 * serve them. A write is accepted also when it returns false; whoever goes on then is the one who
 * lets memory grow. What was written and not passed on when the stream dies is told to the
 * write's callback.
 *
 * Hot: nothing is allocated for a message but what holds its bytes.
 */

import { EventEmitter } from 'node:events';
import { constants, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import type { TLSSocket } from 'node:tls';
import { Metadata, status } from '@grpc/grpc-js';
import { FramingError, framed, MessageReader } from './framing.ts';
import { encodeDetails, RESPONSE_HEADERS } from './headers.ts';

/** How a call ends. */
export interface CallStatus {
  readonly code: status;
  readonly details: string;
  readonly metadata?: Metadata | undefined;
}

export interface CallOptions {
  /** The largest message, either way. */
  readonly messageBytesMax: number;
  readonly path: string;
  readonly peer: string;
  readonly headers: IncomingHttpHeaders;
  /** Hears how the call ended, unless it was the client that broke it off. */
  readonly onStatus: (code: status) => void;
}

/** Messages and bytes that are on their way before `write` says that it is enough. */
const AHEAD_COUNT_MAX = 16;
const AHEAD_BYTES_MAX = 1024 * 1024;

type Written = (error?: Error | null) => void;

export class ServerCall extends EventEmitter {
  /** Whether the client broke the call off, or its time was up. */
  cancelled = false;
  /** The message of a call that has one; set before its handler hears of it. */
  request: Buffer = Buffer.alloc(0);

  readonly #stream: ServerHttp2Stream;
  readonly #options: CallOptions;
  readonly #reader: MessageReader;
  #hasEnded = false;
  #isPaused = true;
  #isHalfClosed = false;
  #hasToldEnd = false;
  #aheadCount = 0;
  #aheadBytes = 0;
  #isFull = false;
  #deadline = Number.POSITIVE_INFINITY;

  constructor(stream: ServerHttp2Stream, options: CallOptions) {
    super();
    this.#stream = stream;
    this.#options = options;
    this.#reader = new MessageReader(options.messageBytesMax);
    stream.on('data', this.#onData);
    stream.on('end', this.#onHalfClosed);
    // The first comes at once, the second only when nothing more is to be read or written.
    stream.on('aborted', this.#onAborted);
    stream.on('close', this.#onClose);
    stream.on('finish', () => this.emit('finish'));
    // That it broke is told by its close.
    stream.on('error', () => undefined);
    stream.pause();
    this.on('newListener', (name) => {
      if (name === 'data') this.resume();
    });
    // As in grpc-js: a handler refuses a call by an error with a code.
    this.on('error', (error: Partial<CallStatus> & Error) => this.fail(statusOf(error)));
  }

  get destroyed(): boolean {
    return this.#stream.destroyed;
  }

  /** Whether `write` said that it is enough, and 'drain' is yet to come. */
  get writableNeedDrain(): boolean {
    return this.#isFull;
  }

  get writableEnded(): boolean {
    return this.#hasEnded;
  }

  /** What the client sent with its request, beside the request. */
  get metadata(): Metadata {
    return Metadata.fromHttp2Headers(this.#options.headers);
  }

  getPath(): string {
    return this.#options.path;
  }

  getPeer(): string {
    return this.#options.peer;
  }

  /** The client's certificate, over TLS. */
  getAuthContext(): { readonly sslPeerCertificate?: { readonly serialNumber: string } } {
    const socket = this.#stream.session?.socket as Partial<TLSSocket> | undefined; // If it is TLS.
    const certificate = socket?.getPeerCertificate?.();
    return certificate === undefined ? {} : { sslPeerCertificate: certificate };
  }

  /** No message is handed over from here on, until `resume`. */
  pause(): this {
    this.#isPaused = true;
    this.#stream.pause();
    return this;
  }

  resume(): this {
    if (!this.#isPaused) return this;
    this.#isPaused = false;
    // The handler is still being told of the last message, or is about to listen for more.
    process.nextTick(this.#continue);
    return this;
  }

  /** Sends the headers now, not with the first message. */
  sendMetadata(metadata?: Metadata): void {
    const stream = this.#stream;
    if (stream.headersSent || this.#hasEnded || stream.destroyed) return;
    stream.respond(
      { ...RESPONSE_HEADERS, ...metadata?.toHttp2Headers() },
      { waitForTrailers: true },
    );
  }

  /** Sends a message; false, if no more should be sent until 'drain'. */
  write(message: Buffer, written?: Written): boolean {
    if (this.#hasEnded || this.#stream.destroyed) {
      if (written) process.nextTick(written, new Error('the call has ended'));
      return false;
    }
    const { messageBytesMax } = this.#options;
    if (message.length > messageBytesMax) {
      const text = `grpc: trying to send message larger than max (${message.length} vs. ${messageBytesMax})`;
      this.fail({ code: status.RESOURCE_EXHAUSTED, details: text });
      if (written) process.nextTick(written, new Error(text));
      return false;
    }
    this.sendMetadata();
    const bytes = framed(message);
    this.#aheadCount += 1;
    this.#aheadBytes += bytes.length;
    this.#stream.write(bytes, (error) => {
      this.#aheadCount -= 1;
      this.#aheadBytes -= bytes.length;
      written?.(error);
      if (!this.#isFull || this.#aheadCount > 0) return;
      this.#isFull = false;
      this.emit('drain');
    });
    this.#isFull ||= this.#aheadCount >= AHEAD_COUNT_MAX || this.#aheadBytes >= AHEAD_BYTES_MAX;
    return !this.#isFull;
  }

  /** Ends the call well, once what was written has been sent. */
  end(metadata?: Metadata): void {
    this.fail({ code: status.OK, details: 'OK', metadata });
  }

  /** Answers a call that gets one message, or ends it with an error. */
  readonly answer = (
    error: Partial<CallStatus> | null,
    message?: Buffer | null,
    trailer?: Metadata,
  ): void => {
    if (error !== null) {
      this.fail({ ...statusOf(error), metadata: error.metadata ?? trailer });
      return;
    }
    this.write(message ?? Buffer.alloc(0));
    this.end(trailer);
  };

  /** Ends the call with a status, once what was written has been sent. */
  fail({ code, details, metadata }: CallStatus): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#options.onStatus(code);
    const stream = this.#stream;
    if (stream.destroyed) return;
    const trailers = {
      ...metadata?.toHttp2Headers(),
      'grpc-status': String(code),
      'grpc-message': encodeDetails(details),
    };
    if (stream.headersSent) {
      stream.once('wantTrailers', () => stream.sendTrailers(trailers));
      stream.end();
    } else {
      stream.respond({ ...RESPONSE_HEADERS, ...trailers }, { endStream: true });
    }
    this.#readNoMore();
  }

  /** When its time is up, in milliseconds since 1970; infinity, if the client has said nothing of it. */
  getDeadline(): number {
    return this.#deadline;
  }

  /** Ends the call if it has not ended by then. */
  expireIn(limitMs: number): void {
    this.#deadline = Date.now() + limitMs;
    const timer = setTimeout(() => this.#expire(), limitMs);
    timer.unref();
    this.once('close', () => clearTimeout(timer));
  }

  #expire(): void {
    if (this.#hasEnded) return;
    this.fail({ code: status.DEADLINE_EXCEEDED, details: 'context deadline exceeded' });
    this.#cancel();
  }

  /** What a client still sends is thrown away, and it is told to stop. */
  #readNoMore(): void {
    const stream = this.#stream;
    if (this.#isHalfClosed) return;
    stream.off('data', this.#onData);
    stream.resume();
    const stop = (): void => stream.close(constants.NGHTTP2_NO_ERROR);
    if (stream.writableFinished) stop();
    else stream.once('finish', stop);
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#reader.add(chunk);
    if (!this.#isPaused) this.#handOver();
  };

  /** Every message that is whole, until the handler wants no more for now. */
  #handOver(): void {
    try {
      while (!this.#isPaused && !this.#hasEnded) {
        const message = this.#reader.next();
        if (message === undefined) return;
        this.emit('data', message);
      }
    } catch (error) {
      if (!(error instanceof FramingError)) throw error;
      this.fail({ code: error.code, details: error.message });
    }
  }

  readonly #continue = (): void => {
    if (this.#isPaused) return;
    this.#handOver();
    if (this.#isPaused || this.#hasEnded) return;
    if (this.#isHalfClosed) this.#ended();
    else this.#stream.resume();
  };

  readonly #onHalfClosed = (): void => {
    this.#isHalfClosed = true;
    if (!this.#isPaused) this.#ended();
  };

  #ended(): void {
    if (this.#hasEnded || this.cancelled || this.#hasToldEnd) return;
    if (this.#reader.hasMore) {
      this.fail({ code: status.INTERNAL, details: 'unexpected EOF' });
      return;
    }
    this.#hasToldEnd = true;
    this.emit('end');
  }

  readonly #onAborted = (): void => {
    if (!this.#hasEnded) this.#cancel();
  };

  readonly #onClose = (): void => {
    if (!this.#hasEnded) this.#cancel();
    this.emit('close');
  };

  #cancel(): void {
    if (this.cancelled) return;
    this.cancelled = true;
    this.#hasEnded = true;
    this.emit('cancelled', 'cancelled');
  }
}

/** What a handler's error says; a code that is missing is UNKNOWN, as in every gRPC. */
function statusOf(error: Partial<CallStatus> & { readonly message?: string }): CallStatus {
  const { code = status.UNKNOWN, metadata } = error;
  const details = error.details ?? error.message ?? 'Unknown Error';
  return { code: Number.isInteger(code) ? code : status.UNKNOWN, details, metadata };
}
