/**
 * Moves what waits in a bounded queue into a gRPC stream, as fast as the peer takes it.
 *
 *     producers ──▶ BoundedQueue ──▶ StreamPump ──▶ stream (16 messages) ──▶ peer
 *                   drops oldest     waits for drain
 *
 * Once the stream says that it is full, nothing is written until it has drained. So a slow peer
 * costs what the stream itself holds and no more; the rest waits in the queue, whose oldest drop.
 *
 * A stream that dies keeps what it took and had not yet passed on to the connection; each of those
 * items goes to `onLost`, so that it can be counted. What the connection took is out of our hands.
 *
 * Hot: one take and one write per item. Waiting costs a promise each time the queue
 * runs dry or the stream full.
 */

import { setImmediate as nextTurn } from 'node:timers/promises';
import type { BoundedQueue, Weighted } from './queue.ts';

/** What a queue must hold to be pumped. */
export interface Message extends Weighted {
  readonly bytes: Buffer;
}

/** A writable side of grpc-js, of a server or a client. */
export interface MessageStream {
  write(bytes: Buffer, callback: (error?: Error | null) => void): boolean;
  on(event: string, listener: () => void): unknown;
  off(event: string, listener: () => void): unknown;
  readonly destroyed?: boolean;
  readonly writableEnded?: boolean;
  readonly cancelled?: boolean;
}

export interface PumpOptions<T> {
  /** The most units in one message, if the queue joins its items. Default 100. */
  readonly maxCount?: number;
  /** The most bytes in one message, if the queue joins its items. Default 1 MiB. */
  readonly maxBytes?: number;
  /** Hears of each item that was taken from the queue and that the stream did not pass on. */
  readonly onLost?: (item: T) => void;
  /**
   * How long to wait for more when less than a message waits, if the queue joins its items; it is
   * given how to tell what waits.
   * Default: till the next turn of the event loop.
   */
  readonly gather?: (waiting: () => number) => Promise<void>;
}

const COUNT_DEFAULT = 100;
const BYTES_DEFAULT = 1024 * 1024;

/** A stream that emits one of these takes nothing more. */
const ENDINGS = ['close', 'error', 'finish', 'cancelled', 'status'] as const;

export class StreamPump<T extends Message> {
  readonly #maxCount: number;
  readonly #maxBytes: number;
  readonly #onLost: ((item: T) => void) | undefined;
  readonly #gather: (waiting: () => number) => Promise<void>;

  constructor(options: PumpOptions<T> = {}) {
    this.#maxCount = options.maxCount ?? COUNT_DEFAULT;
    this.#maxBytes = options.maxBytes ?? BYTES_DEFAULT;
    this.#onLost = options.onLost;
    this.#gather = options.gather ?? (() => nextTurn());
  }

  /**
   * Resolves when the queue is closed and empty and its last item is on its way, or when the
   * stream has ended. It ends neither: the queue may be pumped into another stream, and the
   * stream's status is its owner's to say. `onSent` hears of each item that the stream passed on.
   */
  async pump(
    queue: BoundedQueue<T>,
    stream: MessageStream,
    onSent?: (item: T) => void,
  ): Promise<void> {
    const flow = new Flow<T>(stream, onSent, this.#onLost);
    try {
      while (!flow.ended) {
        if (flow.full) {
          await flow.whenWoken();
          continue;
        }
        const item = queue.take(this.#maxCount, this.#maxBytes);
        if (item !== undefined) flow.write(item);
        else if (!queue.closed) await this.#whenFilled(queue, flow);
        else if (flow.inFlight > 0) await flow.whenWoken();
        else return;
      }
    } finally {
      flow.release();
    }
  }

  /**
   * Waits for the queue, and then, if that makes larger messages, a little longer: whatever else
   * arrives goes along, for a message costs as much as its bytes.
   */
  async #whenFilled(queue: BoundedQueue<T>, flow: Flow<T>): Promise<void> {
    await flow.whenWoken(queue.whenReady());
    const isLess = queue.joins && queue.count > 0 && queue.count < this.#maxCount;
    if (isLess && !queue.closed && !flow.ended)
      await flow.unlessEnded(this.#gather(() => queue.count));
  }
}

/** One stream while it is pumped into: whether it is full or has ended, and what it still holds. */
class Flow<T extends Message> {
  full = false;
  #ended = false;
  #wake: (() => void) | undefined;
  #giveUp: (() => void) | undefined;
  /** What the stream took and has not yet passed on; the oldest first, seldom more than 16. */
  readonly #held: T[] = [];
  readonly #stream: MessageStream;
  readonly #onSent: ((item: T) => void) | undefined;
  readonly #onLost: ((item: T) => void) | undefined;

  constructor(
    stream: MessageStream,
    onSent: ((item: T) => void) | undefined,
    onLost: ((item: T) => void) | undefined,
  ) {
    this.#stream = stream;
    this.#onSent = onSent;
    this.#onLost = onLost;
    stream.on('drain', this.#onDrain);
    for (const ending of ENDINGS) stream.on(ending, this.#onEnd);
  }

  get ended(): boolean {
    const { destroyed, writableEnded, cancelled } = this.#stream;
    return this.#ended || destroyed === true || writableEnded === true || cancelled === true;
  }

  get inFlight(): number {
    return this.#held.length;
  }

  write(item: T): void {
    this.#held.push(item);
    this.full = !this.#stream.write(item.bytes, this.#onWritten);
  }

  /** Resolves when the stream has drained, passed something on or ended, or `other` resolves. */
  whenWoken(other?: Promise<void>): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
      void other?.then(resolve);
    });
  }

  /** Resolves when `other` does, or when the stream has ended. */
  unlessEnded(other: Promise<void>): Promise<void> {
    return new Promise((resolve) => {
      this.#giveUp = resolve;
      void other.then(resolve);
    });
  }

  /** Lets go of the stream. What it still holds counts as lost: nobody will hear what became of it. */
  release(): void {
    this.#stream.off('drain', this.#onDrain);
    // One listener for 'error' stays: an error that comes late must not end the process.
    for (const ending of ENDINGS) if (ending !== 'error') this.#stream.off(ending, this.#onEnd);
    for (const item of this.#held.splice(0)) this.#onLost?.(item);
  }

  // The stream calls back in the order of its writes.
  readonly #onWritten = (error?: Error | null): void => {
    const item = this.#held.shift();
    if (item === undefined) return; // Released before; it was counted then.
    if (error) this.#onLost?.(item);
    else this.#onSent?.(item);
    if (this.#held.length === 0) this.#wakeUp();
  };

  readonly #onDrain = (): void => {
    this.full = false;
    this.#wakeUp();
  };

  readonly #onEnd = (): void => {
    this.#ended = true;
    this.#giveUp?.();
    this.#wakeUp();
  };

  #wakeUp(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}
