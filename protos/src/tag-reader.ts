/**
 * Walks the tags of one envelope in bytes that a scan has accepted, without allocating.
 *
 * Hot: nearly every tag is two short strings, and is read without a look at anything else.
 */

import { FieldReader } from './fields.ts';

const DEPRECATED_TAG = 0x1a;
const TAG = 0x4a;
const KEY = 0x0a;
const VALUE = 0x12;

const DEPRECATED_TAGS_FIELD = 3;
const TAGS_FIELD = 9;

/** Walks the tags of an envelope, preferred and deprecated ones, however they are laid out. */
export class TagReader {
  isDeprecated = false;
  /** The whole field, with its tag and length. */
  fieldStart = 0;
  fieldEnd = 0;
  keyStart = 0;
  keyEnd = 0;
  /** The value's text; of a deprecated tag, its Value message. */
  valueStart = 0;
  valueEnd = 0;

  #bytes: Uint8Array = new Uint8Array(0);
  #end = 0;
  readonly #fields = new FieldReader();
  readonly #entry = new FieldReader();

  over(bytes: Uint8Array, start: number, end: number): this {
    this.#bytes = bytes;
    this.fieldEnd = start;
    this.#end = end;
    return this;
  }

  next(): boolean {
    const bytes = this.#bytes;
    while (this.fieldEnd < this.#end) {
      const start = this.fieldEnd;
      const tag = bytes[start] as number;
      const length = bytes[start + 1] as number;
      if ((tag & 0x87) !== 2 || length >= 0x80) {
        if (this.#nextLarge(start)) return true;
        continue;
      }
      this.fieldEnd = start + 2 + length;
      if (tag !== TAG && tag !== DEPRECATED_TAG) continue;
      this.isDeprecated = tag === DEPRECATED_TAG;
      this.fieldStart = start;
      this.#readEntry(start + 2, this.fieldEnd);
      return true;
    }
    return false;
  }

  /** Steps over a field whose tag or length is not one byte; whether it is a tag. */
  #nextLarge(start: number): boolean {
    const fields = this.#fields.over(this.#bytes, start, this.#end);
    if (!fields.next()) {
      this.fieldEnd = this.#end;
      return false;
    }
    this.fieldStart = fields.tagStart;
    this.fieldEnd = fields.end;
    if (fields.wireType !== 2) return false;
    this.isDeprecated = fields.field === DEPRECATED_TAGS_FIELD;
    if (fields.field !== TAGS_FIELD && !this.isDeprecated) return false;
    this.#readEntry(fields.start, fields.end);
    return true;
  }

  #readEntry(start: number, end: number): void {
    const bytes = this.#bytes;
    const keyEnd = plainKeyEnd(bytes, start, end);
    if (keyEnd > 0) {
      this.keyStart = start + 2;
      this.keyEnd = keyEnd;
      this.valueStart = keyEnd + 2;
      this.valueEnd = end;
      return;
    }
    this.keyStart = start;
    this.keyEnd = start;
    this.valueStart = start;
    this.valueEnd = start;
    for (const entry = this.#entry.over(bytes, start, end); entry.next(); ) {
      if (entry.wireType !== 2) continue;
      if (entry.field === 1) {
        this.keyStart = entry.start;
        this.keyEnd = entry.end;
      } else if (entry.field === 2) {
        this.valueStart = entry.start;
        this.valueEnd = entry.end;
      }
    }
  }
}

/**
 * Where the key ends in an entry that is a key and a value of less than 128 bytes each, as nearly
 * every one is; else 0. (A value's length of two bytes has its upper bit set, and cannot fit.)
 */
export function plainKeyEnd(bytes: Uint8Array, start: number, end: number): number {
  const length = bytes[start + 1] as number;
  const keyEnd = start + 2 + length;
  const isPlain =
    bytes[start] === KEY &&
    length < 0x80 &&
    bytes[keyEnd] === VALUE &&
    (bytes[keyEnd + 1] as number) < 0x80 &&
    keyEnd + 2 + (bytes[keyEnd + 1] as number) === end;
  return isPlain ? keyEnd : 0;
}
