/**
 * Sends envelopes on to the shard of this zone that owns them, for its cache.
 *
 *     put ──▶ gathered ──▶ queue (10,000 envelopes, 16 MiB) ──▶ one Send at a time ──▶ owner
 *              100, or the next turn                             100 each, within 3 s
 *
 * Agents send each source to its owner, so little comes this way: envelopes of agents that don't
 * know the shards, or of another zone whose Dopplers are gone. While the owner can't be reached
 * nothing is taken from the queue, so one that is away for a while loses only what has no room.
 * What is lost: the oldest in the queue when the owner is slow or away, and a batch that was sent and
 * that the owner did not take within three seconds; it may have it, so it is not sent again. Each lost
 * envelope is counted in `ingress_dropped` under its owner's index; each batch that failed, and each
 * three seconds in which the owner could not be reached, in `log_cache_send_failures`. A shard that
 * is gone is still sent what waits for it, for two seconds.
 */

import { setTimeout as wait } from 'node:timers/promises';
import { BoundedQueue, type Counter, type Log, type Metrics } from '@standpipe/plumbing';
import { type Batch, BatchBuilder, PackedBatch } from '@standpipe/protos';
import type { LogCacheClient } from './client.ts';
import type { Clients } from './clients.ts';
import { peerDropped, sendFailures } from './metrics.ts';

const BATCH_COUNT_MAX = 100;
const QUEUE_COUNT_MAX = 10_000;
const QUEUE_BYTES_MAX = 16 * 1024 * 1024;
/** Between two looks whether an owner is back. */
const RETRY_MS = 100;
/** How long what waits may take to leave when this is disposed of. */
const DRAIN_MS = 2000;

export interface CacheForwarderOptions {
  readonly clients: Clients;
  readonly metrics: Metrics;
  readonly log: Log;
}

export class CacheForwarder implements AsyncDisposable {
  readonly #clients: Clients;
  readonly #metrics: Metrics;
  readonly #log: Log;
  readonly #failures: Counter;
  readonly #leaving = new Set<Promise<void>>();
  /** By their index in the zone. */
  #peers = new Map<number, Peer>();

  constructor({ clients, metrics, log }: CacheForwarderOptions) {
    this.#clients = clients;
    this.#metrics = metrics;
    this.#log = log;
    this.#failures = sendFailures(metrics);
  }

  /** Says where the other shards of this zone are, by their index. */
  follow(addresses: ReadonlyMap<number, string>): void {
    const known = new Map([...this.#peers.values()].map((peer) => [peer.address, peer]));
    this.#peers = new Map();
    for (const [index, address] of addresses) {
      const dropped = peerDropped(this.#metrics, index);
      const peer = known.get(address) ?? this.#open(address, dropped);
      peer.place(index, dropped);
      known.delete(address);
      this.#peers.set(index, peer);
    }
    for (const peer of known.values()) this.#leave(peer);
  }

  /** Resolves when shards that are gone have been sent what waited, or it is lost. */
  async left(): Promise<void> {
    await Promise.all(this.#leaving);
  }

  /** Sends one envelope of a batch to the shard with this index. Never waits. */
  add(owner: number, batch: Batch, index: number): void {
    this.#peers.get(owner)?.add(batch, index);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const peer of this.#peers.values()) this.#leave(peer);
    this.#peers = new Map();
    await this.left();
  }

  #open(address: string, dropped: Counter): Peer {
    const client = this.#clients.of(address);
    return new Peer({ address, client, dropped, failures: this.#failures, log: this.#log });
  }

  #leave(peer: Peer): void {
    const left = peer[Symbol.asyncDispose]().then(() => void this.#leaving.delete(left));
    this.#leaving.add(left);
  }
}

interface PeerOptions {
  readonly address: string;
  readonly client: LogCacheClient;
  readonly dropped: Counter;
  readonly failures: Counter;
  readonly log: Log;
}

class Peer implements AsyncDisposable {
  readonly address: string;
  readonly #options: PeerOptions;
  readonly #builder = new BatchBuilder();
  readonly #queue: BoundedQueue<PackedBatch>;
  readonly #sending: Promise<void>;
  #index = 0;
  readonly #cut = new AbortController();
  #dropped: Counter;
  #flushing = false;

  constructor(options: PeerOptions) {
    this.#options = options;
    this.address = options.address;
    this.#dropped = options.dropped;
    this.#queue = new BoundedQueue<PackedBatch>({
      maxCount: QUEUE_COUNT_MAX,
      maxBytes: QUEUE_BYTES_MAX,
      onDrop: (count) => this.#dropped.add(count),
      join: PackedBatch.concat,
    });
    this.#sending = this.#send();
  }

  /** Says which shard it is, and where what it loses is counted. */
  place(index: number, dropped: Counter): void {
    this.#index = index;
    this.#dropped = dropped;
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
    const cut = setTimeout(() => this.#giveUp(), DRAIN_MS);
    await this.#sending;
    clearTimeout(cut);
  }

  #flush(): void {
    if (this.#builder.count > 0) this.#queue.put(this.#builder.take());
  }

  async #send(): Promise<void> {
    for (;;) {
      await this.#queue.whenReady();
      if (this.#queue.count === 0 && this.#queue.closed) return;
      if (!(await this.#isReachable())) continue;
      const batch = this.#queue.take(BATCH_COUNT_MAX);
      if (batch) await this.#sendOne(batch);
    }
  }

  /** Waits for the owner, but not for ever. */
  async #isReachable(): Promise<boolean> {
    const { address, client, failures, log } = this.#options;
    const { signal } = this.#cut;
    if (client.isConnected) return true;
    if (await unlessAborted(client.isReachable(), signal)) return true;
    if (signal.aborted) return false;
    failures.add(1);
    const fields = { node: this.#index, address, envelopes: this.#queue.count };
    log.limited(`reach ${address}`, 'warn', fields, 'envelopes wait for an owner that is away');
    await wait(RETRY_MS, undefined, { signal }).catch(() => undefined);
    return false;
  }

  #giveUp(): void {
    if (this.#queue.clear() > 0) this.#options.failures.add(1);
    this.#cut.abort();
  }

  async #sendOne(batch: PackedBatch): Promise<void> {
    const { address, client, failures, log } = this.#options;
    try {
      await client.send(batch, { localOnly: true });
    } catch (error) {
      failures.add(1);
      this.#dropped.add(batch.count);
      const fields = { node: this.#index, address, envelopes: batch.count, error };
      log.limited(`forward ${address}`, 'warn', fields, 'a batch for the owner is lost');
    }
  }
}

/** What the promise gives; false, when the signal is aborted first. */
function unlessAborted(promise: Promise<boolean>, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const give = (value: boolean): void => {
      signal.removeEventListener('abort', abort);
      resolve(value);
    };
    const abort = (): void => give(false);
    signal.addEventListener('abort', abort);
    void promise.then(give);
    if (signal.aborted) abort();
  });
}
