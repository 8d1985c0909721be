/**
 * Syslog messages one after another, each behind its length (octet counting, RFC 6587 3.4.1).
 *
 *     120 <14>1 2026-… \n239 <14>1 2026-… \n
 *         └── 120 bytes ──┘   └── 239 bytes ─┘
 *
 * One buffer is filled again and again; `take` copies out what was gathered, so that nobody who
 * waits for a slow socket holds the buffer. The length stands before bytes that are not written
 * yet, so room for its usual four bytes is left, and a message of another size is moved.
 *
 * Hot: a message costs its bytes and, below 100 or from 1,000 bytes on, one move of them.
 */

import assert from 'node:assert/strict';

const BYTES_AT_FIRST = 64 * 1024;
/** A buffer that one huge message made larger than this is given back. */
const BYTES_KEPT = 1024 * 1024;
/** Three digits and a space. */
const HEAD_USUAL = 4;
const SPACE = 0x20;
const ZERO = 0x30;

export class FrameBuffer {
  /** Where messages are written; it may be another buffer after each `begin`. */
  bytes: Buffer = Buffer.allocUnsafeSlow(BYTES_AT_FIRST);
  #length = 0;
  #count = 0;

  /** Bytes gathered, lengths included. */
  get byteLength(): number {
    return this.#length;
  }

  /** Messages gathered. */
  get count(): number {
    return this.#count;
  }

  /** Makes room for a message of at most `maxBytes`. Returns the offset where it begins. */
  begin(maxBytes: number): number {
    const needed = this.#length + HEAD_USUAL + 8 + maxBytes;
    if (needed > this.bytes.length) this.#grow(needed);
    return this.#length + HEAD_USUAL;
  }

  /** The message that was begun ends at `end`. A message that is never ended was never there. */
  end(end: number): void {
    const size = end - this.#length - HEAD_USUAL;
    assert(size > 0 && end <= this.bytes.length);
    const head = digitsOf(size) + 1;
    if (head !== HEAD_USUAL) {
      this.bytes.copyWithin(this.#length + head, this.#length + HEAD_USUAL, end);
    }
    let rest = size;
    for (let at = this.#length + head - 2; at >= this.#length; at -= 1) {
      this.bytes[at] = ZERO + (rest % 10);
      rest = Math.floor(rest / 10);
    }
    this.bytes[this.#length + head - 1] = SPACE;
    this.#length += head + size;
    this.#count += 1;
  }

  /** Forgets what came after the first `byteLength` bytes, which were `count` messages. */
  rewind(byteLength: number, count: number): void {
    assert(byteLength <= this.#length && count <= this.#count);
    this.#length = byteLength;
    this.#count = count;
  }

  /** A copy of what was gathered; the buffer is empty then. */
  take(): Buffer {
    const taken = Buffer.allocUnsafe(this.#length);
    this.bytes.copy(taken, 0, 0, this.#length);
    this.#length = 0;
    this.#count = 0;
    if (this.bytes.length > BYTES_KEPT) this.bytes = Buffer.allocUnsafeSlow(BYTES_AT_FIRST);
    return taken;
  }

  #grow(needed: number): void {
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.bytes.length * 2));
    this.bytes.copy(grown, 0, 0, this.#length);
    this.bytes = grown;
  }
}

function digitsOf(value: number): number {
  let digits = 1;
  for (let limit = 10; value >= limit; limit *= 10) digits += 1;
  return digits;
}
