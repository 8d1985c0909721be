/**
 * The tags of one v2 envelope, divided as v1 wants them: some become fields, the others stay tags.
 *
 * The source id becomes a tag of v1, and so does, for metrics, the instance id; if they are there,
 * they replace tags of the same name. Entries are copied whole, so a key that is there twice stays
 * so, and the last counts, as ever.
 *
 * Only a plain envelope is divided: one without deprecated tags, whose message is in one piece. As
 * nearly every envelope is plain, the others are made so first (see plain-envelope.ts).
 *
 * Hot: walks the envelope itself; reused, allocates nothing. Grows to the largest number of tags
 * seen; what more than 4096 took is given back.
 */

import type { Batch } from '../batch.ts';
import { MapEntries } from '../map-entries.ts';
import { MALFORMED, passUnknown, readLength, readTag, wire } from '../wire.ts';
import { fieldSize, type WireWriter } from '../wire-writer.ts';
import { NO_SLOT, SLOT_COUNT, Slot, slotOf } from './tag-slots.ts';

const KEPT_AT_FIRST = 64;
const KEPT_MAX = 4096;

/** The fields of loggregator.v2.Envelope that are looked for, by number and wire type. */
const TAG = 0x4a;
const DEPRECATED_TAG = 0x1a;
const LOG = 0x22;
const COUNTER = 0x2a;
const GAUGE = 0x32;
const TIMER = 0x3a;
const EVENT = 0x52;

const KEY = 0x0a;
const VALUE = 0x12;
const SOURCE_ID = Buffer.from('source_id');
const INSTANCE_ID = Buffer.from('instance_id');

/** Field 17 of events.Envelope, length-delimited: a tag of two bytes. */
const TAGS_LOW = 0x8a;
const TAGS_HIGH = 0x01;

/** Which tags go where. */
export interface Division {
  /** The slots of those that become fields. */
  readonly fields: number;
  /** Whether the instance id becomes a tag. */
  readonly isMetric: boolean;
}

export class TagFields {
  /** What the bounds are in. */
  bytes: Uint8Array = new Uint8Array(0);
  /** How long the tags become. */
  size = 0;

  /** The slots that have a value, and where it is. */
  #seen = 0;
  readonly #starts = new Int32Array(SLOT_COUNT);
  readonly #ends = new Int32Array(SLOT_COUNT);
  /** The tags that stay: each from its length on. */
  #keptStart: Int32Array = new Int32Array(KEPT_AT_FIRST);
  #keptEnd: Int32Array = new Int32Array(KEPT_AT_FIRST);
  #keptCount = 0;
  #taken = 0;
  #sourceStart = 0;
  #sourceEnd = 0;
  #instanceStart = 0;
  #instanceEnd = 0;
  readonly #entry = new MapEntries();

  /** Divides the tags of an envelope of a scanned batch; false when it is not plain. */
  read(batch: Batch, index: number, { fields, isMetric }: Division): boolean {
    this.bytes = batch.bytes;
    this.#sourceStart = batch.sourceStart[index] as number; // The row exists.
    this.#sourceEnd = batch.sourceEnd[index] as number;
    this.#instanceStart = isMetric ? (batch.instanceStart[index] as number) : 0;
    this.#instanceEnd = isMetric ? (batch.instanceEnd[index] as number) : 0;
    const sourceLength = this.#sourceEnd - this.#sourceStart;
    const instanceLength = this.#instanceEnd - this.#instanceStart;
    this.#taken = fields;
    this.size = 0;
    if (sourceLength > 0) {
      this.#taken |= 1 << Slot.source_id;
      this.size += entrySize(SOURCE_ID, sourceLength);
    }
    if (instanceLength > 0) {
      this.#taken |= 1 << Slot.instance_id;
      this.size += entrySize(INSTANCE_ID, instanceLength);
    }
    this.#seen = 0;
    this.#keptCount = 0;
    if (this.#keptStart.length > KEPT_MAX) this.#resize(KEPT_AT_FIRST);
    return this.#walk(batch.start[index] as number, batch.end[index] as number);
  }

  /** Where the value of a tag begins and ends; where there is no such tag, it is empty. */
  start(slot: number): number {
    return (this.#seen & (1 << slot)) !== 0 ? (this.#starts[slot] as number) : 0;
  }

  end(slot: number): number {
    return (this.#seen & (1 << slot)) !== 0 ? (this.#ends[slot] as number) : 0;
  }

  /** Whether a tag has this value. */
  is(slot: number, value: Uint8Array): boolean {
    const start = this.start(slot);
    if (this.end(slot) - start !== value.length) return false;
    for (let at = 0; at < value.length; at += 1) {
      if (this.bytes[start + at] !== value[at]) return false;
    }
    return true;
  }

  /** Writes the tags that stay. */
  write(wire: WireWriter): void {
    for (let entry = 0; entry < this.#keptCount; entry += 1) {
      wire.byte(TAGS_LOW);
      wire.byte(TAGS_HIGH);
      wire.copy(this.bytes, this.#keptStart[entry] as number, this.#keptEnd[entry] as number);
    }
    this.#writeEntry(wire, SOURCE_ID, this.#sourceStart, this.#sourceEnd);
    this.#writeEntry(wire, INSTANCE_ID, this.#instanceStart, this.#instanceEnd);
  }

  #writeEntry(wire: WireWriter, key: Uint8Array, start: number, end: number): void {
    if (end === start) return;
    wire.byte(TAGS_LOW);
    wire.byte(TAGS_HIGH);
    wire.varint(fieldSize(key.length) + fieldSize(end - start));
    wire.constantField(KEY, key);
    wire.field(VALUE, this.bytes, start, end);
  }

  #walk(start: number, end: number): boolean {
    const { bytes } = this;
    let messages = 0;
    for (let at = start; at < end; ) {
      const tag = bytes[at] as number;
      if ((tag & 0x87) !== 2) {
        at = passOther(bytes, at, end);
        if (at === MALFORMED) return false;
        continue;
      }
      const lengthAt = at + 1;
      at = readLength(bytes, lengthAt, end);
      const next = at + wire.value;
      if (tag === TAG) this.#divide(lengthAt, at, next);
      else if (tag === DEPRECATED_TAG) return false;
      else if (isMessage(tag)) messages += 1;
      at = next;
    }
    return messages === 1;
  }

  /** Takes or keeps the entry bytes[start, end), whose length begins at `lengthAt`. */
  #divide(lengthAt: number, start: number, end: number): void {
    const { bytes } = this;
    // Nearly every entry is plain: a key, then a value, each with a length of one byte.
    const keyEnd = start + 2 + (bytes[start + 1] as number);
    const isPlain =
      bytes[start] === KEY &&
      keyEnd < start + 2 + 0x80 &&
      bytes[keyEnd] === VALUE &&
      keyEnd + 2 + (bytes[keyEnd + 1] as number) === end &&
      end - keyEnd < 2 + 0x80;
    const isTaken = isPlain
      ? this.#isTaken(start + 2, keyEnd, keyEnd + 2, end)
      : this.#isOddTaken(start, end);
    if (isTaken) return;
    const entry = this.#keptCount;
    if (entry === this.#keptStart.length) this.#resize(entry * 2);
    this.#keptStart[entry] = lengthAt;
    this.#keptEnd[entry] = end;
    this.#keptCount = entry + 1;
    this.size += 2 + end - lengthAt;
  }

  /** Notes the value if the key has a slot; says whether it becomes a field. */
  #isTaken(keyStart: number, keyEnd: number, start: number, end: number): boolean {
    const slot = slotOf(this.bytes, keyStart, keyEnd);
    if (slot === NO_SLOT) return false;
    this.#seen |= 1 << slot;
    this.#starts[slot] = start;
    this.#ends[slot] = end;
    return (this.#taken & (1 << slot)) !== 0;
  }

  #isOddTaken(start: number, end: number): boolean {
    const entry = this.#entry;
    entry.clear();
    entry.add(this.bytes, start, end);
    const keyStart = entry.keyStart[0] as number; // The entry that was just added.
    const keyEnd = entry.keyEnd[0] as number;
    const valueStart = entry.valueStart[0] as number;
    return this.#isTaken(keyStart, keyEnd, valueStart, entry.valueEnd[0] as number);
  }

  #resize(capacity: number): void {
    const { length } = this.#keptStart;
    const starts = this.#keptStart.subarray(0, Math.min(length, capacity));
    const ends = this.#keptEnd.subarray(0, starts.length);
    this.#keptStart = new Int32Array(capacity);
    this.#keptStart.set(starts);
    this.#keptEnd = new Int32Array(capacity);
    this.#keptEnd.set(ends);
  }
}

function isMessage(tag: number): boolean {
  return tag === LOG || tag === COUNTER || tag === GAUGE || tag === TIMER || tag === EVENT;
}

/** Passes over the timestamp or an unknown field; MALFORMED for one that is written oddly. */
function passOther(bytes: Uint8Array, at: number, end: number): number {
  const next = readTag(bytes, at, end);
  if (next === MALFORMED || (next > at + 1 && wire.value < 0x80)) return MALFORMED;
  return passUnknown(bytes, next, end, wire.value, 1);
}

function entrySize(key: Uint8Array, valueLength: number): number {
  return 1 + fieldSize(fieldSize(key.length) + fieldSize(valueLength));
}
