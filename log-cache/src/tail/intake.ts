/**
 * What a tail has yet to give of what comes: filtered, copied, and queued.
 *
 * The queue holds 10,000 envelopes and 4 MiB. When it is full the oldest drop; how many is counted,
 * and told by `takeDropped` to whoever takes what comes after.
 *
 * Hot: `add` is called for each batch with envelopes of the source. It costs a look at each, and a
 * copy of what is wanted: a view of a chunk that is shared would keep all of that alive.
 */

import { BoundedQueue } from '@standpipe/plumbing';
import { type Batch, BatchBuilder, PackedBatch } from '@standpipe/protos';
import { type EnvelopeFilter, rowOf } from '../envelope-filter.ts';

const QUEUE_COUNT_MAX = 10_000;
const QUEUE_BYTES_MAX = 4 * 1024 * 1024;
const ITEM_COUNT_MAX = 100;
const ITEM_BYTES_MAX = 256 * 1024;
/** After so many arrivals that were not wanted, whoever waits is told how far it has come. */
const UNWANTED_MAX = 4096;

const NOTHING = new PackedBatch(Buffer.alloc(0), 0);

/** Some envelopes, with the number of the last arrival that was looked at, and their latest time. */
export class Arrived {
  readonly batch: PackedBatch;
  readonly arrival: number;
  readonly time: bigint | undefined;

  constructor(batch: PackedBatch, arrival: number, time: bigint | undefined) {
    this.batch = batch;
    this.arrival = arrival;
    this.time = time;
  }

  get count(): number {
    return this.batch.count;
  }

  get byteLength(): number {
    return this.batch.byteLength;
  }

  withoutFirst(count: number): this {
    return new Arrived(this.batch.withoutFirst(count), this.arrival, this.time) as this;
  }

  static join(items: readonly Arrived[]): Arrived {
    let arrival = 0;
    let time: bigint | undefined;
    for (const item of items) {
      arrival = item.arrival;
      if (time === undefined || (item.time ?? time) > time) time = item.time;
    }
    return new Arrived(PackedBatch.concat(items.map(({ batch }) => batch)), arrival, time);
  }
}

export class Intake {
  readonly #filter: EnvelopeFilter;
  readonly #start: bigint | undefined;
  readonly #builder = new BatchBuilder();
  readonly #queue: BoundedQueue<Arrived>;
  #dropped = 0;
  /** The last arrival that was looked at, and the last that was told of. */
  #seen = 0;
  #told = 0;
  #wake: (() => void) | undefined;

  constructor(options: {
    readonly filter: EnvelopeFilter;
    /** Nothing is taken of before. */
    readonly start: bigint | undefined;
    readonly onDrop: (count: number) => void;
  }) {
    this.#filter = options.filter;
    this.#start = options.start;
    this.#queue = new BoundedQueue<Arrived>({
      maxCount: QUEUE_COUNT_MAX,
      maxBytes: QUEUE_BYTES_MAX,
      join: Arrived.join,
      onDrop: (count) => {
        this.#dropped += count;
        options.onDrop(count);
      },
    });
  }

  get closed(): boolean {
    return this.#queue.closed;
  }

  /** Takes in rows of a batch, the first of which is the arrival with this number. */
  add(batch: Batch, rows: readonly number[], firstArrival: number): void {
    const filter = this.#filter;
    filter.restart();
    filter.renew();
    let latest: bigint | undefined;
    for (const [place, row] of rows.entries()) {
      const time = batch.timestamp(row);
      if (this.#start !== undefined && time < this.#start) continue;
      if (!filter.select(rowOf(batch, row), this.#builder)) continue;
      if (latest === undefined || time > latest) latest = time;
      if (this.#builder.count < ITEM_COUNT_MAX && this.#builder.byteLength < ITEM_BYTES_MAX)
        continue;
      this.#flush(firstArrival + place, latest);
      latest = undefined;
    }
    this.#seen = firstArrival + rows.length - 1;
    if (latest !== undefined) this.#flush(this.#seen, latest);
    if (this.#isReady) this.#wakeUp();
  }

  /** Resolves once there is something to take, or it is closed. */
  whenReady(): Promise<void> {
    if (this.#isReady) return Promise.resolve();
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  /** What came first; how far it has come, if nothing is wanted; nothing, if it hasn't come far. */
  take(): Arrived | undefined {
    const arrived = this.#queue.take(ITEM_COUNT_MAX, ITEM_BYTES_MAX) ?? this.#unwanted();
    if (arrived !== undefined) this.#told = arrived.arrival;
    return arrived;
  }

  /** How many were dropped since this was last asked. */
  takeDropped(): number {
    const dropped = this.#dropped;
    this.#dropped = 0;
    return dropped;
  }

  close(): void {
    this.#queue.close();
    this.#wakeUp();
  }

  get #isReady(): boolean {
    return this.#queue.count > 0 || this.#queue.closed || this.#seen - this.#told >= UNWANTED_MAX;
  }

  #wakeUp(): void {
    this.#wake?.();
    this.#wake = undefined;
  }

  #unwanted(): Arrived | undefined {
    if (this.#seen - this.#told < UNWANTED_MAX) return undefined;
    return new Arrived(NOTHING, this.#seen, undefined);
  }

  #flush(arrival: number, time: bigint): void {
    const { bytes, count } = this.#builder.take();
    const copy = Buffer.allocUnsafeSlow(bytes.length);
    copy.set(bytes);
    this.#queue.put(new Arrived(new PackedBatch(copy, count), arrival, time));
  }
}
