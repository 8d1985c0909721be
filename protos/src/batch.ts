/**
 * What one scan found in an EnvelopeBatch: a row for each envelope, kept as columns.
 *
 *     bytes       0a 8b 02 │ envelope 0 ........ │ 0a 97 02 │ envelope 1 ............ │
 *                 ^          ^                   ^
 *                 frameStart start               end
 *
 * A Batch is made once by whoever receives, and filled again for each message: its columns hold
 * until the next scan into it, and whoever wants to keep an envelope copies or packs it. The
 * columns grow to the largest message that was seen. What one of millions of empty envelopes made
 * of them, half a gigabyte for 10 MiB, is given back when the next one is scanned.
 *
 * Hot: the columns are read by number in every process. The methods that give strings and BigInts
 * are for edges and tests.
 */

import { PackedBatch } from './packed-batch.ts';
import { joinTime } from './time.ts';

/** The kinds of envelope, numbered as Log Cache's EnvelopeType; `none` has no message at all. */
export const Kind = { none: 0, log: 1, counter: 2, gauge: 3, timer: 4, event: 5 } as const;
export type Kind = (typeof Kind)[keyof typeof Kind];

const CAPACITY_DEFAULT = 128;

/** Columns of more rows are not kept for the next message. */
const CAPACITY_KEPT_MAX = 65_536;

export class Batch {
  /** The message that was scanned: an encoded EnvelopeBatch. */
  bytes: Buffer = Buffer.alloc(0);
  /** How many envelopes the message holds, and so how many rows of the columns are valid. */
  count = 0;
  /** The bit `1 << kind` is set for each kind of envelope in the message. */
  kinds = 0;
  /** Why the last scan refused the message; empty when it did not. */
  mistake = '';

  /** Where the envelope's frame begins (the field's tag and length come first). */
  frameStart: Int32Array = new Int32Array(0);
  /** Where the bare envelope begins and, exclusive, ends. */
  start: Int32Array = new Int32Array(0);
  end: Int32Array = new Int32Array(0);
  sourceStart: Int32Array = new Int32Array(0);
  sourceEnd: Int32Array = new Int32Array(0);
  /** `hashBytes` of the source id, for looking it up in a ByteMap. */
  sourceHash: Uint32Array = new Uint32Array(0);
  instanceStart: Int32Array = new Int32Array(0);
  instanceEnd: Int32Array = new Int32Array(0);
  /** A counter's or timer's name, an event's title, the first metric of a gauge; else empty. */
  nameStart: Int32Array = new Int32Array(0);
  nameEnd: Int32Array = new Int32Array(0);
  /** The Log, Counter, Gauge, Timer or Event message; of one that occurs twice, the last. */
  bodyStart: Int32Array = new Int32Array(0);
  bodyEnd: Int32Array = new Int32Array(0);
  /** The timestamp in nanoseconds since 1970: its lower 32 bits, and its signed upper ones. */
  timeLow: Uint32Array = new Uint32Array(0);
  timeHigh: Int32Array = new Int32Array(0);
  kind: Uint8Array = new Uint8Array(0);

  #capacity = 0;

  constructor(capacity: number = CAPACITY_DEFAULT) {
    this.#resize(capacity);
  }

  get capacity(): number {
    return this.#capacity;
  }

  /** Empties it for another message. */
  restart(bytes: Buffer): void {
    this.bytes = bytes;
    this.count = 0;
    this.kinds = 0;
    this.mistake = '';
    if (this.#capacity > CAPACITY_KEPT_MAX) this.#resize(CAPACITY_DEFAULT);
  }

  /** Makes room for twice as many envelopes; the rows that are there stay. */
  grow(): void {
    this.#resize(Math.max(1, this.#capacity * 2));
  }

  sourceId(index: number): string {
    return this.#text(this.sourceStart, this.sourceEnd, index);
  }

  instanceId(index: number): string {
    return this.#text(this.instanceStart, this.instanceEnd, index);
  }

  name(index: number): string {
    return this.#text(this.nameStart, this.nameEnd, index);
  }

  /** Nanoseconds since 1970. */
  timestamp(index: number): bigint {
    return joinTime(this.timeHigh[index] ?? 0, this.timeLow[index] ?? 0);
  }

  /** The bare envelope's bytes: a view, valid as long as `bytes`. */
  envelope(index: number): Buffer {
    return this.bytes.subarray(this.start[index], this.end[index]);
  }

  /** The whole message, as the very bytes that came in. */
  pack(): PackedBatch {
    return new PackedBatch(this.bytes, this.count);
  }

  #text(starts: Int32Array, ends: Int32Array, index: number): string {
    return this.bytes.toString('utf8', starts[index], ends[index]);
  }

  #resize(capacity: number): void {
    this.#capacity = capacity;
    this.frameStart = resized(this.frameStart, new Int32Array(capacity));
    this.start = resized(this.start, new Int32Array(capacity));
    this.end = resized(this.end, new Int32Array(capacity));
    this.sourceStart = resized(this.sourceStart, new Int32Array(capacity));
    this.sourceEnd = resized(this.sourceEnd, new Int32Array(capacity));
    this.sourceHash = resized(this.sourceHash, new Uint32Array(capacity));
    this.instanceStart = resized(this.instanceStart, new Int32Array(capacity));
    this.instanceEnd = resized(this.instanceEnd, new Int32Array(capacity));
    this.nameStart = resized(this.nameStart, new Int32Array(capacity));
    this.nameEnd = resized(this.nameEnd, new Int32Array(capacity));
    this.bodyStart = resized(this.bodyStart, new Int32Array(capacity));
    this.bodyEnd = resized(this.bodyEnd, new Int32Array(capacity));
    this.timeLow = resized(this.timeLow, new Uint32Array(capacity));
    this.timeHigh = resized(this.timeHigh, new Int32Array(capacity));
    this.kind = resized(this.kind, new Uint8Array(capacity));
  }
}

function resized<T extends Int32Array | Uint32Array | Uint8Array>(from: T, to: T): T {
  to.set(from.length > to.length ? from.subarray(0, to.length) : from);
  return to;
}
