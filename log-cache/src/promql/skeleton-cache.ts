/**
 * Finds what was made of an envelope with the same bytes around its time and its body.
 *
 *     │ 08 time │ head: source id, … │ tag, length │ body │ tail: instance id, tags, … │
 *
 * Heads and tails are compared byte by byte, so what is found is exactly right. Several are kept,
 * by a hash of their tails; one that takes another's place costs a decoding.
 *
 * Hot: called for each envelope; bytes are read `as number` within the envelope.
 */

import { hashBytes } from '@standpipe/protos';

interface Skeleton<T> {
  readonly head: Buffer;
  readonly tail: Buffer;
  readonly value: T;
}

const TIME_TAG = 0x08;
/** The fields 4 to 7, log, counter, gauge and timer, as bytes. */
const BODY_TAGS_MIN = 0x22;
const BODY_TAGS_MAX = 0x3a;
const SLOTS = 256;

const LOOP_MAX = 48;

export class SkeletonCache<T> {
  /** The bounds of the body of the envelope that was looked for, if it is as above. */
  bodyStart = 0;
  bodyEnd = 0;
  #headStart = 0;
  #headEnd = 0;
  readonly #slots: (Skeleton<T> | undefined)[] = new Array(SLOTS).fill(undefined);
  #last: Skeleton<T> | undefined;

  /** Looks for the like of the bare envelope bytes[start, end). */
  find(bytes: Uint8Array, start: number, end: number): T | undefined {
    if (!this.#locate(bytes, start, end)) return undefined;
    const last = this.#last;
    if (last !== undefined && this.#isLike(last, bytes, end)) return last.value;
    const other = this.#slots[hashBytes(bytes, this.bodyEnd, end) & (SLOTS - 1)];
    if (other === undefined || other === last || !this.#isLike(other, bytes, end)) return undefined;
    this.#last = other;
    return other.value;
  }

  /** Keeps what was made of the envelope bytes[start, end), if it is laid out as above. */
  remember(bytes: Uint8Array, start: number, end: number, value: T): void {
    if (!this.#locate(bytes, start, end)) return;
    const skeleton = {
      head: Buffer.from(bytes.subarray(this.#headStart, this.#headEnd)),
      tail: Buffer.from(bytes.subarray(this.bodyEnd, end)),
      value,
    };
    this.#slots[hashBytes(bytes, this.bodyEnd, end) & (SLOTS - 1)] = skeleton;
    this.#last = skeleton;
  }

  /** Finds the parts of an envelope that has its time first, and one body behind plain fields. */
  #locate(bytes: Uint8Array, start: number, end: number): boolean {
    if (bytes[start] !== TIME_TAG) return false;
    let at = start + 1;
    while (at < end && (bytes[at] as number) >= 0x80) at += 1;
    at += 1;
    this.#headStart = at;
    for (;;) {
      if (at + 2 > end) return false;
      const tag = bytes[at] as number;
      let length = bytes[at + 1] as number;
      if (tag >= BODY_TAGS_MIN && tag <= BODY_TAGS_MAX && (tag & 7) === 2) {
        this.#headEnd = at;
        at += 2;
        for (let shift = 7, byte = length; byte >= 0x80 && shift < 28; shift += 7) {
          byte = bytes[at] as number;
          length = (length & ((1 << shift) - 1)) | ((byte & 0x7f) << shift);
          at += 1;
        }
        this.bodyStart = at;
        this.bodyEnd = at + length;
        return this.bodyEnd <= end;
      }
      if ((tag & 0x87) !== 2 || length >= 0x80) return false;
      at += 2 + length;
    }
  }

  #isLike({ head, tail }: Skeleton<T>, bytes: Uint8Array, end: number): boolean {
    if (end - this.bodyEnd !== tail.length) return false;
    if (this.#headEnd - this.#headStart !== head.length) return false;
    return isSame(bytes, this.bodyEnd, tail) && isSame(bytes, this.#headStart, head);
  }
}

function isSame(bytes: Uint8Array, start: number, other: Buffer): boolean {
  const { length } = other;
  // A call out of JavaScript costs what a loop over some fifty bytes does.
  if (length > LOOP_MAX) return other.compare(bytes, start, start + length) === 0;
  for (let index = 0; index < length; index += 1) {
    if (bytes[start + index] !== other[index]) return false;
  }
  return true;
}
