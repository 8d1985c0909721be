/**
 * Sends what syslog brings to a Log Cache or an agent.
 *
 *     put ──▶ gathered ──▶ queue (100,000 envelopes, 64 MiB) ──▶ one Send at a time
 *              512, or the next turn                              512 each, within 3 s
 *
 * `put` never waits. While nobody is there a batch is tried again, after pauses up to 2 s, and the
 * queue holds what comes; when it is full exactly the oldest drop. One that was not answered in
 * time, or was refused, may have been taken and is not sent again: it counts as dropped, and each
 * failure in `nozzle_err`. One Send at a time keeps the order, which the original does not.
 */

import * as grpc from '@grpc/grpc-js';
import {
  Backoff,
  BoundedQueue,
  type Clock,
  dial,
  type Log,
  type Metrics,
  type Tls,
} from '@standpipe/plumbing';
import {
  BatchBuilder,
  ingressService,
  logCacheIngressService,
  PackedBatch,
  type RawMethod,
} from '@standpipe/protos';
import { encodeSendRequest } from '../messages.ts';
import { type NozzleMetrics, nozzleMetrics } from './metrics.ts';

/** Whom envelopes go to. */
export interface Destination {
  readonly kind: 'log-cache' | 'agent';
  readonly address: string;
  readonly tls: Tls | undefined;
}

const SERVER_NAMES = { 'log-cache': 'log-cache', agent: 'metron' } as const;
const BATCH_COUNT_MAX = 512;
/** Below what a Log Cache without TLS takes, 4 MiB. */
const BATCH_BYTES_MAX = 2 * 2 ** 20;
const QUEUE_COUNT_MAX = 100_000;
const QUEUE_BYTES_MAX = 64 * 2 ** 20;
const SEND_LIMIT_MS_DEFAULT = 3000;
const PAUSE = { firstMs: 50, maxMs: 2000 };
/** How long what waits may take to leave when this is disposed of. */
const DRAIN_MS = 5000;

export interface NozzleOptions {
  readonly destination: Destination;
  readonly metrics: Metrics;
  readonly log: Log;
  readonly clock: Clock;
  /** How long a Send may take. Default 3 s. */
  readonly sendLimitMs?: number;
}

export class Nozzle implements AsyncDisposable {
  readonly #destination: Destination;
  readonly #client: grpc.Client;
  readonly #metrics: NozzleMetrics;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #sendLimitMs: number;
  readonly #builder = new BatchBuilder();
  readonly #queue: BoundedQueue<PackedBatch>;
  readonly #backoff = new Backoff(PAUSE);
  readonly #giveUp = new AbortController();
  readonly #sending: Promise<void>;
  #flushing = false;

  constructor({ destination, metrics, log, clock, sendLimitMs }: NozzleOptions) {
    const { kind, address, tls } = destination;
    this.#destination = destination;
    this.#client = dial({ address, tls, serverName: SERVER_NAMES[kind] });
    this.#metrics = nozzleMetrics(metrics, () => this.#queue.count + this.#builder.count);
    this.#log = log;
    this.#clock = clock;
    this.#sendLimitMs = sendLimitMs ?? SEND_LIMIT_MS_DEFAULT;
    this.#queue = new BoundedQueue<PackedBatch>({
      maxCount: QUEUE_COUNT_MAX,
      maxBytes: QUEUE_BYTES_MAX,
      onDrop: (count) => this.#drop(count, 'too many wait'),
      join: PackedBatch.concat,
    });
    this.#sending = this.#send();
  }

  /** Takes a bare envelope in; its bytes are copied. */
  put(envelope: Uint8Array): void {
    this.#metrics.ingress.add(1);
    this.#builder.addBytes(envelope);
    if (this.#builder.count >= BATCH_COUNT_MAX || this.#builder.byteLength >= BATCH_BYTES_MAX) {
      this.#flush();
    } else if (!this.#flushing) {
      this.#flushing = true;
      setImmediate(() => {
        this.#flushing = false;
        this.#flush();
      });
    }
  }

  /** Takes no more in, and sends what waits, for 5 s at most. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#flush();
    this.#queue.close();
    const cut = setTimeout(() => {
      this.#queue.clear();
      this.#giveUp.abort();
    }, DRAIN_MS);
    await this.#sending;
    clearTimeout(cut);
    this.#client.close();
  }

  #flush(): void {
    if (this.#builder.count > 0) this.#queue.put(this.#builder.take());
  }

  async #send(): Promise<void> {
    for (;;) {
      await this.#queue.whenReady();
      const batch = this.#queue.take(BATCH_COUNT_MAX, BATCH_BYTES_MAX);
      if (batch) await this.#deliver(batch);
      else if (this.#queue.closed) return;
    }
  }

  async #deliver(batch: PackedBatch): Promise<void> {
    const { address } = this.#destination;
    for (;;) {
      const error = await this.#call(batch);
      if (error === null) {
        this.#metrics.egress.add(batch.count);
        this.#backoff.reset();
        return;
      }
      this.#metrics.err.add(1);
      this.#log.limited('send', 'warn', { address, error }, 'a batch could not be sent');
      // Only who is away has surely not taken it.
      if (error.code !== grpc.status.UNAVAILABLE || this.#giveUp.signal.aborted) {
        this.#drop(batch.count, 'it was not taken');
        return;
      }
      await this.#clock.sleep(this.#backoff.next(), this.#giveUp.signal);
    }
  }

  #call(batch: PackedBatch): Promise<grpc.ServiceError | null> {
    const isCache = this.#destination.kind === 'log-cache';
    const method: RawMethod = isCache ? logCacheIngressService.send : ingressService.send;
    const request = isCache ? encodeSendRequest(batch, false) : batch.bytes;
    return new Promise((resolve) => {
      this.#client.makeUnaryRequest(
        method.path,
        method.requestSerialize,
        method.responseDeserialize,
        request,
        new grpc.Metadata(),
        { deadline: Date.now() + this.#sendLimitMs },
        (error) => resolve(error),
      );
    });
  }

  #drop(count: number, reason: string): void {
    const { address } = this.#destination;
    this.#metrics.dropped.add(count);
    this.#log.limited('dropped', 'warn', { address, count, reason }, 'envelopes were dropped');
  }
}
