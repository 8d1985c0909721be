/**
 * Encoded messages, written one after another into bytes that are handed over without a copy.
 *
 *     chunk  [ taken │ taken │ being written ....         ]
 *                             ^start         ^at
 *
 * `take` cuts off what was written, and nothing writes over it. What outgrows the chunk moves to a
 * larger one. What is kept keeps its chunk of 256 KiB alive.
 *
 * Hot. Nothing but `reserve` asks for room: whoever writes knows how long a message becomes,
 * since its length stands before it, and reserves it once.
 */

import assert from 'node:assert/strict';
import type { BatchBuilder } from './builder.ts';
import { encodeVarint, encodeVarint64, varintSize } from './varint.ts';

const CHUNK_BYTES = 256 * 1024;

/** From this length on a copy by the engine is faster than a loop, in spite of its call. */
const LONG_COPY_BYTES = 64;

const doubleBytes = new Uint8Array(8);
const double = new DataView(doubleBytes.buffer);

export class WireWriter {
  #chunk: Buffer = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  #start = 0;
  #at = 0;

  /** How many bytes have been written since the last `take`: the offset of the next one. */
  get byteLength(): number {
    return this.#at - this.#start;
  }

  /** Hands over what was written. */
  take(): Buffer {
    this.#assertRoom();
    const bytes = this.#chunk.subarray(this.#start, this.#at);
    this.#start = this.#at;
    return bytes;
  }

  /** Adds what was written to a builder, as one bare envelope, and begins anew. */
  moveTo(builder: BatchBuilder): void {
    this.#assertRoom();
    builder.addSlice(this.#chunk, this.#start, this.#at);
    this.#at = this.#start;
  }

  /** Makes room for what is written next. */
  reserve(size: number): void {
    if (this.#at + size <= this.#chunk.length) return;
    const length = this.byteLength;
    const chunk = Buffer.allocUnsafeSlow(Math.max(CHUNK_BYTES, (length + size) * 2));
    this.#chunk.copy(chunk, 0, this.#start, this.#at);
    this.#chunk = chunk;
    this.#start = 0;
    this.#at = length;
  }

  /** Writes beyond the chunk's end would be lost without a word. */
  #assertRoom(): void {
    assert(this.#at <= this.#chunk.length, 'more was written than was reserved');
  }

  byte(byte: number): void {
    this.#chunk[this.#at++] = byte;
  }

  /** A value from 0 to 2^32 - 1. */
  varint(value: number): void {
    if (value < 0x80) this.#chunk[this.#at++] = value;
    else this.#at = encodeVarint(this.#chunk, this.#at, value);
  }

  varint64(high: number, low: number): void {
    this.#at = encodeVarint64(this.#chunk, this.#at, high, low);
  }

  double(value: number): void {
    double.setFloat64(0, value, true);
    this.copy(doubleBytes, 0, 8);
  }

  copy(bytes: Uint8Array, start: number, end: number): void {
    const chunk = this.#chunk;
    let at = this.#at;
    this.#at = at + end - start;
    if (end - start >= LONG_COPY_BYTES) {
      chunk.set(bytes.subarray(start, end), at);
      return;
    }
    // Within bounds: the room was reserved, and the slice was found by whoever read it.
    for (let from = start; from < end; from += 1) chunk[at++] = bytes[from] as number;
  }

  /** A string or message with a tag of one byte, and its length. */
  field(tag: number, bytes: Uint8Array, start: number, end: number): void {
    this.byte(tag);
    this.varint(end - start);
    this.copy(bytes, start, end);
  }
}

/** How long `field` becomes. */
export function fieldSize(length: number): number {
  return 1 + varintSize(length) + length;
}

/** How many bytes a varint of two unsigned words takes. */
export function varint64Size(high: number, low: number): number {
  if (high === 0) return varintSize(low >>> 0);
  return Math.ceil((64 - Math.clz32(high)) / 7);
}
