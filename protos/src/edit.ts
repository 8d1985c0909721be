/**
 * Edits of an envelope's bytes: what an agent adds on the way, without decoding anything.
 *
 *     envelope   [ time ][ source ][ tags … ][ counter ]
 *     cut                                    ╳╳╳╳╳╳╳╳╳╳╳
 *     append                                            [ tag ][ tag ][ counter with its total ]
 *
 * What is only added goes to the end, for the order of fields means nothing. What replaces is cut
 * out first: peers differ in how they merge a message or an entry that stands there twice. The
 * bytes must have passed a scan; nothing here checks them again.
 *
 * Hot: TagKeys.find looks at every envelope of an agent. An EnvelopeEdit copies the envelope into
 * one buffer that is used again, so what it holds is valid until its next `over`.
 */

import { FieldReader } from './fields.ts';
import { encodeVarint, encodeVarint64, varintSize } from './varint.ts';

const SOURCE_ID = 0x12;
const DEPRECATED_TAG = 0x1a;
const COUNTER = 0x2a;
const TAG = 0x4a;
const KEY = 0x0a;
const VALUE = 0x12;
const TOTAL = 0x18;

const DEPRECATED_TAGS_FIELD = 3;
const COUNTER_FIELD = 5;
const TAGS_FIELD = 9;

/** One entry of an envelope's `tags`, encoded: it may be appended to any envelope. */
export function encodeTag(key: string, value: string): Buffer {
  const edit = new EnvelopeEdit();
  edit.over(new Uint8Array(0), 0, 0).appendTag(Buffer.from(key), Buffer.from(value));
  return Buffer.from(edit.bytes.subarray(0, edit.length));
}

/** The most keys that one TagKeys looks for: a bit for each, and the sign. */
export const TAG_KEYS_MAX = 31;

/** Says which of some tags an envelope has. */
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
    const keyLength = bytes[start + 1] as number;
    const keyEnd = start + 2 + keyLength;
    const isPlain =
      bytes[start] === KEY &&
      keyLength < 0x80 &&
      bytes[keyEnd] === VALUE &&
      keyEnd + 2 + (bytes[keyEnd + 1] as number) === end;
    if (isPlain) return this.#bitOf(bytes, start + 2, keyEnd);

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
  readonly #fields = new FieldReader();
  readonly #entry = new FieldReader();

  over(bytes: Uint8Array, start: number, end: number): this {
    this.#bytes = bytes;
    this.#fields.over(bytes, start, end);
    return this;
  }

  next(): boolean {
    const fields = this.#fields;
    while (fields.next()) {
      if (fields.wireType !== 2) continue;
      if (fields.field !== TAGS_FIELD && fields.field !== DEPRECATED_TAGS_FIELD) continue;
      this.isDeprecated = fields.field === DEPRECATED_TAGS_FIELD;
      this.fieldStart = fields.tagStart;
      this.fieldEnd = fields.end;
      this.#readEntry(fields.start, fields.end);
      return true;
    }
    return false;
  }

  #readEntry(start: number, end: number): void {
    this.keyStart = start;
    this.keyEnd = start;
    this.valueStart = start;
    this.valueEnd = start;
    for (const entry = this.#entry.over(this.#bytes, start, end); entry.next(); ) {
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
 * Reads what an envelope's counter says, in unsigned words. A message that stands in several
 * pieces is one message, as every protobuf peer reads it.
 */
export class CounterReader {
  nameStart = 0;
  nameEnd = 0;
  deltaLow = 0;
  deltaHigh = 0;
  totalLow = 0;
  totalHigh = 0;
  /** How many bytes the message has besides its total. */
  otherBytes = 0;

  readonly #fields = new FieldReader();
  readonly #body = new FieldReader();

  /** Reads the counter of the envelope bytes[start, end). */
  over(bytes: Uint8Array, start: number, end: number): this {
    this.nameStart = start;
    this.nameEnd = start;
    this.deltaLow = 0;
    this.deltaHigh = 0;
    this.totalLow = 0;
    this.totalHigh = 0;
    this.otherBytes = 0;
    for (const fields = this.#fields.over(bytes, start, end); fields.next(); ) {
      if (!isCounter(fields)) continue;
      this.otherBytes += fields.end - fields.start;
      this.#readBody(bytes, fields.start, fields.end);
    }
    return this;
  }

  #readBody(bytes: Uint8Array, start: number, end: number): void {
    for (const body = this.#body.over(bytes, start, end); body.next(); ) {
      if (body.field === 1 && body.wireType === 2) {
        this.nameStart = body.start;
        this.nameEnd = body.end;
      } else if (body.field === 2 && body.wireType === 0) {
        this.deltaLow = body.low;
        this.deltaHigh = body.high;
      } else if (body.field === 3 && body.wireType === 0) {
        this.totalLow = body.low;
        this.totalHigh = body.high;
        this.otherBytes -= body.end - body.tagStart;
      }
    }
  }
}

const SCRATCH_BYTES = 4096;

/** An envelope that is written anew: first what is cut, in order, then what is appended. */
export class EnvelopeEdit {
  /** The edited envelope is bytes[0, length). */
  bytes: Buffer = Buffer.allocUnsafeSlow(SCRATCH_BYTES);
  length = 0;

  #from: Uint8Array = new Uint8Array(0);
  #at = 0;
  #end = 0;
  readonly #fields = new FieldReader();
  readonly #body = new FieldReader();
  readonly #counter = new CounterReader();

  /** Begins with the envelope bytes[start, end). */
  over(bytes: Uint8Array, start: number, end: number): this {
    this.#from = bytes;
    this.#at = start;
    this.#end = end;
    this.length = 0;
    return this;
  }

  /** Leaves out what stands in [start, end) of the original. */
  cut(start: number, end: number): void {
    this.#copyTo(start);
    this.#at = end;
  }

  /** Copies what is left of the original. Whoever appends has no need to call this. */
  finish(): void {
    this.#copyTo(this.#end);
  }

  /** Appends encoded fields. */
  append(fields: Uint8Array): void {
    this.#copyTo(this.#end);
    this.#reserve(fields.length);
    this.bytes.set(fields, this.length);
    this.length += fields.length;
  }

  appendTag(key: Uint8Array, value: Uint8Array): void {
    this.#copyTo(this.#end);
    const keySize = 1 + varintSize(key.length) + key.length;
    const valueSize = 1 + varintSize(value.length) + value.length;
    this.#head(TAG, keySize + valueSize);
    this.#field(KEY, key, 0, key.length);
    this.#field(VALUE, value, 0, value.length);
  }

  /** Appends a source id; of several, the last one counts. */
  appendSourceId(bytes: Uint8Array, start: number, end: number): void {
    this.#copyTo(this.#end);
    this.#field(SOURCE_ID, bytes, start, end);
  }

  /** Gives the envelope's counter another total: the message is cut out and appended anew. */
  setTotal(high: number, low: number): void {
    const from = this.#from;
    const start = this.#at;
    const { otherBytes } = this.#counter.over(from, start, this.#end);
    for (const fields = this.#fields.over(from, start, this.#end); fields.next(); ) {
      if (isCounter(fields)) this.cut(fields.tagStart, fields.end);
    }
    this.#copyTo(this.#end);
    this.#head(COUNTER, otherBytes + 1 + varint64Size(high, low));
    for (const fields = this.#fields.over(from, start, this.#end); fields.next(); ) {
      if (isCounter(fields)) this.#copyWithoutTotal(fields.start, fields.end);
    }
    this.#reserve(11);
    this.bytes[this.length] = TOTAL;
    this.length = encodeVarint64(this.bytes, this.length + 1, high, low);
  }

  #copyWithoutTotal(start: number, end: number): void {
    let at = start;
    for (const body = this.#body.over(this.#from, start, end); body.next(); ) {
      if (body.field !== 3 || body.wireType !== 0) continue;
      this.#copy(this.#from, at, body.tagStart);
      at = body.end;
    }
    this.#copy(this.#from, at, end);
  }

  #copyTo(end: number): void {
    this.#copy(this.#from, this.#at, end);
    this.#at = end;
  }

  #copy(from: Uint8Array, start: number, end: number): void {
    if (start >= end) return;
    this.#reserve(end - start);
    this.bytes.set(from.subarray(start, end), this.length);
    this.length += end - start;
  }

  #field(tag: number, bytes: Uint8Array, start: number, end: number): void {
    this.#head(tag, end - start);
    this.#copy(bytes, start, end);
  }

  #head(tag: number, length: number): void {
    this.#reserve(6);
    this.bytes[this.length] = tag;
    this.length = encodeVarint(this.bytes, this.length + 1, length);
  }

  #reserve(size: number): void {
    if (this.length + size <= this.bytes.length) return;
    const larger = Buffer.allocUnsafeSlow((this.length + size) * 2);
    this.bytes.copy(larger, 0, 0, this.length);
    this.bytes = larger;
  }
}

function isCounter(fields: FieldReader): boolean {
  return fields.field === COUNTER_FIELD && fields.wireType === 2;
}

function varint64Size(high: number, low: number): number {
  if (high === 0) return varintSize(low);
  const bits = 64 - Math.clz32(high);
  return Math.ceil(bits / 7);
}

function isSame(key: Uint8Array, bytes: Uint8Array, start: number): boolean {
  for (let index = 0; index < key.length; index += 1) {
    if (key[index] !== bytes[start + index]) return false;
  }
  return true;
}
