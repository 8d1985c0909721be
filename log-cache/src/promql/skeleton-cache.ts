/**
 * Finds what was made of an envelope with the same bytes around its time and its body.
 *
 *     │ 08 time │ head: source id, … │ tag, length │ body │ tail: instance id, tags, … │
 *
 * Heads and tails are compared byte by byte, so what is found is exactly right. Several are kept,
 * by their sizes and a few of their bytes; one that takes another's place costs a decoding.
 *
 * Hot: called for each envelope; bytes are read `as number` within the envelope.
 */

interface Skeleton<T> {
  readonly head: Uint8Array;
  readonly tail: Uint8Array;
  readonly tag: number;
  readonly value: T;
}

const TIME_TAG = 0x08;
/** The fields 4 to 7, log, counter, gauge and timer, as bytes. */
const BODY_TAGS_MIN = 0x22;
const BODY_TAGS_MAX = 0x3a;
const SLOTS = 256;

export class SkeletonCache<T> {
  /** The bounds of the body of the envelope that was found. */
  bodyStart = 0;
  bodyEnd = 0;
  readonly #slots: (Skeleton<T> | undefined)[] = new Array(SLOTS).fill(undefined);
  #last: Skeleton<T> | undefined;

  /** Looks for the like of the bare envelope bytes[start, end). */
  find(bytes: Uint8Array, start: number, end: number): T | undefined {
    if (bytes[start] !== TIME_TAG) return undefined;
    const head = afterVarint(bytes, start + 1, end);
    const last = this.#last;
    if (last !== undefined && this.#isLike(last, bytes, head, end)) return last.value;
    // Where the body begins is not known yet: the end of the envelope says enough.
    const other = this.#slots[slotOf(bytes, head, end)];
    if (other === undefined || other === last || !this.#isLike(other, bytes, head, end)) {
      return undefined;
    }
    this.#last = other;
    return other.value;
  }

  remember(
    bytes: Uint8Array,
    at: {
      readonly start: number;
      readonly end: number;
      readonly bodyStart: number;
      readonly bodyEnd: number;
    },
    value: T,
  ): void {
    const { start, end, bodyStart, bodyEnd } = at;
    this.bodyStart = bodyStart;
    this.bodyEnd = bodyEnd;
    if (bytes[start] !== TIME_TAG) return;
    const head = afterVarint(bytes, start + 1, end);
    const tagAt = bodyStart - 1 - varintBytes(bodyEnd - bodyStart);
    const tag = bytes[tagAt] as number;
    if (tagAt < head || tag < BODY_TAGS_MIN || tag > BODY_TAGS_MAX) return;
    const skeleton = {
      head: bytes.slice(head, tagAt),
      tail: bytes.slice(bodyEnd, end),
      tag,
      value,
    };
    this.#slots[slotOf(bytes, head, end)] = skeleton;
    this.#last = skeleton;
  }

  #isLike(
    { head, tail, tag }: Skeleton<T>,
    bytes: Uint8Array,
    headStart: number,
    end: number,
  ): boolean {
    const tagAt = headStart + head.length;
    const tailStart = end - tail.length;
    if (tagAt + 2 > tailStart || bytes[tagAt] !== tag) return false;
    const bodyStart = afterVarint(bytes, tagAt + 1, end);
    // The body must fill just what is between the two.
    if (bodyStart + lengthAt(bytes, tagAt + 1) !== tailStart) return false;
    if (!isSame(bytes, headStart, head) || !isSame(bytes, tailStart, tail)) return false;
    this.bodyStart = bodyStart;
    this.bodyEnd = tailStart;
    return true;
  }
}

function slotOf(bytes: Uint8Array, head: number, end: number): number {
  let hash = 0;
  for (let at = Math.max(head, end - 24); at < end; at += 1) {
    hash = Math.imul(hash ^ (bytes[at] as number), 0x85ebca6b);
  }
  // Instance ids and tags may stand before the body as well.
  for (let at = head; at < Math.min(head + 48, end); at += 1) {
    hash = Math.imul(hash ^ (bytes[at] as number), 0x85ebca6b);
  }
  return (hash ^ (hash >>> 15)) & (SLOTS - 1);
}

function isSame(bytes: Uint8Array, start: number, other: Uint8Array): boolean {
  const { length } = other;
  for (let index = 0; index < length; index += 1) {
    if (bytes[start + index] !== other[index]) return false;
  }
  return true;
}

function afterVarint(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && (bytes[at] as number) >= 0x80) at += 1;
  return at + 1;
}

function lengthAt(bytes: Uint8Array, start: number): number {
  let length = 0;
  let shift = 0;
  for (let at = start; shift < 28; at += 1) {
    const byte = bytes[at] as number;
    length |= (byte & 0x7f) << shift;
    if (byte < 0x80) return length;
    shift += 7;
  }
  return -1;
}

function varintBytes(value: number): number {
  let size = 1;
  for (let rest = value; rest >= 0x80; rest >>>= 7) size += 1;
  return size;
}
