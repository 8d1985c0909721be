/**
 * One client's stream of server-sent events, fed by one stream of the reverse log proxy.
 *
 *     data: {"batch":[…]}⏎⏎                                     each batch, as it came
 *     event: heartbeat⏎data: <seconds since 1970>⏎⏎             after 15 s without one
 *     event: closing⏎data: closing due to stream timeout⏎⏎      after STREAM_TIMEOUT, and the end
 *
 * Clients read these bytes to the letter: line feeds only, one blank after the colon, a heartbeat of
 * exactly three lines. When the proxy's stream ends, so does the answer; there is no event for it.
 *
 * Nothing is dropped here: while the client does not read, neither is the proxy's stream, and what
 * is too much drops there, where it is counted. A client that is gone leaves its shards at once.
 *
 * Hot: per batch a scan, its JSON straight from its bytes, and one write.
 */

import type { ServerResponse } from 'node:http';
import type * as grpc from '@grpc/grpc-js';
import type { Log } from '@standpipe/plumbing';
import { Batch, JsonWriter, scanBatch } from '@standpipe/protos';
import type { GatewayMetrics } from './metrics.ts';

/** How long a client may take to read its last event. */
const CLOSE_LIMIT_MS = 5000;

const CLOSING = 'event: closing\ndata: closing due to stream timeout\n\n';

/** What all streams of a gateway share: nobody holds the batch or the text across a wait. */
export class SseContext {
  readonly batch: Batch = new Batch();
  readonly json: JsonWriter = new JsonWriter();
  readonly metrics: GatewayMetrics;
  readonly log: Log;
  readonly heartbeatMs: number;
  readonly timeoutMs: number;

  constructor(options: {
    readonly metrics: GatewayMetrics;
    readonly log: Log;
    readonly heartbeatMs: number;
    readonly timeoutMs: number;
  }) {
    this.metrics = options.metrics;
    this.log = options.log;
    this.heartbeatMs = options.heartbeatMs;
    this.timeoutMs = options.timeoutMs;
  }
}

export class SseStream {
  readonly #context: SseContext;
  readonly #response: ServerResponse;
  readonly #call: grpc.ClientReadableStream<Buffer>;
  #heartbeat: NodeJS.Timeout | undefined;
  #timeout: NodeJS.Timeout | undefined;
  #isEnding = false;

  constructor(
    context: SseContext,
    response: ServerResponse,
    call: grpc.ClientReadableStream<Buffer>,
  ) {
    this.#context = context;
    this.#response = response;
    this.#call = call;
  }

  /**
   * Writes headers and events. Resolves when the answer is over: the client left, the proxy ended
   * the stream, it was time, or `end` was called.
   */
  async run(): Promise<void> {
    const { heartbeatMs, timeoutMs } = this.#context;
    const response = this.#response;
    const call = this.#call;
    const end = (): void => this.end();
    const closed = new Promise<void>((resolve) => response.once('close', () => resolve()));
    response.writeHead(200, {
      'Content-Type': 'text/event-stream',
      'Cache-Control': 'no-cache',
      Connection: 'keep-alive',
    });
    response.flushHeaders();

    this.#heartbeat = setInterval(() => this.#beat(), heartbeatMs);
    this.#timeout = setTimeout(() => this.end(CLOSING), timeoutMs);
    response.on('drain', () => call.resume());
    call.on('data', (bytes: Buffer) => this.#onBatch(bytes));
    call.on('error', end);
    call.on('end', end);
    if (!response.closed) await closed;
    end();
  }

  /** Stops reading and ends the answer; a client that does not take the rest of it is cut. */
  end(last = ''): void {
    if (this.#isEnding) return;
    this.#isEnding = true;
    clearInterval(this.#heartbeat);
    clearTimeout(this.#timeout);
    this.#call.cancel();
    const response = this.#response;
    if (response.closed) return;
    const cut = setTimeout(() => response.destroy(), CLOSE_LIMIT_MS);
    response.once('close', () => clearTimeout(cut));
    response.end(last);
  }

  #onBatch(bytes: Buffer): void {
    const { batch, json, metrics, log } = this.#context;
    if (this.#isEnding) return;
    if (!scanBatch(bytes, batch)) {
      metrics.malformed.add(1);
      log.limited('malformed', 'error', { reason: batch.mistake }, 'a batch could not be read');
      return;
    }
    this.#heartbeat?.refresh();
    metrics.egress.add(batch.count);
    this.#write(json.raw('data: ').batch(bytes).raw('\n\n').take());
  }

  #beat(): void {
    if (this.#response.writableNeedDrain) return; // There is enough that it has not read.
    this.#write(`event: heartbeat\ndata: ${Math.floor(Date.now() / 1000)}\n\n`);
  }

  #write(event: Buffer | string): void {
    if (!this.#response.write(event)) this.#call.pause();
  }
}
