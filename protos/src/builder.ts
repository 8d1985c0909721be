/**
 * Gathers a new EnvelopeBatch from slices of others, and from envelopes that were just made.
 *
 * Bytes are written into a chunk that several batches share: `take` cuts off what was gathered and
 * the next batch begins behind it. A batch that outgrows the chunk moves to a larger one.
 *
 * Hot: adding costs one copy of the envelope's bytes and allocates nothing, taking allocates one
 * view. A taken batch that is kept keeps its chunk of 64 KiB alive.
 */

import type { Batch } from './batch.ts';
import { FRAME_TAG, PackedBatch } from './packed-batch.ts';
import { encodeVarint, varintSize } from './varint.ts';

const CHUNK_BYTES = 64 * 1024;

export class BatchBuilder {
  #chunk: Buffer = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  #start = 0;
  #end = 0;
  #count = 0;

  /** How many envelopes have been gathered since the last `take`. */
  get count(): number {
    return this.#count;
  }

  get byteLength(): number {
    return this.#end - this.#start;
  }

  /** Adds one envelope of a scanned batch as it is. */
  add(batch: Batch, index: number): void {
    const start = batch.frameStart[index] as number;
    const end = batch.end[index] as number;
    this.#reserve(end - start);
    this.#end += batch.bytes.copy(this.#chunk, this.#end, start, end);
    this.#count += 1;
  }

  /** Adds one envelope of a scanned batch with more fields, already encoded, at its end. */
  addWith(batch: Batch, index: number, suffix: Uint8Array): void {
    const start = batch.start[index] as number;
    const end = batch.end[index] as number;
    this.#head(end - start + suffix.length);
    this.#end += batch.bytes.copy(this.#chunk, this.#end, start, end);
    this.#chunk.set(suffix, this.#end);
    this.#end += suffix.length;
    this.#count += 1;
  }

  /** Adds one bare envelope. */
  addBytes(envelope: Uint8Array): void {
    this.addSlice(envelope, 0, envelope.length);
  }

  /** Adds the bare envelope bytes[start, end). */
  addSlice(bytes: Uint8Array, start: number, end: number): void {
    this.#head(end - start);
    this.#chunk.set(
      start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end),
      this.#end,
    );
    this.#end += end - start;
    this.#count += 1;
  }

  /** Hands over what was gathered, and begins the next batch. */
  take(): PackedBatch {
    const batch = new PackedBatch(this.#chunk.subarray(this.#start, this.#end), this.#count);
    this.#start = this.#end;
    this.#count = 0;
    return batch;
  }

  /** Writes a frame's tag and length, with room for `length` bytes behind them. */
  #head(length: number): void {
    this.#reserve(1 + varintSize(length) + length);
    this.#chunk[this.#end] = FRAME_TAG;
    this.#end = encodeVarint(this.#chunk, this.#end + 1, length);
  }

  #reserve(size: number): void {
    if (this.#end + size <= this.#chunk.length) return;
    const length = this.byteLength;
    const chunk = Buffer.allocUnsafeSlow(Math.max(CHUNK_BYTES, (length + size) * 2));
    this.#chunk.copy(chunk, 0, this.#start, this.#end);
    this.#chunk = chunk;
    this.#start = 0;
    this.#end = length;
  }
}
