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
 * Hot: an edit copies the envelope once, into a buffer that is used again; what it holds is valid
 * until its next `over`.
 */

import { type CounterReader, isCounter } from './counter-reader.ts';
import { FieldReader } from './fields.ts';
import { encodeVarint, encodeVarint64, varintSize } from './varint.ts';

const SOURCE_ID = 0x12;
const COUNTER = 0x2a;
const TAG = 0x4a;
const KEY = 0x0a;
const VALUE = 0x12;
const TOTAL = 0x18;

/** One entry of an envelope's `tags`, encoded: it may be appended to any envelope. */
export function encodeTag(key: string, value: string): Buffer {
  const edit = new EnvelopeEdit();
  edit.over(new Uint8Array(0), 0, 0).appendTag(Buffer.from(key), Buffer.from(value));
  return Buffer.from(edit.bytes.subarray(0, edit.length));
}

const SCRATCH_BYTES = 4096;

/** So few bytes are copied faster one by one. */
const LOOP_BYTES_MAX = 32;

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
    this.appendTagSlices(key, 0, key.length, value, 0, value.length);
  }

  /** Appends the tag keys[keyStart, keyEnd) with the value values[start, end). */
  appendTagSlices(
    keys: Uint8Array,
    keyStart: number,
    keyEnd: number,
    values: Uint8Array,
    start: number,
    end: number,
  ): void {
    this.#copyTo(this.#end);
    const keyLength = keyEnd - keyStart;
    const length = end - start;
    this.#head(TAG, 2 + varintSize(keyLength) + keyLength + varintSize(length) + length);
    this.#field(KEY, keys, keyStart, keyEnd);
    this.#field(VALUE, values, start, end);
  }

  /** Appends a source id; of several, the last one counts. */
  appendSourceId(bytes: Uint8Array, start: number, end: number): void {
    this.#copyTo(this.#end);
    this.#field(SOURCE_ID, bytes, start, end);
  }

  /**
   * Gives the envelope's counter, which `counter` has read, another total: the message is cut out
   * and appended anew. Call it first: it makes cuts of its own.
   */
  setTotal(counter: CounterReader, high: number, low: number): void {
    const isWhole = counter.pieces === 1;
    const start = this.#at;
    if (isWhole) this.cut(counter.fieldStart, counter.bodyEnd);
    else this.#cutCounters();
    this.#copyTo(this.#end);
    this.#head(COUNTER, counter.otherBytes + 1 + varint64Size(high, low));
    if (isWhole) this.#copyWithoutTotal(counter.bodyStart, counter.bodyEnd);
    else this.#copyPieces(start);
    this.#reserve(11);
    this.bytes[this.length] = TOTAL;
    this.length = encodeVarint64(this.bytes, this.length + 1, high, low);
  }

  #cutCounters(): void {
    for (const fields = this.#fields.over(this.#from, this.#at, this.#end); fields.next(); ) {
      if (isCounter(fields)) this.cut(fields.tagStart, fields.end);
    }
  }

  #copyPieces(start: number): void {
    for (const fields = this.#fields.over(this.#from, start, this.#end); fields.next(); ) {
      if (isCounter(fields)) this.#copyWithoutTotal(fields.start, fields.end);
    }
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
    const to = this.bytes;
    if (end - start > LOOP_BYTES_MAX) {
      to.set(from.subarray(start, end), this.length);
      this.length += end - start;
      return;
    }
    let at = this.length;
    for (let index = start; index < end; index += 1) to[at++] = from[index] as number;
    this.length = at;
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

function varint64Size(high: number, low: number): number {
  if (high === 0) return varintSize(low);
  const bits = 64 - Math.clz32(high);
  return Math.ceil(bits / 7);
}
