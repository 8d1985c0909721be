/**
 * A way to one peer: what is added is gathered into batches, waits in a bounded queue for a
 * connection, and goes out in order over one `BatchSender` stream at a time.
 *
 *     add ──▶ builder ──100 envelopes or 64 KiB──▶ queue ──▶ stream on whichever client `route` names
 *                └────── when the pace lets what waits go ────────────────▶
 *
 * What little is added goes out on the next turn of the event loop; more than that leaves in rounds
 * of 15 ms, or when 500 envelopes or 256 KiB wait, so load makes large messages and rest makes fast ones. When
 * the queue is full exactly the oldest envelopes go, and `onDrop` hears how many. When the route
 * changes, the stream is ended, its answer awaited, and the next one begun: order is kept.
 * Envelopes that a broken stream may or may not have delivered are `unconfirmed`, never sent twice.
 *
 * Hot: `added` is called per batch or envelope, and allocates nothing but a full batch.
 */

import { once } from 'node:events';
import type { Client } from '@grpc/grpc-js';
import {
  Backoff,
  BoundedQueue,
  type Log,
  MAX_MESSAGE_BYTES,
  Pace,
  Rounds,
  systemClock,
} from '@standpipe/plumbing';
import { BatchBuilder, PackedBatch } from '@standpipe/protos';
import { IngressStream } from './ingress-client-stream.ts';

/** A batch is full with this many envelopes, as Loggregator's clients make them, … */
const BATCH_COUNT = 100;
/** … or with this many bytes. */
const BATCH_BYTES = 64 * 1024;
/**
 * So much of what has had to wait goes out in one message, and need not wait any longer. A
 * Doppler's subscriber may have a buffer of no more than 1,000 envelopes.
 */
const MESSAGE_COUNT = 500;
const MESSAGE_BYTES = 256 * 1024;
/** How long disposing of a lane may wait for what is queued. */
const FLUSH_LIMIT_MS = 3_000;
const BACKOFF_FIRST_MS = 50;
const BACKOFF_MAX_MS = 2_000;
/** A stream that lived for less than this does not shorten the wait before the next one. */
const STABLE_AFTER_MS = 1_000;

export interface IngressLaneOptions {
  /** The client to send on now; undefined when there is none. */
  readonly route: () => Client | undefined;
  /** The most envelopes, and bytes, that may wait. */
  readonly maxCount: number;
  readonly maxBytes: number;
  readonly onDrop: (count: number) => void;
  readonly onSent: (count: number, bytes: number) => void;
  readonly onUnconfirmed: (count: number) => void;
  /** Called with 1 when a stream is opened, and with -1 when it has ended. */
  readonly onStream?: (change: number) => void;
  /** Those of the process; default, of this lane alone. */
  readonly rounds?: Rounds;
  readonly log: Log;
}

interface Waiter {
  readonly target: number;
  readonly resolve: () => void;
}

export class IngressLane implements AsyncDisposable {
  /** Put envelopes in here, and call `added` after each. */
  readonly builder: BatchBuilder = new BatchBuilder();
  readonly #options: IngressLaneOptions;
  readonly #queue: BoundedQueue<PackedBatch>;
  readonly #backoff = new Backoff({ firstMs: BACKOFF_FIRST_MS, maxMs: BACKOFF_MAX_MS });
  readonly #cut = new AbortController();
  readonly #running: Promise<void>;
  #stream: IngressStream | undefined;
  #taken = 0; // Envelopes that left the builder,
  #gone = 0; // and those of them that were sent or dropped.
  #waiters: Waiter[] = [];
  #isClosing = false;
  readonly #pace: Pace;
  #wakeUp: (() => void) | undefined;

  constructor(options: IngressLaneOptions) {
    this.#options = options;
    this.#pace = new Pace(options.rounds ?? new Rounds());
    this.#queue = new BoundedQueue<PackedBatch>({
      maxCount: options.maxCount,
      maxBytes: options.maxBytes,
      onDrop: (count) => this.#drop(count),
      join: PackedBatch.concat,
    });
    this.#running = this.#run();
  }

  /** Envelopes that wait for the transport. */
  get waiting(): number {
    return this.builder.count + this.#taken - this.#gone;
  }

  /** Says that the builder has got one more. */
  added(): void {
    const { builder } = this;
    if (this.#isClosing) {
      this.#options.onDrop(builder.take().count);
    } else if (builder.count >= BATCH_COUNT || builder.byteLength >= BATCH_BYTES) {
      this.#enqueueBuilt();
      this.#filled();
    } else {
      this.#begin();
    }
  }

  /** Queues a batch, after what is in the builder. */
  put(batch: PackedBatch): void {
    if (this.#isClosing) {
      this.#options.onDrop(batch.count);
      return;
    }
    this.#enqueueBuilt();
    this.#enqueue(batch);
    this.#filled();
  }

  /** Says that `route` may answer differently. */
  rerouted(): void {
    this.#wake();
  }

  /** Resolves when all that was added before has been handed to the transport, or dropped. */
  flush(): Promise<void> {
    this.#enqueueBuilt();
    this.#wake();
    const target = this.#taken;
    if (this.#gone >= target) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push({ target, resolve }));
  }

  /** Takes no more in, sends what waits within 3 s, counts the rest as dropped, ends the stream. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isClosing) {
      const flushed = this.flush();
      this.#isClosing = true;
      const limit = setTimeout(() => this.#giveUp(), FLUSH_LIMIT_MS);
      await Promise.race([flushed, once(this.#cut.signal, 'abort')]);
      clearTimeout(limit);
      this.#cut.abort();
      this.#wake();
    }
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#cut.signal.aborted) {
      const client = this.#options.route();
      if (client) await this.#carry(client);
      else await this.#sleep();
    }
    this.#queue.close();
    this.#queue.clear();
  }

  /** Sends over one stream until it breaks, the route changes, or the lane is closed. */
  async #carry(client: Client): Promise<void> {
    const { route, onSent, onStream, onUnconfirmed } = this.#options;
    const openedAt = systemClock.now();
    const stream = new IngressStream(client, () => this.#wake());
    this.#stream = stream;
    onStream?.(1);
    while (!stream.hasEnded && !this.#cut.signal.aborted && route() === client) {
      const batch = this.#next();
      if (batch) {
        await stream.write(batch);
        onSent(batch.count, batch.byteLength);
        this.#passed(batch.count);
      } else {
        await this.#sleep();
        if (this.waiting > 0) await this.#pace.gather(() => this.waiting);
      }
    }
    const unconfirmed = await stream.finish();
    this.#stream = undefined;
    onStream?.(-1);
    if (unconfirmed > 0) onUnconfirmed(unconfirmed);
    if (systemClock.now() - openedAt >= STABLE_AFTER_MS) this.#backoff.reset();
    if (stream.mistake) await this.#recover(stream.mistake, unconfirmed);
  }

  async #recover(reason: string, unconfirmed: number): Promise<void> {
    this.#options.log.limited('stream broke', 'warn', { reason, unconfirmed }, 'a stream broke');
    await systemClock.sleep(this.#backoff.next(), this.#cut.signal);
  }

  /** What to send next: the oldest that is queued, else what the builder has. */
  #next(): PackedBatch | undefined {
    const queued = this.#take();
    if (queued || this.builder.count === 0) return queued;
    this.#enqueueBuilt(); // The queue refuses what is too large.
    return this.#take();
  }

  #take(): PackedBatch | undefined {
    return this.#queue.take(MESSAGE_COUNT, MESSAGE_BYTES);
  }

  #enqueueBuilt(): void {
    if (this.builder.count > 0) this.#enqueue(this.builder.take());
  }

  #enqueue(batch: PackedBatch): void {
    this.#taken += batch.count;
    this.#split(batch);
  }

  /** No peer takes a message that is larger than its limit, and one would end the stream. */
  #split(batch: PackedBatch): void {
    if (batch.byteLength <= MAX_MESSAGE_BYTES) {
      this.#queue.put(batch);
    } else if (batch.count === 1) {
      const { byteLength } = batch;
      this.#options.log.limited('too large', 'warn', { byteLength }, 'an envelope is too large');
      this.#drop(1);
    } else {
      const half = batch.count >> 1;
      this.#split(batch.first(half));
      this.#split(batch.withoutFirst(half));
    }
  }

  #drop(count: number): void {
    this.#options.onDrop(count);
    this.#passed(count);
  }

  /** Counts what was sent or dropped, and tells those who wait for it. */
  #passed(count: number): void {
    this.#gone += count;
    while (this.#waiters[0] && this.#waiters[0].target <= this.#gone) {
      this.#waiters.shift()?.resolve();
    }
  }

  #giveUp(): void {
    this.#cut.abort();
    this.#stream?.cancel();
  }

  #sleep(): Promise<void> {
    return new Promise((resolve) => {
      this.#wakeUp = resolve;
    });
  }

  /** Ends the sleep, if there is one, since there is something to send. */
  #begin(): void {
    this.#wakeUp?.();
    this.#wakeUp = undefined;
  }

  /** The same; and a message that is full waits for nothing. */
  #filled(): void {
    this.#begin();
    const { count, maxCount, byteLength } = this.#queue;
    const isFull = count >= Math.min(MESSAGE_COUNT, maxCount / 2) || byteLength >= MESSAGE_BYTES;
    if (isFull) this.#pace.hurry();
  }

  /** Lets the loop look at what has become of its stream or its owner. */
  #wake(): void {
    this.#begin();
    this.#pace.hurry();
  }
}
