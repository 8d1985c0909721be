/**
 * One reader, from its request to the end of its stream.
 *
 *     Doppler ──▶ ┐
 *     Doppler ──▶ ├─ tags ──▶ BoundedQueue ──▶ StreamPump ──▶ reader
 *     Doppler ──▶ ┘           drops oldest
 *
 * Its streams from the Dopplers are always read: while it is slower than what it asked for,
 * exactly the oldest envelopes of its queue are dropped and counted. (Loggregator v107.0.21 drops
 * the newest. No client can tell, for nothing numbers the envelopes; whoever watches live rather
 * misses what is old.) What still waits when it leaves counts as dropped too, and it leaves its
 * shards at the Dopplers at once.
 *
 * A batch goes out as the bytes that came in, unless the tag preference needs an edit or the batch
 * is larger than what Go's clients take. Hot: per batch a scan, a put, a take, a write.
 */

import { Metadata, type ServerWritableStream } from '@grpc/grpc-js';
import { BoundedQueue, type Log, MAX_MESSAGE_BYTES, StreamPump } from '@standpipe/plumbing';
import { type Batch, PackedBatch, scanBatch } from '@standpipe/protos';
import type { Budget, Waiting } from './budget.ts';
import type { ProxyMetrics } from './metrics.ts';
import type { ReaderRequest } from './request.ts';
import type { ReaderTags } from './tags.ts';
import type { Upstream } from './upstream.ts';

export type Call = ServerWritableStream<Buffer, Buffer>;

/** What all readers share: nobody holds the batch across a wait. */
export interface ReaderContext {
  readonly upstream: Upstream;
  readonly metrics: ProxyMetrics;
  readonly log: Log;
  readonly budget: Budget;
  readonly batch: Batch;
  readonly tags: ReaderTags;
}

/** The most that waits for one reader. */
const BUFFER_COUNT = 10_000;
const BUFFER_BYTES = 16 * 1024 * 1024;

/** Clients with gRPC's default limit take 4 MiB; what is larger is sent in several messages. */
const CLIENT_BYTES_MAX = 3.5 * 1024 * 1024;

export class Reader implements Waiting {
  readonly #context: ReaderContext;
  readonly #call: Call;
  readonly #request: ReaderRequest;
  readonly #queue: BoundedQueue<PackedBatch>;
  #streams: Disposable | undefined;
  #droppedCount = 0;

  constructor(context: ReaderContext, call: Call, request: ReaderRequest) {
    this.#context = context;
    this.#call = call;
    this.#request = request;
    this.#queue = new BoundedQueue<PackedBatch>({
      maxCount: BUFFER_COUNT,
      maxBytes: BUFFER_BYTES,
      ...(request.isBatched ? { join: PackedBatch.concat } : {}),
      onDrop: (count) => this.#dropped(count),
    });
  }

  get waitingBytes(): number {
    return this.#queue.byteLength;
  }

  dropHalf(): void {
    const kept = this.waitingBytes / 2;
    let count = 0;
    while (this.waitingBytes > kept) count += this.#queue.take(1)?.count ?? 0;
    if (count > 0) this.#dropped(count);
  }

  /** Resolves when the reader has left, or `end` was called and it has got what waited for it. */
  async serve(): Promise<void> {
    const { upstream, metrics, budget } = this.#context;
    const call = this.#call;
    // Headers now, not with the first batch: a reader can tell at once that it is served.
    call.sendMetadata(new Metadata());
    this.#streams = upstream.subscribe(this.#request.upstream, (bytes) => this.#accept(bytes));
    call.once('cancelled', () => this.end());
    budget.add(this);

    const pump = new StreamPump<PackedBatch>({ onLost: ({ count }) => metrics.dropped.add(count) });
    await pump.pump(this.#queue, call, ({ count }) => metrics.egress.add(count));
    this.end();
    this.#queue.clear();
    budget.remove(this);
  }

  /** Leaves the Dopplers and takes no more in. What waits is still sent. */
  end(): void {
    this.#streams?.[Symbol.dispose]();
    this.#queue.close();
  }

  /** Takes in a batch from a Doppler. */
  #accept(bytes: Buffer): void {
    const { batch, metrics, log, tags, budget } = this.#context;
    if (!scanBatch(bytes, batch)) {
      metrics.malformed.add(1);
      const fields = { reason: batch.mistake };
      log.limited('malformed', 'error', fields, 'a Doppler sent a bad batch');
      return;
    }
    metrics.ingress.add(batch.count);
    const packed = tags.apply(batch, this.#request.usePreferredTags);
    if (this.#request.isBatched) this.#put(packed);
    else this.#putSingly(packed);
    budget.spend(packed.byteLength);
  }

  /** Puts a batch into the queue, in halves of halves when it is too large for one message. */
  #put(batch: PackedBatch): void {
    if (batch.byteLength > CLIENT_BYTES_MAX && batch.count > 1) {
      const half = batch.count >> 1;
      this.#put(batch.first(half));
      this.#put(batch.withoutFirst(half));
    } else if (batch.byteLength <= MAX_MESSAGE_BYTES) this.#queue.put(batch);
    else this.#dropped(batch.count); // Moving its tags made it larger than a message may be.
  }

  /** The unbatched door sends bare envelopes, each a message of its own. */
  #putSingly(packed: PackedBatch): void {
    const { batch } = this.#context;
    if (packed.bytes !== batch.bytes) scanBatch(packed.bytes, batch);
    for (let index = 0; index < batch.count; index += 1) {
      this.#put(new PackedBatch(batch.envelope(index), 1));
    }
  }

  #dropped(count: number): void {
    this.#droppedCount += count;
    this.#context.metrics.dropped.add(count);
    if (this.#queue.closed) return; // It left; it was not slow.
    const { shardId, selectors } = this.#request;
    const peer = this.#call.getPeer();
    const fields = { shard_id: shardId, selectors, peer, count, in_all: this.#droppedCount };
    const text = 'dropped the oldest envelopes of a slow reader';
    this.#context.log.limited(`dropped ${shardId} ${selectors}`, 'warn', fields, text);
  }
}
