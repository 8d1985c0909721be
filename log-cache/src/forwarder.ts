/**
 * Sends envelopes on to the shard of this zone that owns them, for its cache.
 *
 *     put ──▶ gathered ──▶ queue (10,000 envelopes, 16 MiB) ──▶ one Send at a time ──▶ owner
 *              100, or the next turn                             100 each, within 3 s
 *
 * Agents send each source to its owner, so little comes this way: envelopes of agents that don't
 * know the shards, or of another zone whose Dopplers are gone. What is lost: the oldest in the
 * queue when the owner is slow, and a batch that the owner does not take within three seconds; it
 * is not sent again. Each lost envelope is counted in `ingress_dropped` under its owner's index,
 * each batch that failed also in `log_cache_send_failures`.
 */

import { BoundedQueue, type Counter, type Log, type Metrics } from '@standpipe/plumbing';
import { type Batch, BatchBuilder, PackedBatch } from '@standpipe/protos';
import type { LogCacheClient } from './client.ts';
import { peerDropped, sendFailures } from './metrics.ts';

const BATCH_COUNT_MAX = 100;
const QUEUE_COUNT_MAX = 10_000;
const QUEUE_BYTES_MAX = 16 * 1024 * 1024;
/** How long what waits may take to leave when this is disposed of. */
const DRAIN_MS = 2000;

export interface CacheForwarderOptions {
  /** The clients of this zone's shards by index; the caller disposes of them afterwards. */
  readonly peers: ReadonlyMap<number, LogCacheClient>;
  readonly metrics: Metrics;
  readonly log: Log;
}

export class CacheForwarder implements AsyncDisposable {
  readonly #peers: ReadonlyMap<number, Peer>;

  constructor({ peers, metrics, log }: CacheForwarderOptions) {
    const failures = sendFailures(metrics);
    this.#peers = new Map(
      [...peers].map(([index, client]) => {
        const dropped = peerDropped(metrics, index);
        return [index, new Peer({ index, client, dropped, failures, log })];
      }),
    );
  }

  /** Sends one envelope of a batch to the shard with this index. Never waits. */
  add(owner: number, batch: Batch, index: number): void {
    this.#peers.get(owner)?.add(batch, index);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#peers.values()].map((peer) => peer[Symbol.asyncDispose]()));
  }
}

interface PeerOptions {
  readonly index: number;
  readonly client: LogCacheClient;
  readonly dropped: Counter;
  readonly failures: Counter;
  readonly log: Log;
}

class Peer implements AsyncDisposable {
  readonly #options: PeerOptions;
  readonly #builder = new BatchBuilder();
  readonly #queue: BoundedQueue<PackedBatch>;
  readonly #sending: Promise<void>;
  #flushing = false;

  constructor(options: PeerOptions) {
    this.#options = options;
    this.#queue = new BoundedQueue<PackedBatch>({
      maxCount: QUEUE_COUNT_MAX,
      maxBytes: QUEUE_BYTES_MAX,
      onDrop: (count) => options.dropped.add(count),
      join: PackedBatch.concat,
    });
    this.#sending = this.#send();
  }

  add(batch: Batch, index: number): void {
    this.#builder.add(batch, index);
    if (this.#builder.count >= BATCH_COUNT_MAX) this.#flush();
    else if (!this.#flushing) {
      this.#flushing = true;
      setImmediate(() => {
        this.#flushing = false;
        this.#flush();
      });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#flush();
    this.#queue.close();
    const cut = setTimeout(() => this.#queue.clear(), DRAIN_MS);
    await this.#sending;
    clearTimeout(cut);
  }

  #flush(): void {
    if (this.#builder.count > 0) this.#queue.put(this.#builder.take());
  }

  async #send(): Promise<void> {
    for (;;) {
      await this.#queue.whenReady();
      const batch = this.#queue.take(BATCH_COUNT_MAX);
      if (batch) await this.#sendOne(batch);
      else if (this.#queue.closed) return;
    }
  }

  async #sendOne(batch: PackedBatch): Promise<void> {
    const { index, client, dropped, failures, log } = this.#options;
    try {
      await client.send(batch, { localOnly: true });
    } catch (error) {
      failures.add(1);
      dropped.add(batch.count);
      const fields = { node: index, envelopes: batch.count, error };
      log.limited(`forward ${index}`, 'warn', fields, 'a batch for the owner is lost');
    }
  }
}
