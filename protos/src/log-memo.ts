/**
 * What was made of the logs that came before, without their time and their payload: two logs of one
 * instance differ in these two only, and in most formats the rest is most of the work.
 *
 *     envelope   │ timestamp │ head: source id │ log │ tail: instance id, tags … │
 *
 * A log whose head and tail are byte for byte those of an earlier one, and that is made for the
 * same purpose, gets what was kept for that. There are SLOTS places, found by a hash; a place goes
 * to who comes to it twice in a row, so logs that never repeat cost a hash and take no place. A log
 * with more than AROUND_BYTES_MAX beside its payload is not remembered, which bounds all to SLOTS
 * times that and what is kept for it.
 *
 * Hot: a hit costs a hash of the ids and two comparisons.
 */

import { FieldReader } from './fields.ts';
import { LogParts } from './message-parts.ts';

const SLOTS = 1024;
/** Of an envelope; what is kept for one should not be much longer. */
const AROUND_BYTES_MAX = 4096;

const TIMESTAMP = 0x08;
const SOURCE_ID = 0x12;
const LOG = 0x22;
/** Of the tail, so many bytes go into the hash: they hold the instance. */
const HASHED_TAIL_BYTES = 8;

/** The fields of an envelope of which there may be one: its time, and its message. */
const TIMESTAMP_FIELD = 1;
const MESSAGE_FIELDS: readonly number[] = [4, 5, 6, 7, 10];

interface Entry<T> {
  readonly purpose: object;
  /** Head and tail, one after the other. */
  readonly around: Buffer;
  readonly headBytes: number;
  readonly value: T;
}

export class LogMemo<T> {
  /** Whether what becomes of the log that was not found is to be kept. */
  wanted = false;
  /** Of the log that was found last. */
  timeHigh = 0;
  timeLow = 0;
  readonly log: LogParts = new LogParts();

  readonly #entries: (Entry<T> | undefined)[] = new Array<undefined>(SLOTS).fill(undefined);
  /** Of each place, the hash that came last. */
  readonly #seen = new Int32Array(SLOTS);
  readonly #fields = new FieldReader();
  // The envelope that was looked for last, and its place.
  #bytes: Uint8Array = new Uint8Array(0);
  #start = 0;
  #headStart = 0;
  #headEnd = 0;
  #tailStart = 0;
  #end = 0;
  #slot = 0;

  /** What was kept for the envelope bytes[start, end), if it is a log whose like has come before. */
  find(bytes: Uint8Array, start: number, end: number, purpose: object): T | undefined {
    this.wanted = false;
    if (!this.#divide(bytes, start, end)) return undefined;
    const headBytes = this.#headEnd - this.#headStart;
    const bothBytes = headBytes + end - this.#tailStart;
    if (bothBytes > AROUND_BYTES_MAX) return undefined;
    this.#bytes = bytes;
    this.#start = start;
    const hash = this.#hash(bytes);
    this.#slot = hash & (SLOTS - 1);
    this.wanted = this.#seen[this.#slot] === hash;
    this.#seen[this.#slot] = hash;
    const entry = this.#entries[this.#slot];
    if (entry === undefined || entry.purpose !== purpose || entry.headBytes !== headBytes) {
      return undefined;
    }
    const { around } = entry;
    if (around.length !== bothBytes) return undefined;
    // The tail first: it is where instances differ.
    if (around.compare(bytes, this.#tailStart, end, headBytes, bothBytes) !== 0) return undefined;
    if (around.compare(bytes, this.#headStart, this.#headEnd, 0, headBytes) !== 0) return undefined;
    return entry.value;
  }

  /** Keeps this for the log that was just looked for, which must be `wanted`. */
  keep(purpose: object, value: T): void {
    if (!this.#isPlain()) return;
    const bytes = this.#bytes;
    const head = bytes.subarray(this.#headStart, this.#headEnd);
    const tail = bytes.subarray(this.#tailStart, this.#end);
    const around = Buffer.concat([head, tail]);
    this.#entries[this.#slot] = { purpose, around, headBytes: head.length, value };
  }

  /** Finds timestamp and log in an envelope that begins with timestamp, source id and log. */
  #divide(bytes: Uint8Array, start: number, end: number): boolean {
    if (bytes[start] !== TIMESTAMP) return false;
    const fields = this.#fields.over(bytes, start, end);
    fields.next();
    this.timeHigh = fields.high;
    this.timeLow = fields.low;
    this.#headStart = fields.end;
    if (bytes[fields.end] !== SOURCE_ID || !fields.next()) return false;
    this.#headEnd = fields.end;
    if (bytes[fields.end] !== LOG || !fields.next()) return false;
    this.log.read(bytes, fields.start, fields.end);
    this.#tailStart = fields.end;
    this.#end = end;
    return true;
  }

  #hash(bytes: Uint8Array): number {
    let hash = this.#end - this.#tailStart;
    for (let at = this.#headStart; at < this.#headEnd; at += 1) {
      hash = Math.imul(hash ^ (bytes[at] as number), 0x01000193); // Within the envelope.
    }
    const stop = Math.min(this.#end, this.#tailStart + HASHED_TAIL_BYTES);
    for (let at = this.#tailStart; at < stop; at += 1) {
      hash = Math.imul(hash ^ (bytes[at] as number), 0x01000193);
    }
    return hash ^ (hash >>> 15);
  }

  /** Of a field that is there twice the last counts, so such an envelope is not what it seems. */
  #isPlain(): boolean {
    let times = 0;
    let messages = 0;
    const fields = this.#fields.over(this.#bytes, this.#start, this.#end);
    while (fields.next()) {
      if (fields.field === TIMESTAMP_FIELD) times += 1;
      if (MESSAGE_FIELDS.includes(fields.field)) messages += 1;
    }
    return times === 1 && messages === 1;
  }
}
