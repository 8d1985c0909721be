/**
 * One client's stream of server-sent events, fed by one stream of the reverse log proxy.
 *
 *     data: {"batch":[…]}⏎⏎                            each batch, as it came
 *     event: heartbeat⏎data: <seconds since 1970>⏎⏎    after 15 s without one
 *     event: closing⏎data: closing due to …⏎⏎          the last, and why
 *
 * Clients read these bytes to the letter: line feeds only, one blank after the colon, a heartbeat of
 * exactly three lines. Loggregator v107.0.21 says `closing` at the stream timeout only. Here it is said
 * as well when the proxy ends the stream and when the gateway stops: whoever knows the event
 * comes back as they would have, and knows why; the answer ends with it either way.
 *
 * Nothing is dropped here: while the client does not read, neither is the proxy's stream, and what
 * is too much drops there, where it is counted. A client that is gone leaves its shards at once; one
 * that has taken nothing for a minute, while there was something, is taken for gone.
 *
 * Hot: per batch a scan, its JSON straight from its bytes, and one write.
 */

import type { ServerResponse } from 'node:http';
import type * as grpc from '@grpc/grpc-js';
import type { Log } from '@standpipe/plumbing';
import { Batch, JsonWriter, scanBatch } from '@standpipe/protos';
import type { GatewayMetrics, StreamEnd } from './metrics.ts';

/** How long a client may take to read its last event. */
const CLOSE_LIMIT_MS = 5000;

const CLOSING = {
  timeout: 'event: closing\ndata: closing due to stream timeout\n\n',
  upstream: 'event: closing\ndata: closing due to the end of the upstream stream\n\n',
  shutdown: 'event: closing\ndata: closing due to shutdown\n\n',
} as const;

/** What all streams of a gateway share: nobody holds the batch or the text across a wait. */
export class SseContext {
  readonly batch: Batch = new Batch();
  readonly json: JsonWriter = new JsonWriter();
  readonly metrics: GatewayMetrics;
  readonly log: Log;
  readonly heartbeatMs: number;
  readonly timeoutMs: number;
  readonly stallMs: number;

  constructor(options: {
    readonly metrics: GatewayMetrics;
    readonly log: Log;
    readonly heartbeatMs: number;
    readonly timeoutMs: number;
    readonly stallMs: number;
  }) {
    this.metrics = options.metrics;
    this.log = options.log;
    this.heartbeatMs = options.heartbeatMs;
    this.timeoutMs = options.timeoutMs;
    this.stallMs = options.stallMs;
  }

  /** An encoded EnvelopeBatch as an event; nothing, if it can't be read. */
  event(bytes: Buffer): Buffer | undefined {
    if (!scanBatch(bytes, this.batch)) return undefined;
    return this.json.raw('data: ').batch(bytes).raw('\n\n').take();
  }
}

export interface SseStreamOptions {
  readonly response: ServerResponse;
  /** A stream of the proxy that was opened. */
  readonly call: grpc.ClientReadableStream<Buffer>;
  /** Aborted when the client is gone. */
  readonly gone: AbortSignal;
}

export class SseStream {
  /** Bytes of the answer's body so far. */
  byteLength = 0;
  readonly #context: SseContext;
  readonly #response: ServerResponse;
  readonly #call: grpc.ClientReadableStream<Buffer>;
  readonly #gone: AbortSignal;
  #heartbeat: NodeJS.Timeout | undefined;
  #timeout: NodeJS.Timeout | undefined;
  /** Whether the client has not yet read what it was sent. */
  #isFull = false;
  #isEnding = false;

  constructor(context: SseContext, { response, call, gone }: SseStreamOptions) {
    this.#context = context;
    this.#response = response;
    this.#call = call;
    this.#gone = gone;
  }

  /**
   * Writes headers and events. Resolves when the answer is over: the client left, the proxy ended
   * the stream, it was time, or `end` was called.
   */
  async run(): Promise<void> {
    if (this.#gone.aborted) {
      this.#call.cancel();
      return;
    }
    const over = new Promise<void>((resolve) => {
      this.#gone.addEventListener('abort', () => resolve(), { once: true });
    });
    this.#writeHead();
    this.#listen();
    await over;
    this.#stop('client');
  }

  /** Says why, and ends the answer; a client that does not take the rest of it is cut. */
  end(reason: keyof typeof CLOSING): void {
    if (!this.#stop(reason)) return;
    const response = this.#response;
    const cut = setTimeout(() => response.destroy(), CLOSE_LIMIT_MS);
    response.once('close', () => clearTimeout(cut));
    this.#write(CLOSING[reason]);
    response.end();
  }

  #writeHead(): void {
    const response = this.#response;
    const isHttp1 = response.req.httpVersionMajor === 1; // HTTP/2 has no such header.
    response.writeHead(200, {
      'Content-Type': 'text/event-stream',
      'Cache-Control': 'no-cache',
      ...(isHttp1 && { Connection: 'keep-alive' }),
    });
    response.flushHeaders();
  }

  #listen(): void {
    const { heartbeatMs, timeoutMs, stallMs, log } = this.#context;
    const response = this.#response;
    const call = this.#call;
    this.#heartbeat = setInterval(() => this.#beat(), heartbeatMs);
    this.#timeout = setTimeout(() => this.end('timeout'), timeoutMs);
    // Heartbeats count as a sign of life as long as the client takes them, so this is a stall.
    response.setTimeout(stallMs, () => this.#cut());
    response.on('drain', () => {
      this.#isFull = false;
      call.resume();
    });
    call.on('data', (bytes: Buffer) => this.#onBatch(bytes));
    call.on('error', ({ details }: grpc.ServiceError) => {
      if (this.#isEnding) return; // It was cancelled.
      log.limited('upstream', 'warn', { reason: details }, 'the proxy ended a stream');
      this.end('upstream');
    });
    call.on('end', () => this.end('upstream'));
  }

  /** Stops reading; false if that was done before. */
  #stop(reason: StreamEnd): boolean {
    if (this.#isEnding) return false;
    this.#isEnding = true;
    clearInterval(this.#heartbeat);
    clearTimeout(this.#timeout);
    this.#call.cancel();
    this.#context.metrics.ended[reason].add(1);
    return true;
  }

  #cut(): void {
    if (this.#stop('stalled')) {
      const { log } = this.#context;
      const peer = this.#response.req.socket.remoteAddress;
      log.limited('stalled', 'warn', { peer }, 'cut a client that took nothing');
    }
    this.#response.destroy();
  }

  #onBatch(bytes: Buffer): void {
    const { batch, metrics, log } = this.#context;
    if (this.#isEnding) return;
    const event = this.#context.event(bytes);
    if (event === undefined) {
      metrics.malformed.add(1);
      log.limited('malformed', 'error', { reason: batch.mistake }, 'a batch could not be read');
      return;
    }
    this.#heartbeat?.refresh();
    metrics.egress.add(batch.count);
    this.#write(event);
  }

  #beat(): void {
    if (this.#isFull) return; // There is enough that it has not read.
    this.#write(`event: heartbeat\ndata: ${Math.floor(Date.now() / 1000)}\n\n`);
  }

  #write(event: Buffer | string): void {
    this.byteLength += event.length; // All text here is ASCII, and JSON comes as bytes.
    if (this.#response.write(event)) return;
    this.#isFull = true;
    this.#call.pause();
  }
}
