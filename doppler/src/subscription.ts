/**
 * The subscriptions that are open: each a gRPC stream with a bounded queue before it.
 *
 *     router ──▶ BoundedQueue ──▶ StreamPump ──▶ stream of the subscriber
 *                drops oldest
 *
 * The router puts and never waits. While a subscriber is slower than what it asked for, exactly
 * the oldest envelopes of its queue are dropped; they are counted, and the log says whose they
 * were: shard, selectors and peer. What still waits when a subscriber leaves, or when its stream
 * breaks, counts as dropped as well, so that given = egress + dropped + waiting always holds.
 *
 * Parts that waited together leave together (plumbing's pace.ts), up to 1,000 envelopes or 256 KiB
 * in a message. A queue holds bytes that the subscribers mostly share.
 */

import { type ServerWritableStream, status } from '@grpc/grpc-js';
import {
  BoundedQueue,
  type Log,
  MAX_MESSAGE_BYTES,
  Pace,
  Rounds,
  StreamPump,
} from '@standpipe/plumbing';
import { PackedBatch } from '@standpipe/protos';
import type { Sink } from './fanout.ts';
import type { DopplerMetrics } from './metrics.ts';
import { shorten } from './selectors.ts';
import type { SlowSubscribers } from './slow-subscribers.ts';

/** The gRPC stream of one subscriber. */
export type SubscriberCall = ServerWritableStream<Buffer, Buffer>;

export interface SubscriptionOptions {
  readonly shardId: string;
  /** What is subscribed to, for the log. */
  readonly wants: string;
  /** The most envelopes that may wait. */
  readonly bufferSize: number;
  /** The most envelopes in one message. Default MESSAGE_ENVELOPES_MAX. */
  readonly messageSize?: number;
  /** Registers the sink; the subscription lasts until what is returned is disposed of. */
  readonly subscribe: (sink: Sink) => Disposable;
}

export interface SubscriptionsOptions {
  readonly metrics: DopplerMetrics;
  readonly slow: SlowSubscribers;
  readonly log: Log;
  /** The most bytes that may wait for one subscriber. */
  readonly bufferBytes: number;
  /** The most subscriptions at a time; one more is refused. */
  readonly maxSubscriptions: number;
}

/** What is gathered for one message; far below the 4 MiB that readers in Go take. */
export const MESSAGE_ENVELOPES_MAX = 1000;
const MESSAGE_BYTES_MAX = 256 * 1024;

const TOO_LARGE = 'dropped an envelope that is too large for any reader';
const REFUSED = 'refused a subscription whose request is malformed';

export class Subscriptions {
  readonly #metrics: DopplerMetrics;
  readonly #slow: SlowSubscribers;
  readonly #log: Log;
  readonly #bufferBytes: number;
  readonly #maxSubscriptions: number;
  readonly #open = new Map<BoundedQueue<PackedBatch>, Pace>();
  readonly #rounds = new Rounds();
  #isClosed = false;

  constructor({ metrics, slow, log, bufferBytes, maxSubscriptions }: SubscriptionsOptions) {
    this.#metrics = metrics;
    this.#slow = slow;
    this.#log = log;
    this.#bufferBytes = bufferBytes;
    this.#maxSubscriptions = maxSubscriptions;
  }

  /** A subscriber's request; undefined, when it can't be read, and the call is refused. */
  read<T>(call: SubscriberCall, message: { decode(bytes: Buffer): T }): T | undefined {
    try {
      return message.decode(call.request);
    } catch (error) {
      const mistake = error instanceof Error ? error.message : String(error);
      this.#metrics.malformed.add(1);
      this.#log.limited('malformed request', 'warn', { peer: call.getPeer(), mistake }, REFUSED);
      refuse(call, status.INTERNAL, `malformed request: ${mistake}`);
      return undefined;
    }
  }

  /** Serves a subscriber until it leaves, or until all are closed and it has what waited for it. */
  async serve(call: SubscriberCall, options: SubscriptionOptions): Promise<void> {
    if (this.#isClosed) {
      refuse(call, status.UNAVAILABLE, 'the doppler is shutting down');
      return;
    }
    if (this.#open.size >= this.#maxSubscriptions) {
      this.#metrics.refusedSubscriptions.add(1);
      refuse(
        call,
        status.RESOURCE_EXHAUSTED,
        `the limit of ${this.#maxSubscriptions} subscriptions is reached`,
      );
      return;
    }
    const { messageSize = MESSAGE_ENVELOPES_MAX } = options;
    const { egress, droppedEgress, subscriptions } = this.#metrics;
    const queue = this.#queueFor(call, options);
    const pace = new Pace(this.#rounds);
    const subscription = options.subscribe(this.#sinkFor(queue, pace, call));
    const pump = new StreamPump<PackedBatch>({
      maxCount: messageSize,
      maxBytes: MESSAGE_BYTES_MAX,
      onLost: ({ count }) => droppedEgress.add(count),
      gather: pace.gather,
    });

    this.#open.set(queue, pace);
    subscriptions.add(1);
    await pump.pump(queue, call, ({ count }) => egress.add(count));
    subscription[Symbol.dispose]();
    subscriptions.add(-1);
    this.#open.delete(queue);

    queue.close();
    queue.clear();
    call.end();
  }

  /** Takes no more subscribers; those that are there get what waits, and their streams end. */
  close(): void {
    this.#isClosed = true;
    for (const [queue, pace] of this.#open) {
      queue.close();
      pace.hurry();
    }
  }

  #queueFor(call: SubscriberCall, options: SubscriptionOptions): BoundedQueue<PackedBatch> {
    const { wants, bufferSize, messageSize = MESSAGE_ENVELOPES_MAX } = options;
    const dropped = this.#slow.subscriber({
      shardId: shorten(options.shardId),
      selectors: wants,
      peer: call.getPeer(),
    });
    const queue: BoundedQueue<PackedBatch> = new BoundedQueue<PackedBatch>({
      maxCount: bufferSize,
      maxBytes: this.#bufferBytes,
      ...(messageSize > 1 ? { join: PackedBatch.concat } : {}),
      onDrop: (count) => {
        this.#metrics.droppedEgress.add(count);
        if (!queue.closed) dropped(count); // Else it left, or we do; it was not slow.
      },
    });
    return queue;
  }

  /** The queue, behind a guard against what would end the stream, for no reader takes it. */
  #sinkFor(queue: BoundedQueue<PackedBatch>, pace: Pace, call: SubscriberCall): Sink {
    return {
      put: (part) => {
        if (part.byteLength <= MAX_MESSAGE_BYTES) {
          queue.put(part);
          if (isFull(queue)) pace.hurry();
          return;
        }
        this.#metrics.droppedEgress.add(part.count);
        const fields = { peer: call.getPeer(), bytes: part.byteLength };
        this.#log.limited('too large', 'warn', fields, TOO_LARGE);
      },
    };
  }
}

/** Whether to wait for more would make no larger a message, or lose something. */
function isFull({ count, maxCount, byteLength }: BoundedQueue<PackedBatch>): boolean {
  return count >= Math.min(MESSAGE_ENVELOPES_MAX, maxCount / 2) || byteLength >= MESSAGE_BYTES_MAX;
}

/** Ends a subscriber's call with an error, before anything was sent. */
export function refuse(call: SubscriberCall, code: status, details: string): void {
  call.emit('error', { code, details });
}
