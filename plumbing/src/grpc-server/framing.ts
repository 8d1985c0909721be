/**
 * gRPC's messages within the bytes of an HTTP/2 stream: each has its length before it.
 *
 *     │ flag │ length, big endian │ message                                   │ flag │ …
 *       1 B    4 B                  `length` bytes
 *
 * Hot: what comes is kept as it came until a message is whole, and copied at most once. The bytes
 * before a message stay where they were, so a message that is sent on as it came needs no copy to
 * get its prefix again.
 */

import { status } from '@grpc/grpc-js';

export const PREFIX_BYTES = 5;

/** What is wrong with what a peer sent, as the status that its call ends with. */
export class FramingError extends Error {
  override readonly name = 'FramingError';
  readonly code: status;

  constructor(code: status, message: string) {
    super(message);
    this.code = code;
  }
}

/** Messages out of chunks of any size. */
export class MessageReader {
  readonly #maxBytes: number;
  #chunks: Buffer[] = [];
  #heldBytes = 0;
  /** Of the message that is being read, with its prefix; 0, while its prefix is not there. */
  #wantedBytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Whether part of a message is there, or a whole one that nobody has taken. */
  get hasMore(): boolean {
    return this.#heldBytes > 0;
  }

  add(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#heldBytes += chunk.length;
  }

  /** The next message, once it is whole. Throws a FramingError. */
  next(): Buffer | undefined {
    if (this.#wantedBytes === 0) {
      if (this.#heldBytes < PREFIX_BYTES) return undefined;
      this.#wantedBytes = PREFIX_BYTES + this.#readPrefix();
    }
    if (this.#heldBytes < this.#wantedBytes) return undefined;
    const whole = this.#take(this.#wantedBytes);
    this.#wantedBytes = 0;
    return whole.subarray(PREFIX_BYTES);
  }

  #readPrefix(): number {
    let [first] = this.#chunks;
    if (first === undefined || first.length < PREFIX_BYTES) {
      first = Buffer.concat(this.#chunks);
      this.#chunks = [first];
    }
    if (first[0] !== 0) {
      const text = 'grpc: compressed flag set with identity or empty encoding';
      throw new FramingError(status.INTERNAL, text);
    }
    const length = first.readUInt32BE(1);
    if (length <= this.#maxBytes) return length;
    const text = `grpc: received message larger than max (${length} vs. ${this.#maxBytes})`;
    throw new FramingError(status.RESOURCE_EXHAUSTED, text);
  }

  #take(bytes: number): Buffer {
    const chunks = this.#chunks;
    const [first] = chunks;
    if (chunks.length === 1 && first !== undefined) {
      this.#heldBytes -= bytes;
      this.#chunks = first.length > bytes ? [first.subarray(bytes)] : [];
      return compact(first.subarray(0, bytes));
    }
    const all = Buffer.concat(chunks, this.#heldBytes);
    this.#heldBytes -= bytes;
    // Only the last chunk can reach beyond the message, or it would have been taken before.
    this.#chunks = this.#heldBytes > 0 ? [all.subarray(bytes)] : [];
    return all.subarray(0, bytes);
  }
}

/**
 * A slice that keeps alive little more than itself: whoever counts its bytes counts about what is
 * held in memory.
 */
function compact(slice: Buffer): Buffer {
  return slice.length * 2 >= slice.buffer.byteLength ? slice : Buffer.from(slice);
}

/** A message to be filled, with its prefix before it: it is sent without a copy. */
export function allocateMessage(length: number): Buffer {
  const whole = Buffer.allocUnsafeSlow(PREFIX_BYTES + length);
  whole[0] = 0;
  whole.writeUInt32BE(length, 1);
  return whole.subarray(PREFIX_BYTES);
}

/**
 * A message with its prefix. If the bytes before the message say just that, as they do where it
 * was received, they are its prefix; else both are copied.
 */
export function framed(message: Buffer): Buffer {
  const { buffer, byteOffset, length } = message;
  if (byteOffset >= PREFIX_BYTES) {
    const whole = Buffer.from(buffer, byteOffset - PREFIX_BYTES, PREFIX_BYTES + length);
    if (whole[0] === 0 && whole.readUInt32BE(1) === length) return whole;
  }
  const whole = Buffer.allocUnsafe(PREFIX_BYTES + length);
  whole[0] = 0;
  whole.writeUInt32BE(length, 1);
  message.copy(whole, PREFIX_BYTES);
  return whole;
}
