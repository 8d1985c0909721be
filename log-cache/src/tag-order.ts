/**
 * Puts the tags of an envelope into one order, so that who has the same tags has the same bytes.
 *
 *     outside   │ instance id … │ tag c │ tag a │ tag b │
 *     ordered   │ instance id … │ tag a │ tag b │ tag c │
 *
 * Tags are a map, and Go's encoders write a map in another order each time. Whoever compares bytes
 * alone then never finds the same tags twice. The order here is that of a print of their keys; of a
 * key that is there twice the last counts, so these stay as they stand to each other.
 *
 * What is not tags up to its end, each a key and a value and no more, or more than TAGS_MAX of them, has
 * no order but its own.
 *
 * Hot: this runs for each envelope of an encoder that shuffles. What is read is part of an envelope that
 * has passed a scan, so lengths are within the bytes, and bytes are read `as number`.
 */

import { copy, hashRun, isSame, type Memory, memoryOf } from './bytes.ts';
import { FOLDABLE_BYTES_MAX } from './record.ts';

const TAGS_MAX = 64;

const TAG = 0x4a;
const KEY = 0x0a;
const VALUE = 0x12;
const LENGTH_DELIMITED = 2;
/** The longest length that is written in one byte, and in two. */
const ONE_BYTE_MAX = 0x7f;
const TWO_BYTES_MAX = 0x3fff;
const WORD_BYTES = 4;

/** The tags at the end of one run of bytes. */
export class TagOrder {
  #memory: Memory = memoryOf(new Uint8Array(0));
  #start = 0;
  #end = 0;
  /** Where the tags begin. */
  #from = 0;
  #count = 0;
  #isSorted = false;
  /** Of each tag, in order: a print of its key, where it begins, and how long it is. */
  readonly #prints = new Int32Array(TAGS_MAX);
  readonly #starts = new Int32Array(TAGS_MAX);
  readonly #lengths = new Int32Array(TAGS_MAX);
  #length = 0;
  readonly #scratch: Memory = memoryOf(new Uint8Array(FOLDABLE_BYTES_MAX));

  /** Finds the tags at the end of a run of bytes; whether there are any that have an order. */
  read(memory: Memory, start: number, end: number): boolean {
    const { bytes } = memory;
    this.#memory = memory;
    this.#start = start;
    this.#end = end;
    this.#isSorted = false;
    this.#count = 0;
    let at = start;
    while (at < end && bytes[at] !== TAG) {
      at = this.#passField(at, end);
      if (at < 0) return false;
    }
    this.#from = at;
    let count = 0;
    for (; at < end; count += 1) {
      if (bytes[at] !== TAG || count === TAGS_MAX) return false;
      const body = this.#passLength(at + 1);
      if (body < 0) return false;
      const tagEnd = body + this.#length;
      const keyBytes = bytes[body + 1] as number;
      if (this.#length < 2 || bytes[body] !== KEY || keyBytes > ONE_BYTE_MAX) return false;
      if (!this.#endsWithValue(body + 2 + keyBytes, tagEnd)) return false;
      this.#prints[count] = printOf(memory, body + 2, keyBytes);
      this.#starts[count] = at;
      this.#lengths[count] = tagEnd - at;
      at = tagEnd;
    }
    this.#count = count;
    return count > 1;
  }

  /** A hash of the run that was read, the same for each order of its tags. */
  hash(seed: number): number {
    const memory = this.#memory;
    let sum = 0;
    for (let place = 0; place < this.#count; place += 1) {
      const start = this.#starts[place] as number;
      sum += hashRun(memory, start, start + (this.#lengths[place] as number), 0);
    }
    return hashRun(memory, this.#start, this.#from, seed) ^ Math.imul(sum | 0, 0x9e3779b1);
  }

  /** Whether another run, which is as long, has the same bytes with its tags in order. */
  isOrderedIn(other: Memory, otherStart: number): boolean {
    const memory = this.#memory;
    if (!isSame(memory, this.#start, other, otherStart, this.#from - this.#start)) return false;
    this.#sort();
    let at = otherStart + this.#from - this.#start;
    for (let place = 0; place < this.#count; place += 1) {
      const length = this.#lengths[place] as number;
      if (!isSame(memory, this.#starts[place] as number, other, at, length)) return false;
      at += length;
    }
    return true;
  }

  /** Writes the tags in order, given where they stand so already. */
  adopt(other: Memory, otherStart: number): void {
    const place = otherStart + this.#from - this.#start;
    copy(other, place, this.#memory, this.#from, this.#end - this.#from);
  }

  /** Writes the tags in order. */
  write(): void {
    this.#sort();
    const memory = this.#memory;
    const scratch = this.#scratch;
    copy(memory, this.#from, scratch, 0, this.#end - this.#from);
    let at = this.#from;
    for (let place = 0; place < this.#count; place += 1) {
      const length = this.#lengths[place] as number;
      copy(scratch, (this.#starts[place] as number) - this.#from, memory, at, length);
      at += length;
    }
  }

  /** By insertion: there are few, and those with the same print stay as they are. */
  #sort(): void {
    if (this.#isSorted) return;
    this.#isSorted = true;
    const prints = this.#prints;
    const starts = this.#starts;
    const lengths = this.#lengths;
    for (let next = 1; next < this.#count; next += 1) {
      const print = prints[next] as number;
      const start = starts[next] as number;
      const length = lengths[next] as number;
      let place = next;
      for (; place > 0 && (prints[place - 1] as number) > print; place -= 1) {
        prints[place] = prints[place - 1] as number;
        starts[place] = starts[place - 1] as number;
        lengths[place] = lengths[place - 1] as number;
      }
      prints[place] = print;
      starts[place] = start;
      lengths[place] = length;
    }
  }

  /** Whether a value, or nothing, is all that follows a key: of a second key it would be the last that counts. */
  #endsWithValue(keyEnd: number, tagEnd: number): boolean {
    if (keyEnd === tagEnd) return true;
    if (this.#memory.bytes[keyEnd] !== VALUE) return false;
    const value = this.#passLength(keyEnd + 1);
    return value >= 0 && value + this.#length === tagEnd;
  }

  /** The end of a length-delimited field with a tag of one byte; -1, if it is another one. */
  #passField(at: number, end: number): number {
    const tag = this.#memory.bytes[at] as number;
    if (tag > ONE_BYTE_MAX || (tag & 7) !== LENGTH_DELIMITED) return -1;
    const body = this.#passLength(at + 1);
    return body < 0 || body + this.#length > end ? -1 : body + this.#length;
  }

  /** Where what follows a length of one or two bytes begins; -1, if it is longer. */
  #passLength(at: number): number {
    const { bytes } = this.#memory;
    const first = bytes[at] as number;
    this.#length = first;
    if (first <= ONE_BYTE_MAX) return at + 1;
    this.#length = (first & ONE_BYTE_MAX) | ((bytes[at + 1] as number) << 7);
    return this.#length <= TWO_BYTES_MAX ? at + 2 : -1;
  }
}

/**
 * A number by which two keys are told apart, but for those of one length that are alike at both ends
 * and in the middle: these have no order, and envelopes with such tags may be kept twice.
 */
function printOf({ bytes, view }: Memory, start: number, length: number): number {
  if (length < WORD_BYTES) {
    let print = length;
    for (let at = start; at < start + length; at += 1) print = (print << 8) | (bytes[at] as number);
    return print;
  }
  const first = view.getInt32(start, true);
  const middle = view.getInt32(start + ((length - WORD_BYTES) >>> 1), true);
  const last = view.getInt32(start + length - WORD_BYTES, true);
  return Math.imul(first ^ length, 0x9e3779b1) ^ Math.imul(middle, 0x85ebca6b) ^ last;
}
