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
import { copyWords, LONG_COPY_BYTES, viewOf, WORD_BYTES } from './copy-bytes.ts';
import { encodeVarint, encodeVarint64, varintSize } from './varint.ts';

const CHUNK_BYTES = 256 * 1024;

export class WireWriter {
  #chunk: Buffer = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  #view: DataView = viewOf(this.#chunk);
  /** What was copied from last: a message from which all that is written comes. */
  #source: Uint8Array = this.#chunk;
  #sourceView: DataView = this.#view;
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
    this.#view = viewOf(chunk);
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

  /** A value of two words. Those of more than 56 bits, as all times are, begin with eight full bytes. */
  varint64(high: number, low: number): void {
    const last = high >>> 24;
    if (last === 0) {
      this.#at = encodeVarint64(this.#chunk, this.#at, high, low);
      return;
    }
    const at = this.#at;
    this.#view.setUint32(at, spread(low), true);
    this.#view.setUint32(at + 4, spread((low >>> 28) | (high << 4)), true);
    this.#at = encodeVarint(this.#chunk, at + 8, last);
  }

  double(value: number): void {
    this.#view.setFloat64(this.#at, value, true);
    this.#at += 8;
  }

  /** Copies from a message. Copying from one and the same again and again is fast. */
  copy(bytes: Uint8Array, start: number, end: number): void {
    const length = end - start;
    const at = this.#at;
    this.#at = at + length;
    if (length < WORD_BYTES) {
      // Within bounds: the room was reserved, and the slice was found by whoever read it.
      for (let place = 0; place < length; place += 1) {
        this.#chunk[at + place] = bytes[start + place] as number;
      }
    } else if (length >= LONG_COPY_BYTES) {
      this.#chunk.set(bytes.subarray(start, end), at);
    } else {
      if (bytes !== this.#source) {
        this.#source = bytes;
        this.#sourceView = viewOf(bytes);
      }
      copyWords(this.#sourceView, start, this.#view, at, length);
    }
  }

  /** A copy of what was written from one offset to another. */
  between(from: number, to: number): Buffer {
    return Buffer.from(this.#chunk.subarray(this.#start + from, this.#start + to));
  }

  /** Bytes that were written before. */
  again(bytes: Buffer): void {
    this.#chunk.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  /** A few bytes that are no part of a message: a name, or digits. */
  constant(bytes: Uint8Array, length: number = bytes.length): void {
    const chunk = this.#chunk;
    const at = this.#at;
    this.#at = at + length;
    for (let place = 0; place < length; place += 1) chunk[at + place] = bytes[place] as number;
  }

  /** A string or message with a tag of one byte, and its length. */
  field(tag: number, bytes: Uint8Array, start: number, end: number): void {
    this.byte(tag);
    this.varint(end - start);
    this.copy(bytes, start, end);
  }

  /** A string that is no part of a message, with a tag of one byte, and its length. */
  constantField(tag: number, bytes: Uint8Array, length: number = bytes.length): void {
    this.byte(tag);
    this.varint(length);
    this.constant(bytes, length);
  }
}

/** The lowest 28 bits as four bytes of a varint, none of which is its last. */
function spread(bits: number): number {
  return (
    0x80808080 |
    (bits & 0x7f) |
    ((bits & 0x3f80) << 1) |
    ((bits & 0x1fc000) << 2) |
    ((bits & 0xfe00000) << 3)
  );
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
