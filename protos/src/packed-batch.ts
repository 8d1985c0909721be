/**
 * An encoded EnvelopeBatch and the number of envelopes in it: what travels and waits in queues.
 *
 * A repeated field may stand in any number of pieces, so batches that are put one after another
 * are one batch. That is why merging costs a copy and no decoding, and splitting not even that.
 */

import assert from 'node:assert/strict';
import { encodeVarint, varintSize } from './varint.ts';

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
      if (bytes[offset] === FRAME_TAG) passed += 1;
      offset = endOfField(bytes, offset);
    }
    return offset;
  }
}

/** The offset behind the field at `offset`; unknown fields between the envelopes are legal. */
function endOfField(bytes: Buffer, offset: number): number {
  const wireType = (bytes[offset] ?? 0) & 7;
  let at = endOfVarint(bytes, offset);
  if (wireType === 0) return endOfVarint(bytes, at);
  if (wireType === 1) return at + 8;
  if (wireType === 5) return at + 4;
  assert.equal(wireType, 2, 'a group between the envelopes of a batch that is to be split');
  let length = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[at++] ?? 0;
    length += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) return at + length;
  }
}

function endOfVarint(bytes: Buffer, offset: number): number {
  let at = offset;
  while ((bytes[at++] ?? 0) >= 0x80);
  return at;
}
