/**
 * The entries of one map field, as the bounds of their keys and values: tags, or a gauge's metrics.
 *
 * On the wire a map is a repeated message of key (1) and value (2), in no order; of a key that is
 * there twice the last entry counts. `find` looks from the end for that reason, and `sort` leaves
 * the earlier ones out.
 *
 * Hot: reused from envelope to envelope; grows to the largest map seen, but what a map of more than
 * 4096 entries took is given back.
 * Finding walks all keys, which for the ten to twenty tags of an envelope beats any table.
 */

import { FieldReader } from './fields.ts';

const CAPACITY_AT_FIRST = 32;
const CAPACITY_KEPT_MAX = 4096;

/** Up to here moving entries one by one beats the call of a sort with a comparison. */
const INSERTION_MAX = 32;

const KEY = 0x0a;
const VALUE = 0x12;

/** Behind a tag and a length of one byte, a key ends before this. */
const LENGTH_OF_TWO_BYTES = 2 + 0x80;

export class MapEntries {
  count = 0;
  /** The content of the whole entry, as it may be copied into another map of the same type. */
  entryStart: Int32Array = new Int32Array(CAPACITY_AT_FIRST);
  entryEnd: Int32Array = new Int32Array(CAPACITY_AT_FIRST);
  keyStart: Int32Array = new Int32Array(CAPACITY_AT_FIRST);
  keyEnd: Int32Array = new Int32Array(CAPACITY_AT_FIRST);
  valueStart: Int32Array = new Int32Array(CAPACITY_AT_FIRST);
  valueEnd: Int32Array = new Int32Array(CAPACITY_AT_FIRST);
  /** After `sort`: the entries that count, by the bytes of their keys. */
  order: Int32Array = new Int32Array(CAPACITY_AT_FIRST);
  /** Whether the value of some entry is there in pieces, which for a message must be merged. */
  isSplit = false;

  /** The first four bytes of each key, as a number: most keys differ in them. */
  #rank: Uint32Array = new Uint32Array(CAPACITY_AT_FIRST);
  readonly #fields = new FieldReader();

  clear(): void {
    this.count = 0;
    this.isSplit = false;
    if (this.order.length > CAPACITY_KEPT_MAX) this.#resize(CAPACITY_AT_FIRST);
  }

  /** Adds the entry whose content is bytes[start, end). */
  add(bytes: Uint8Array, start: number, end: number): void {
    const index = this.count;
    if (index === this.order.length) this.#resize(index * 2);
    this.count = index + 1;
    this.entryStart[index] = start;
    this.entryEnd[index] = end;

    // Nearly every entry is plain: a key, then a value, each with a length of one byte.
    const keyEnd = start + 2 + (bytes[start + 1] as number);
    const valueLength = bytes[keyEnd + 1] as number; // Undefined, beyond all bytes, equals nothing.
    const isPlain =
      bytes[start] === KEY &&
      keyEnd < start + LENGTH_OF_TWO_BYTES &&
      bytes[keyEnd] === VALUE &&
      valueLength < 0x80 &&
      keyEnd + 2 + valueLength === end;
    if (!isPlain) {
      this.#read(bytes, index);
      return;
    }
    this.keyStart[index] = start + 2;
    this.keyEnd[index] = keyEnd;
    this.valueStart[index] = keyEnd + 2;
    this.valueEnd[index] = end;
  }

  /** Reads an entry of any layout: key and value in any order, missing, repeated, or with others. */
  #read(bytes: Uint8Array, index: number): void {
    const start = this.entryStart[index] as number; // The entry was just added.
    let keyStart = start;
    let keyEnd = start;
    let valueStart = start;
    let valueEnd = start;
    let values = 0;

    const fields = this.#fields.over(bytes, start, this.entryEnd[index] as number);
    while (fields.next()) {
      if (fields.wireType !== 2) continue;
      if (fields.field === 1) {
        keyStart = fields.start;
        keyEnd = fields.end;
      } else if (fields.field === 2) {
        valueStart = fields.start;
        valueEnd = fields.end;
        values += 1;
      }
    }

    if (values > 1) this.isSplit = true;
    this.keyStart[index] = keyStart;
    this.keyEnd[index] = keyEnd;
    this.valueStart[index] = valueStart;
    this.valueEnd[index] = valueEnd;
  }

  /** The entry that counts for this key, or -1. */
  find(bytes: Uint8Array, key: Uint8Array): number {
    return this.#find(bytes, key, 0, key.length);
  }

  /** The same, for a key that is there in the bytes themselves. */
  findSlice(bytes: Uint8Array, start: number, end: number): number {
    return this.#find(bytes, bytes, start, end);
  }

  #find(bytes: Uint8Array, key: Uint8Array, from: number, to: number): number {
    for (let index = this.count - 1; index >= 0; index -= 1) {
      // Within the columns, as the index is below the count.
      const start = this.keyStart[index] as number;
      if ((this.keyEnd[index] as number) - start !== to - from) continue;
      let at = from;
      while (at < to && bytes[start + at - from] === key[at]) at += 1;
      if (at === to) return index;
    }
    return -1;
  }

  /** Puts the entries that count into `order`, by code points; returns how many they are. */
  sort(bytes: Uint8Array): number {
    const { count, order } = this;
    const rank = this.#rank;
    for (let index = 0; index < count; index += 1) {
      const end = this.keyEnd[index] as number; // Below the count, so within the columns.
      rank[index] = rankOf(bytes, this.keyStart[index] as number, end);
    }
    if (count > INSERTION_MAX) return this.#sortMany(bytes);
    let unique = 0;
    for (let index = 0; index < count; index += 1) {
      const own = rank[index] as number;
      let place = unique;
      let difference = 1;
      while (place > 0) {
        const other = order[place - 1] as number;
        difference = own - (rank[other] as number);
        if (difference === 0) difference = this.#compare(bytes, index, other);
        if (difference >= 0) break;
        order[place] = other;
        place -= 1;
      }
      if (place > 0 && difference === 0) {
        // Its place is taken by the one before, which counts no more; all move back.
        order.copyWithin(place, place + 1, unique + 1);
        order[place - 1] = index;
        continue;
      }
      order[place] = index;
      unique += 1;
    }
    return unique;
  }

  #sortMany(bytes: Uint8Array): number {
    const { count, order } = this;
    for (let index = 0; index < count; index += 1) order[index] = index;
    // Of equal keys the last comes last, so that it is the one that stays below.
    order.subarray(0, count).sort((a, b) => this.#compare(bytes, a, b) || a - b);
    let unique = 0;
    for (let at = 0; at < count; at += 1) {
      const entry = order[at] as number;
      const isSame = unique > 0 && this.#compare(bytes, order[unique - 1] as number, entry) === 0;
      order[isSame ? unique - 1 : unique] = entry;
      if (!isSame) unique += 1;
    }
    return unique;
  }

  /** The order of UTF-8's bytes is that of the code points. */
  #compare(bytes: Uint8Array, a: number, b: number): number {
    const ranks = (this.#rank[a] as number) - (this.#rank[b] as number);
    if (ranks !== 0) return ranks;
    let aAt = this.keyStart[a] as number;
    let bAt = this.keyStart[b] as number;
    const aEnd = this.keyEnd[a] as number;
    const bEnd = this.keyEnd[b] as number;
    for (; aAt < aEnd && bAt < bEnd; aAt += 1, bAt += 1) {
      const difference = (bytes[aAt] as number) - (bytes[bAt] as number);
      if (difference !== 0) return difference;
    }
    return aEnd - aAt - (bEnd - bAt);
  }

  #resize(capacity: number): void {
    this.entryStart = resized(this.entryStart, capacity);
    this.entryEnd = resized(this.entryEnd, capacity);
    this.keyStart = resized(this.keyStart, capacity);
    this.keyEnd = resized(this.keyEnd, capacity);
    this.valueStart = resized(this.valueStart, capacity);
    this.valueEnd = resized(this.valueEnd, capacity);
    this.order = resized(this.order, capacity);
    this.#rank = new Uint32Array(capacity); // `sort` fills it.
  }
}

/** Keys with different ranks have the order of their ranks; a short key is followed by zeros. */
function rankOf(bytes: Uint8Array, start: number, end: number): number {
  let rank = 0;
  for (let at = start; at < start + 4; at += 1) {
    rank = (rank << 8) | (at < end ? (bytes[at] as number) : 0);
  }
  return rank >>> 0;
}

function resized(column: Int32Array, capacity: number): Int32Array {
  const other = new Int32Array(capacity);
  other.set(capacity < column.length ? column.subarray(0, capacity) : column);
  return other;
}
