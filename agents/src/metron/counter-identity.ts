/**
 * Which counter an envelope counts on: its name, its source id and all its tags, as one key.
 *
 *     key   [ length ][ name ][ length ][ source id ] then for each tag, in one order,
 *           [ length ][ tag's name ][ length ][ its value ]
 *
 * Go writes the tags of an envelope in a new order each time, so they are sorted, by the hash of
 * their names. Of two tags with one name the last counts. The instance id is no part of it.
 *
 * Hot: one call for each counter. It allocates nothing; what a counter of more than 4096 tags took
 * is given back.
 */

import { type CounterReader, hashBytes, TagReader } from '@standpipe/protos';

/** So few bytes are copied faster one by one. */
const LOOP_BYTES_MAX = 48;
const CAPACITY_AT_FIRST = 32;
const CAPACITY_KEPT_MAX = 4096;
/** Up to this many tags are sorted where they are. */
const INSERTION_MAX = 64;

export class CounterIdentity {
  /** The key is bytes[0, length). */
  bytes: Buffer = Buffer.allocUnsafeSlow(4096);
  length = 0;

  readonly #tags = new TagReader();
  #count = 0;
  #order: Uint32Array = new Uint32Array(0);
  #hashes: Uint32Array = new Uint32Array(0);
  #keyStart: Uint32Array = new Uint32Array(0);
  #keyEnd: Uint32Array = new Uint32Array(0);
  #valueStart: Uint32Array = new Uint32Array(0);
  #valueEnd: Uint32Array = new Uint32Array(0);

  constructor() {
    this.#resize(CAPACITY_AT_FIRST);
  }

  /** Reads the identity of the envelope from[0, end); its source id is source[start, stop). */
  read(
    from: Buffer,
    end: number,
    counter: CounterReader,
    source: Buffer,
    start: number,
    stop: number,
  ): void {
    this.#readTags(from, end);
    this.#sort(from);
    this.length = 0;
    this.#write(from, counter.nameStart, counter.nameEnd);
    this.#write(source, start, stop);
    for (let place = 0; place < this.#count; place += 1) {
      const tag = this.#order[place] as number;
      const next = this.#order[place + 1] as number;
      if (place + 1 < this.#count && this.#compareKeys(from, tag, next) === 0) continue;
      this.#write(from, this.#keyStart[tag] as number, this.#keyEnd[tag] as number);
      this.#write(from, this.#valueStart[tag] as number, this.#valueEnd[tag] as number);
    }
  }

  #readTags(from: Buffer, end: number): void {
    this.#count = 0;
    if (this.#order.length > CAPACITY_KEPT_MAX) this.#resize(CAPACITY_AT_FIRST);
    for (const tags = this.#tags.over(from, 0, end); tags.next(); ) {
      if (tags.isDeprecated) continue; // A copy of each is among the preferred ones.
      if (this.#count === this.#order.length) this.#resize(this.#count * 2);
      const tag = this.#count;
      this.#order[tag] = tag;
      this.#hashes[tag] = hashBytes(from, tags.keyStart, tags.keyEnd);
      this.#keyStart[tag] = tags.keyStart;
      this.#keyEnd[tag] = tags.keyEnd;
      this.#valueStart[tag] = tags.valueStart;
      this.#valueEnd[tag] = tags.valueEnd;
      this.#count += 1;
    }
  }

  #sort(from: Buffer): void {
    const order = this.#order;
    if (this.#count > INSERTION_MAX) {
      order.subarray(0, this.#count).sort((a, b) => this.#compareKeys(from, a, b) || a - b);
      return;
    }
    for (let place = 1; place < this.#count; place += 1) {
      const tag = order[place] as number;
      let before = place - 1;
      while (before >= 0 && this.#compareKeys(from, order[before] as number, tag) > 0) {
        order[before + 1] = order[before] as number;
        before -= 1;
      }
      order[before + 1] = tag;
    }
  }

  /** By hash; the names themselves are compared only where the hashes are the same. */
  #compareKeys(from: Buffer, a: number, b: number): number {
    const difference = (this.#hashes[a] as number) - (this.#hashes[b] as number);
    if (difference !== 0) return difference;
    return from.compare(
      from,
      this.#keyStart[b] as number,
      this.#keyEnd[b] as number,
      this.#keyStart[a] as number,
      this.#keyEnd[a] as number,
    );
  }

  #write(from: Buffer, start: number, end: number): void {
    const length = end - start;
    if (this.length + 4 + length > this.bytes.length) {
      const larger = Buffer.allocUnsafeSlow((this.length + 4 + length) * 2);
      this.bytes.copy(larger, 0, 0, this.length);
      this.bytes = larger;
    }
    const to = this.bytes;
    let at = this.length;
    to[at++] = length;
    to[at++] = length >>> 8;
    to[at++] = length >>> 16;
    to[at++] = length >>> 24;
    if (length > LOOP_BYTES_MAX) from.copy(to, at, start, end);
    else
      for (let index = 0; index < length; index += 1)
        to[at + index] = from[start + index] as number;
    this.length = at + length;
  }

  #resize(capacity: number): void {
    this.#order = resized(this.#order, capacity);
    this.#hashes = resized(this.#hashes, capacity);
    this.#keyStart = resized(this.#keyStart, capacity);
    this.#keyEnd = resized(this.#keyEnd, capacity);
    this.#valueStart = resized(this.#valueStart, capacity);
    this.#valueEnd = resized(this.#valueEnd, capacity);
  }
}

function resized(from: Uint32Array, capacity: number): Uint32Array {
  const to = new Uint32Array(capacity);
  to.set(capacity < from.length ? from.subarray(0, capacity) : from);
  return to;
}
