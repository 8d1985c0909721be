/**
 * `loggregator.v2.Egress`: the door for those that read v2 envelopes of all Dopplers.
 *
 *     Doppler ──▶ ┐
 *     Doppler ──▶ ├─ tags ──▶ BoundedQueue ──▶ StreamPump ──▶ reader
 *     Doppler ──▶ ┘           drops oldest
 *
 * Each reader has streams of its own to every Doppler, which are always read: while a reader is
 * slower than what it asked for, exactly the oldest envelopes of its queue are dropped and
 * counted. (Loggregator v107.0.21 drops the newest. No client can tell, for nothing numbers the
 * envelopes; whoever watches live rather misses what is old.) What still waits when a reader
 * leaves counts as dropped too. A reader that vanishes leaves its shards at the Dopplers at once.
 *
 * A batch goes out as the bytes that came in, unless the reader's tag preference needs an edit or
 * the batch is larger than what Go's clients take. Per batch: a scan, a put, a take, a write.
 */

import { Metadata, type ServerWritableStream, status } from '@grpc/grpc-js';
import {
  BoundedQueue,
  type Clock,
  type GrpcService,
  type Log,
  StreamPump,
} from '@standpipe/plumbing';
import { Batch, egressService, PackedBatch, scanBatch } from '@standpipe/protos';
import type { ProxyMetrics } from './metrics.ts';
import { type ReaderRequest, RequestError, readRequest } from './request.ts';
import { ReaderTags } from './tags.ts';
import type { Upstream } from './upstream.ts';

/** The most that waits for one reader. */
const BUFFER_COUNT = 10_000;
const BUFFER_BYTES = 16 * 1024 * 1024;

/** Clients with gRPC's default limit take 4 MiB; what is larger is sent in several messages. */
const MESSAGE_BYTES_MAX = 3.5 * 1024 * 1024;

/**
 * How long a stream stays open, when the proxy stops, after its last byte was written. The
 * connection closes with its last stream, and readers built on grpc-js lose what they hold then.
 */
const LINGER_MS = 500;

/** Streams to Dopplers in all; the original has as many slots. */
const UPSTREAM_READERS_MAX = 2000;

export interface EgressOptions {
  readonly upstream: Upstream;
  readonly metrics: ProxyMetrics;
  readonly log: Log;
  readonly clock: Clock;
  readonly maxStreams: number;
}

type Call = ServerWritableStream<Buffer, Buffer>;

export class Egress {
  readonly service: GrpcService;
  readonly #upstream: Upstream;
  readonly #metrics: ProxyMetrics;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #maxStreams: number;
  readonly #batch = new Batch();
  readonly #tags = new ReaderTags();
  /** The readers that are served: what ends each of them, once it has what waits for it. */
  readonly #endings = new Set<() => void>();
  /** All calls, those included that are about to be refused. */
  #streams = 0;
  #isStopping = false;

  constructor({ upstream, metrics, log, clock, maxStreams }: EgressOptions) {
    this.#upstream = upstream;
    this.#metrics = metrics;
    this.#log = log;
    this.#clock = clock;
    this.#maxStreams = maxStreams;
    const batchedReceiver = (call: Call): void => void this.#receive(call, true);
    const receiver = (call: Call): void => void this.#receive(call, false);
    this.service = { definition: egressService, implementation: { batchedReceiver, receiver } };
  }

  /** Takes no more readers; those that are there get what waits, and their streams end with OK. */
  stop(): void {
    this.#isStopping = true;
    for (const end of this.#endings) end();
  }

  async #receive(call: Call, isBatched: boolean): Promise<void> {
    this.#streams += 1;
    this.#metrics.subscriptions.add(1);
    try {
      const request = this.#check(call, isBatched);
      if (request !== undefined) await this.#serve(call, request, isBatched);
    } finally {
      this.#streams -= 1;
      this.#metrics.subscriptions.add(-1);
    }
  }

  /** The request of a reader that will be served; a reader that won't be has been told so. */
  #check(call: Call, isBatched: boolean): ReaderRequest | undefined {
    if (this.#isStopping) {
      return refuse(call, status.UNAVAILABLE, 'the reverse log proxy is shutting down');
    }
    if (this.#streams > this.#maxStreams) {
      this.#metrics.rejectedStreams.add(1);
      const details = `unable to create stream, max egress streams reached: ${this.#maxStreams}`;
      return refuse(call, status.RESOURCE_EXHAUSTED, details);
    }
    try {
      const request = readRequest(call.request, isBatched);
      if (this.#endings.size < UPSTREAM_READERS_MAX) return request;
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      const code = error.isMalformed ? status.INTERNAL : status.INVALID_ARGUMENT;
      return refuse(call, code, error.message);
    }
    return refuse(call, status.UNKNOWN, 'unable to setup subscription');
  }

  async #serve(call: Call, request: ReaderRequest, isBatched: boolean): Promise<void> {
    const metrics = this.#metrics;
    // Headers now, not with the first batch: a reader can tell at once that it is served.
    call.sendMetadata(new Metadata());
    const queue = this.#queueFor(call, request, isBatched);
    const streams = this.#upstream.subscribe(request.upstream, (bytes) => {
      this.#accept(bytes, request, isBatched, queue);
    });
    const end = (): void => {
      streams[Symbol.dispose]();
      queue.close();
    };
    this.#endings.add(end);
    call.once('cancelled', end);

    const pump = new StreamPump<PackedBatch>({ onLost: ({ count }) => metrics.dropped.add(count) });
    await pump.pump(queue, call, ({ count }) => metrics.egress.add(count));
    this.#endings.delete(end);
    end();
    queue.clear();
    if (this.#isStopping && !call.cancelled) await this.#clock.sleep(LINGER_MS);
    call.end();
  }

  /** Takes a batch from a Doppler into a reader's queue. */
  #accept(
    bytes: Buffer,
    request: ReaderRequest,
    isBatched: boolean,
    queue: BoundedQueue<PackedBatch>,
  ): void {
    const batch = this.#batch;
    if (!scanBatch(bytes, batch)) {
      this.#metrics.malformed.add(1);
      this.#log.limited(
        'malformed',
        'error',
        { reason: batch.mistake },
        'a Doppler sent a bad batch',
      );
      return;
    }
    this.#metrics.ingress.add(batch.count);
    const packed = this.#tags.apply(batch, request.usePreferredTags);
    if (isBatched) putInPieces(queue, packed);
    else this.#putSingly(queue, packed);
  }

  /** The unbatched door sends bare envelopes, each a message of its own. */
  #putSingly(queue: BoundedQueue<PackedBatch>, packed: PackedBatch): void {
    const batch = this.#batch;
    if (packed.bytes !== batch.bytes) scanBatch(packed.bytes, batch);
    for (let index = 0; index < batch.count; index += 1) {
      queue.put(new PackedBatch(batch.envelope(index), 1));
    }
  }

  #queueFor(call: Call, request: ReaderRequest, isBatched: boolean): BoundedQueue<PackedBatch> {
    const { shardId, selectors } = request;
    const peer = call.getPeer();
    let droppedCount = 0;
    const queue: BoundedQueue<PackedBatch> = new BoundedQueue<PackedBatch>({
      maxCount: BUFFER_COUNT,
      maxBytes: BUFFER_BYTES,
      ...(isBatched ? { join: PackedBatch.concat } : {}),
      onDrop: (count) => {
        droppedCount += count;
        this.#metrics.dropped.add(count);
        if (queue.closed) return; // It left; it was not slow.
        const fields = { shard_id: shardId, selectors, peer, count, in_all: droppedCount };
        const text = 'dropped the oldest envelopes of a slow reader';
        this.#log.limited(`dropped ${shardId} ${selectors}`, 'warn', fields, text);
      },
    });
    return queue;
  }
}

/** Puts a batch into the queue, in halves of halves when it is too large for one message. */
function putInPieces(queue: BoundedQueue<PackedBatch>, batch: PackedBatch): void {
  if (batch.byteLength <= MESSAGE_BYTES_MAX || batch.count <= 1) {
    queue.put(batch);
    return;
  }
  const half = batch.count >> 1;
  putInPieces(queue, batch.first(half));
  putInPieces(queue, batch.withoutFirst(half));
}

function refuse(call: Call, code: status, details: string): undefined {
  call.emit('error', { code, details });
}
