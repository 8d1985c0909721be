/**
 * A bounded queue between a producer that must not wait and a consumer that may be slow.
 *
 * Loggregator calls it a diode, because it conducts one way only: the consumer can never hold the
 * producer back. It holds items that weigh: an item is a batch, `count` says how many units are in
 * it and `byteLength` how large it is, and both are bounded.
 *
 *      take ◀── [ 3 ][ 100 ][ 100 ][ 20 ] ◀── put          count = 223
 *               oldest             newest
 *
 * What is lost when it is full: exactly the oldest units, as many as there are too many. When the
 * limit falls inside an item, that item is cut with `withoutFirst` and its newest units stay, and
 * `onDrop` hears how many units and bytes went. So what was put is, at any time, what was taken
 * plus what was dropped plus what is held. A unit larger than the whole queue is dropped.
 *
 * Hot: put and take cost O(1) a batch, in a ring that grows by doubling. An overflow costs a walk
 * over the one item that it cuts. A queue that has run empty holds no memory worth naming.
 */

import assert from 'node:assert/strict';

/** A batch of units: what a queue holds. */
export interface Weighted {
  readonly count: number;
  readonly byteLength: number;
  /** The same without its `n` oldest units, 0 < n < count. */
  withoutFirst(n: number): this;
}

export interface QueueOptions<T> {
  /** The most units that may wait. */
  readonly maxCount: number;
  /** The most bytes that may wait. */
  readonly maxBytes: number;
  /** Hears of each loss. Must not throw. */
  readonly onDrop: (count: number, bytes: number) => void;
  /** Makes one item of many. With it, `take` gathers small items; without, it gives them singly. */
  readonly join?: (items: readonly T[]) => T;
}

const SLOTS_MIN = 16;

/** The most bytes that `take` gathers into one item, unless told otherwise. */
const JOINED_BYTES_MAX = 1024 * 1024;

export class BoundedQueue<T extends Weighted> {
  readonly maxCount: number;
  readonly maxBytes: number;
  readonly #onDrop: (count: number, bytes: number) => void;
  readonly #join: ((items: readonly T[]) => T) | undefined;

  // A ring whose length is a power of two: item i stands in slot (first + i) & mask.
  #slots: (T | undefined)[] = new Array<T | undefined>(SLOTS_MIN).fill(undefined);
  #first = 0;
  #length = 0;

  #count = 0;
  #byteLength = 0;
  #closed = false;

  #ready: Promise<void> | undefined;
  #wake: (() => void) | undefined;

  constructor(options: QueueOptions<T>) {
    assert(options.maxCount >= 1 && options.maxBytes >= 1, 'a queue has room for something');
    this.maxCount = options.maxCount;
    this.maxBytes = options.maxBytes;
    this.#onDrop = options.onDrop;
    this.#join = options.join;
  }

  /** Units that wait. */
  get count(): number {
    return this.#count;
  }

  /** Bytes that wait. */
  get byteLength(): number {
    return this.#byteLength;
  }

  /** Whether `close` was called. What waits can still be taken. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Whether `take` gathers small items into one. */
  get joins(): boolean {
    return this.#join !== undefined;
  }

  /** Takes an item in. Never waits, never throws; what is too much drops, oldest first. */
  put(item: T): void {
    if (item.count === 0) return;
    if (this.#closed) {
      this.#onDrop(item.count, item.byteLength);
      return;
    }
    if (this.#length === this.#slots.length) this.#grow();
    this.#slots[(this.#first + this.#length) & (this.#slots.length - 1)] = item;
    this.#length += 1;
    this.#count += item.count;
    this.#byteLength += item.byteLength;

    if (this.#count > this.maxCount || this.#byteLength > this.maxBytes) this.#shed();
    if (this.#length > 0) this.#wakeUp();
  }

  /** The oldest item, left where it is. */
  peek(): T | undefined {
    return this.#length === 0 ? undefined : this.#slots[this.#first];
  }

  /**
   * The oldest item. If the queue can join items, the ones after it come along as long as all
   * together are at most `maxCount` units and `maxBytes` bytes; the first comes whole, whatever
   * its size.
   */
  take(
    maxCount: number = Number.POSITIVE_INFINITY,
    maxBytes: number = JOINED_BYTES_MAX,
  ): T | undefined {
    const oldest = this.peek();
    if (oldest === undefined) return undefined;
    this.#removeOldest(oldest);
    if (this.#join === undefined) return oldest;

    let count = oldest.count;
    let bytes = oldest.byteLength;
    let joined: T[] | undefined;
    for (let next = this.peek(); next !== undefined; next = this.peek()) {
      count += next.count;
      bytes += next.byteLength;
      if (count > maxCount || bytes > maxBytes) break;
      this.#removeOldest(next);
      if (joined === undefined) joined = [oldest, next];
      else joined.push(next);
    }
    return joined === undefined ? oldest : this.#join(joined);
  }

  /** Resolves once something can be taken, or the queue is closed. */
  whenReady(): Promise<void> {
    if (this.#length > 0 || this.#closed) return Promise.resolve();
    this.#ready ??= new Promise((resolve) => {
      this.#wake = resolve;
    });
    return this.#ready;
  }

  /** Takes no more in: what is put from here on is dropped. What waits can still be taken. */
  close(): void {
    this.#closed = true;
    this.#wakeUp();
  }

  /** Drops all that waits, for an owner whose consumer is gone. Returns how many units. */
  clear(): number {
    const count = this.#count;
    const bytes = this.#byteLength;
    this.#slots = new Array<T | undefined>(SLOTS_MIN).fill(undefined);
    this.#first = 0;
    this.#length = 0;
    this.#count = 0;
    this.#byteLength = 0;
    if (count > 0) this.#onDrop(count, bytes);
    return count;
  }

  #shed(): void {
    const countBefore = this.#count;
    const bytesBefore = this.#byteLength;
    for (let oldest = this.peek(); oldest !== undefined; oldest = this.peek()) {
      const tooMany = this.#count - this.maxCount;
      const tooLarge = this.#byteLength - this.maxBytes;
      if (tooMany <= 0 && tooLarge <= 0) break;
      this.#removeOldest(oldest);
      const rest = newestOf(oldest, tooMany, tooLarge);
      if (rest === undefined) continue;
      this.#putBack(rest);
      break;
    }
    this.#onDrop(countBefore - this.#count, bytesBefore - this.#byteLength);
  }

  #removeOldest(oldest: T): void {
    this.#slots[this.#first] = undefined;
    this.#first = (this.#first + 1) & (this.#slots.length - 1);
    this.#length -= 1;
    this.#count -= oldest.count;
    this.#byteLength -= oldest.byteLength;
    if (this.#length === 0 && this.#slots.length > SLOTS_MIN) {
      this.#slots = new Array<T | undefined>(SLOTS_MIN).fill(undefined);
      this.#first = 0;
    }
    assert(this.#count >= 0 && this.#byteLength >= 0);
  }

  #putBack(item: T): void {
    const size = this.#slots.length;
    this.#first = (this.#first + size - 1) & (size - 1);
    this.#slots[this.#first] = item;
    this.#length += 1;
    this.#count += item.count;
    this.#byteLength += item.byteLength;
  }

  #grow(): void {
    const size = this.#slots.length;
    const slots = new Array<T | undefined>(size * 2).fill(undefined);
    for (let index = 0; index < size; index += 1) {
      slots[index] = this.#slots[(this.#first + index) & (size - 1)];
    }
    this.#slots = slots;
    this.#first = 0;
  }

  #wakeUp(): void {
    const wake = this.#wake;
    if (wake === undefined) return;
    this.#wake = undefined;
    this.#ready = undefined;
    wake();
  }
}

/**
 * What is left of `item` without its oldest units, as few as make it `tooMany` units and
 * `tooLarge` bytes lighter; nothing, if all must go.
 */
function newestOf<T extends Weighted>(item: T, tooMany: number, tooLarge: number): T | undefined {
  let least = Math.max(1, tooMany);
  if (least >= item.count) return undefined;
  let rest = item.withoutFirst(least);
  const bytesWanted = item.byteLength - tooLarge;
  if (rest.byteLength <= bytesWanted) return rest;

  // Bisect: `least` is too few, `most` is enough (all of them, when `fits` is still undefined).
  let most = item.count;
  let fits: T | undefined;
  while (most - least > 1) {
    const middle = (least + most) >> 1;
    rest = item.withoutFirst(middle);
    if (rest.byteLength <= bytesWanted) {
      most = middle;
      fits = rest;
    } else {
      least = middle;
    }
  }
  return fits;
}
