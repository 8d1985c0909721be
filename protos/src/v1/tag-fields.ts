/**
 * The tags of one v2 envelope, divided as v1 wants them: some become fields, the others stay tags.
 *
 * The source id becomes a tag of v1, and so does, for metrics, the instance id; if they are there,
 * they replace tags of the same name. Entries are copied whole, so a key that is there twice stays
 * so, and the last counts, as ever.
 *
 * Hot: reused, allocates nothing. The envelope must have no deprecated tags (see flatten-tags.ts).
 */

import type { EnvelopeParts } from '../envelope-parts.ts';
import { fieldSize, type WireWriter } from '../wire-writer.ts';
import { NO_SLOT, SLOT_COUNT, Slot, slotOf } from './tag-slots.ts';

const KEY = 0x0a;
const VALUE = 0x12;
const SOURCE_ID = Buffer.from('source_id');
const INSTANCE_ID = Buffer.from('instance_id');

/** Field 17 of events.Envelope, length-delimited: a tag of two bytes. */
const TAGS_LOW = 0x8a;
const TAGS_HIGH = 0x01;

export class TagFields {
  /** What the bounds are in. */
  bytes: Uint8Array = new Uint8Array(0);
  /** How long the tags become. */
  size = 0;

  readonly #starts = new Int32Array(SLOT_COUNT);
  readonly #ends = new Int32Array(SLOT_COUNT);
  #kept: Int32Array = new Int32Array(32);
  #keptCount = 0;
  #parts: EnvelopeParts | undefined;
  #hasSource = false;
  #hasInstance = false;

  /** Divides the tags: those in the set `fields` become fields. */
  read(parts: EnvelopeParts, fields: number, { isMetric }: { isMetric: boolean }): this {
    this.#parts = parts;
    this.bytes = parts.bytes;
    this.#hasSource = parts.sourceEnd > parts.sourceStart;
    this.#hasInstance = isMetric && parts.instanceEnd > parts.instanceStart;
    const replaced =
      (this.#hasSource ? 1 << Slot.source_id : 0) | (this.#hasInstance ? 1 << Slot.instance_id : 0);

    this.#starts.fill(0);
    this.#ends.fill(0);
    this.#divide(parts, fields | replaced);
    if (this.#hasSource) this.size += entrySize(SOURCE_ID, parts.sourceEnd - parts.sourceStart);
    if (this.#hasInstance) {
      this.size += entrySize(INSTANCE_ID, parts.instanceEnd - parts.instanceStart);
    }
    return this;
  }

  /** Where the value of a tag begins and ends; where there is no such tag, it is empty. */
  start(slot: number): number {
    return this.#starts[slot] as number; // All slots are below the count.
  }

  end(slot: number): number {
    return this.#ends[slot] as number;
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
    const parts = this.#parts;
    if (!parts) return;
    const { bytes, tags } = parts;
    for (let index = 0; index < this.#keptCount; index += 1) {
      const entry = this.#kept[index] as number;
      const start = tags.entryStart[entry] as number;
      const end = tags.entryEnd[entry] as number;
      wire.byte(TAGS_LOW);
      wire.field(TAGS_HIGH, bytes, start, end);
    }
    if (this.#hasSource) writeEntry(wire, SOURCE_ID, bytes, parts.sourceStart, parts.sourceEnd);
    if (this.#hasInstance) {
      writeEntry(wire, INSTANCE_ID, bytes, parts.instanceStart, parts.instanceEnd);
    }
  }

  #divide({ bytes, tags }: EnvelopeParts, taken: number): void {
    const { count } = tags;
    if (count > this.#kept.length) this.#kept = new Int32Array(count * 2);
    const kept = this.#kept;
    let size = 0;
    let keptCount = 0;
    for (let entry = 0; entry < count; entry += 1) {
      const keyEnd = tags.keyEnd[entry] as number;
      const slot = slotOf(bytes, tags.keyStart[entry] as number, keyEnd);
      if (slot !== NO_SLOT) {
        this.#starts[slot] = tags.valueStart[entry] as number;
        this.#ends[slot] = tags.valueEnd[entry] as number;
        if ((taken & (1 << slot)) !== 0) continue;
      }
      kept[keptCount] = entry;
      keptCount += 1;
      size += 1 + fieldSize((tags.entryEnd[entry] as number) - (tags.entryStart[entry] as number));
    }
    this.#keptCount = keptCount;
    this.size = size;
  }
}

function entrySize(key: Uint8Array, valueLength: number): number {
  return 1 + fieldSize(fieldSize(key.length) + fieldSize(valueLength));
}

function writeEntry(
  wire: WireWriter,
  key: Uint8Array,
  bytes: Uint8Array,
  start: number,
  end: number,
): void {
  wire.byte(TAGS_LOW);
  wire.byte(TAGS_HIGH);
  wire.varint(fieldSize(key.length) + fieldSize(end - start));
  wire.field(KEY, key, 0, key.length);
  wire.field(VALUE, bytes, start, end);
}
