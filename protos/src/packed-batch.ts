/**
 * An encoded EnvelopeBatch and the number of envelopes in it: what travels and waits in queues.
 *
 * A repeated field may stand in any number of pieces, so batches that are put one after another
 * are one batch. That is why merging costs a copy and no decoding, and splitting not even that.
 */

import assert from 'node:assert/strict';
import { encodeVarint, varintSize } from './varint.ts';
import { MALFORMED, passUnknown, readTag, wire } from './wire.ts';

/** Field 1, length-delimited: each envelope of a batch, and each payload of a v1 response. */
export const FRAME_TAG = 0x0a;

export class PackedBatch {
  readonly bytes: Buffer;
  readonly count: number;

  /** `bytes` must be what a scan accepted, or what a BatchBuilder gave; `count` its envelopes. */
  constructor(bytes: Buffer, count: number) {
    this.bytes = bytes;
    this.count = count;
  }

  get byteLength(): number {
    return this.bytes.length;
  }

  /** What is left when the first `count` envelopes are gone: a view, nothing is copied. */
  withoutFirst(count: number): PackedBatch {
    return new PackedBatch(this.bytes.subarray(this.#offsetOf(count)), this.count - count);
  }

  /** The first `count` envelopes: a view, nothing is copied. */
  first(count: number): PackedBatch {
    return new PackedBatch(this.bytes.subarray(0, this.#offsetOf(count)), count);
  }

  /** One batch with the envelopes of all, in their order. */
  static concat(batches: readonly PackedBatch[]): PackedBatch {
    const [only] = batches;
    if (only && batches.length === 1) return only;
    let count = 0;
    for (const batch of batches) count += batch.count;
    return new PackedBatch(Buffer.concat(batches.map((batch) => batch.bytes)), count);
  }

  /** A batch of one, from a bare envelope. */
  static of(envelope: Uint8Array): PackedBatch {
    const head = 1 + varintSize(envelope.length);
    const bytes = Buffer.allocUnsafe(head + envelope.length);
    bytes[0] = FRAME_TAG;
    encodeVarint(bytes, 1, envelope.length);
    bytes.set(envelope, head);
    return new PackedBatch(bytes, 1);
  }

  /** Where the envelope with this index begins. Walks the frames before it. */
  #offsetOf(index: number): number {
    assert(index >= 0 && index <= this.count, 'an index within the batch');
    const { bytes } = this;
    let offset = 0;
    for (let passed = 0; passed < index; ) {
      const value = readTag(bytes, offset, bytes.length);
      const tag = wire.value;
      if (tag === FRAME_TAG) passed += 1;
      offset = value === MALFORMED ? value : passUnknown(bytes, value, bytes.length, tag, 0);
      assert(offset !== MALFORMED, 'bytes that a scan has accepted');
    }
    return offset;
  }
}
