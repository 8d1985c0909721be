/**
 * Says which of some tags an envelope has, in bytes that a scan has accepted, without allocating.
 *
 * Hot: an agent looks at every envelope in this way. A tag costs one look at its length unless
 * one of the keys is as long.
 */

import { FieldReader } from './fields.ts';
import { plainKeyEnd } from './tag-reader.ts';

const DEPRECATED_TAG = 0x1a;
const TAG = 0x4a;

const DEPRECATED_TAGS_FIELD = 3;
const TAGS_FIELD = 9;

/** The most keys that one TagKeys looks for: a bit for each, and the sign. */
export const TAG_KEYS_MAX = 31;

export class TagKeys {
  /** Whether the envelope that was looked at last has deprecated tags. */
  hasDeprecated = false;

  readonly #keys: readonly Buffer[];
  /** The bits of the keys of each length below 128, so that most tags cost one look. */
  readonly #bitsOfLength = new Int32Array(128);
  readonly #fields = new FieldReader();
  readonly #entry = new FieldReader();

  constructor(keys: readonly string[]) {
    if (keys.length > TAG_KEYS_MAX) throw new RangeError(`at most ${TAG_KEYS_MAX} tags`);
    this.#keys = keys.map((key) => Buffer.from(key));
    for (const [index, { length }] of this.#keys.entries()) {
      if (length > 127) throw new RangeError('a tag longer than 127 bytes');
      this.#bitsOfLength[length] = (this.#bitsOfLength[length] as number) | (1 << index);
    }
  }

  /** Bit i is set when the envelope bytes[start, end) has the tag keys[i]. */
  find(bytes: Uint8Array, start: number, end: number): number {
    this.hasDeprecated = false;
    let present = 0;
    let at = start;
    while (at < end) {
      const tag = bytes[at] as number;
      const length = bytes[at + 1] as number;
      // Nearly every field is this plain: a tag of one byte, then a length of one byte.
      if ((tag & 0x87) !== 2 || length >= 0x80) {
        const fields = this.#fields.over(bytes, at, end);
        if (!fields.next()) return present;
        at = fields.end;
        if (fields.wireType !== 2) continue;
        if (fields.field === TAGS_FIELD) present |= this.#inEntry(bytes, fields.start, at);
        else if (fields.field === DEPRECATED_TAGS_FIELD) this.hasDeprecated = true;
        continue;
      }
      const entry = at + 2;
      at = entry + length;
      if (tag === TAG) present |= this.#inEntry(bytes, entry, at);
      else if (tag === DEPRECATED_TAG) this.hasDeprecated = true;
    }
    return present;
  }

  #inEntry(bytes: Uint8Array, start: number, end: number): number {
    const keyEnd = plainKeyEnd(bytes, start, end);
    if (keyEnd > 0) return this.#bitOf(bytes, start + 2, keyEnd);

    let keyStart = 0;
    let keyStop = 0;
    for (const entry = this.#entry.over(bytes, start, end); entry.next(); ) {
      if (entry.field !== 1 || entry.wireType !== 2) continue;
      keyStart = entry.start;
      keyStop = entry.end;
    }
    return this.#bitOf(bytes, keyStart, keyStop);
  }

  #bitOf(bytes: Uint8Array, start: number, end: number): number {
    if (end - start > 127) return 0;
    let bits = this.#bitsOfLength[end - start] as number;
    while (bits !== 0) {
      const index = 31 - Math.clz32(bits);
      if (isSame(this.#keys[index] as Buffer, bytes, start)) return 1 << index;
      bits ^= 1 << index;
    }
    return 0;
  }
}

function isSame(key: Uint8Array, bytes: Uint8Array, start: number): boolean {
  for (let index = 0; index < key.length; index += 1) {
    if (key[index] !== bytes[start + index]) return false;
  }
  return true;
}
