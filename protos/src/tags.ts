/**
 * Which of its two tag maps a consumer of the reverse log proxy wants to read.
 *
 *     prefer      deprecated_tags ──▶ tags              values become text
 *     deprecate   deprecated_tags ◀── tags              the default, for consumers of old
 *
 * What moves overwrites what has the same key, and the map it came from is left empty (Loggregator
 * v107.0.21). Integers become decimal, doubles Go's shortest %g. An envelope that needs no change is
 * copied as it is.
 *
 * What is overwritten is cut out while that is cheap. An envelope with more tags to move than any
 * honest one has keeps both entries instead: of a key that is there twice, protobuf takes the last.
 *
 * Hot: a consumer that asks for nothing gets every envelope deprecated. Reused; allocates nothing
 * but the bytes of the batch, and a string for a double. tags.bench.ts has the figures.
 */

import type { Batch } from './batch.ts';
import type { BatchBuilder } from './builder.ts';
import { goShortest, INTEGER_BYTES_MAX, writeSigned } from './decimal.ts';
import { EnvelopeField } from './envelope-parts.ts';
import { FieldReader } from './fields.ts';
import { MapEntries } from './map-entries.ts';
import { mergePieces } from './merge-pieces.ts';
import { ValueMember, ValueParts } from './message-parts.ts';
import { fieldSize, WireWriter } from './wire-writer.ts';

const TAG = 0x4a;
const DEPRECATED_TAG = 0x1a;
/** A map entry's key and value, and a Value's text. */
const KEY = 0x0a;
const VALUE = 0x12;
const TEXT = 0x0a;

/** With more tags to move, what they overwrite is not looked for. */
const CUT_TAGS_MAX = 64;

/** The most that an entry grows by: by the digits of a number, or by tags and lengths. */
const GROWTH_BYTES = 48;

export class TagPreference {
  readonly #fields = new FieldReader();
  /** The entries that move, and one of the other map. */
  readonly #moving = new MapEntries();
  readonly #other = new MapEntries();
  readonly #value = new ValueParts();
  readonly #wire = new WireWriter();
  readonly #digits = Buffer.alloc(INTEGER_BYTES_MAX);

  /** Adds one envelope of a scanned batch with all its tags in `tags`. */
  prefer(batch: Batch, index: number, builder: BatchBuilder): void {
    let { bytes }: { bytes: Uint8Array } = batch;
    let start = batch.start[index] as number; // The row exists, so the columns have its bounds.
    let end = batch.end[index] as number;
    this.#collect(bytes, start, end, EnvelopeField.deprecatedTags);
    if (this.#moving.count === 0) {
      builder.add(batch, index);
      return;
    }
    if (this.#moving.isSplit) {
      bytes = mergePieces(bytes, start, end);
      start = 0;
      end = bytes.length;
      this.#collect(bytes, start, end, EnvelopeField.deprecatedTags);
    }
    this.#begin(bytes, start, end, EnvelopeField.deprecatedTags, EnvelopeField.tags);
    for (let entry = 0; entry < this.#moving.count; entry += 1) this.#writeTag(bytes, entry);
    this.#wire.moveTo(builder);
  }

  /** Adds one envelope of a scanned batch with all its tags in `deprecated_tags`. */
  deprecate(batch: Batch, index: number, builder: BatchBuilder): void {
    const { bytes } = batch;
    const start = batch.start[index] as number;
    const end = batch.end[index] as number;
    this.#collect(bytes, start, end, EnvelopeField.tags);
    if (this.#moving.count === 0) {
      builder.add(batch, index);
      return;
    }
    this.#begin(bytes, start, end, EnvelopeField.tags, EnvelopeField.deprecatedTags);
    for (let entry = 0; entry < this.#moving.count; entry += 1) {
      this.#writeDeprecatedTag(bytes, entry);
    }
    this.#wire.moveTo(builder);
  }

  #collect(bytes: Uint8Array, start: number, end: number, map: number): void {
    this.#moving.clear();
    const fields = this.#fields.over(bytes, start, end);
    while (fields.next()) {
      if (fields.field === map && fields.wireType === 2) {
        this.#moving.add(bytes, fields.start, fields.end);
      }
    }
  }

  /** Copies the envelope without the entries of one map, nor those of the other they overwrite. */
  #begin(bytes: Uint8Array, start: number, end: number, moving: number, other: number): void {
    const wire = this.#wire;
    wire.reserve((end - start) * 2 + this.#moving.count * GROWTH_BYTES);
    let from = start;
    const fields = this.#fields.over(bytes, start, end);
    while (fields.next()) {
      if (fields.wireType !== 2) continue;
      const isCut =
        fields.field === moving ||
        (fields.field === other && this.#isOverwritten(bytes, fields.start, fields.end));
      if (!isCut) continue;
      wire.copy(bytes, from, fields.tagStart);
      from = fields.end;
    }
    wire.copy(bytes, from, end);
  }

  #isOverwritten(bytes: Uint8Array, start: number, end: number): boolean {
    if (this.#moving.count > CUT_TAGS_MAX) return false;
    const other = this.#other;
    other.clear();
    other.add(bytes, start, end);
    const keyStart = other.keyStart[0] as number; // The entry that was just added.
    return this.#moving.findSlice(bytes, keyStart, other.keyEnd[0] as number) >= 0;
  }

  #writeTag(bytes: Uint8Array, entry: number): void {
    const moving = this.#moving;
    const from = moving.valueStart[entry] as number; // Entries are below the count.
    const value = this.#value.read(bytes, from, moving.valueEnd[entry] as number);
    if (value.member === ValueMember.text) {
      this.#writeEntry(bytes, entry, bytes, value.textStart, value.textEnd);
    } else if (value.member === ValueMember.integer) {
      const length = writeSigned(this.#digits, 0, value.integerHigh, value.integerLow);
      this.#writeEntry(bytes, entry, this.#digits, 0, length);
    } else {
      // A value with nothing set is empty text.
      const isSet = value.member === ValueMember.decimal;
      const text = Buffer.from(isSet ? goShortest(value.decimal) : '');
      this.#writeEntry(bytes, entry, text, 0, text.length);
    }
  }

  #writeEntry(
    bytes: Uint8Array,
    entry: number,
    text: Uint8Array,
    textStart: number,
    textEnd: number,
  ): void {
    const wire = this.#wire;
    const keyStart = this.#moving.keyStart[entry] as number;
    const keyEnd = this.#moving.keyEnd[entry] as number;
    wire.byte(TAG);
    wire.varint(fieldSize(keyEnd - keyStart) + fieldSize(textEnd - textStart));
    wire.field(KEY, bytes, keyStart, keyEnd);
    wire.field(VALUE, text, textStart, textEnd);
  }

  #writeDeprecatedTag(bytes: Uint8Array, entry: number): void {
    const wire = this.#wire;
    const moving = this.#moving;
    const keyStart = moving.keyStart[entry] as number;
    const keyEnd = moving.keyEnd[entry] as number;
    const textStart = moving.valueStart[entry] as number;
    const textEnd = moving.valueEnd[entry] as number;
    const valueSize = fieldSize(textEnd - textStart);
    wire.byte(DEPRECATED_TAG);
    wire.varint(fieldSize(keyEnd - keyStart) + fieldSize(valueSize));
    wire.field(KEY, bytes, keyStart, keyEnd);
    wire.byte(VALUE);
    wire.varint(valueSize);
    wire.field(TEXT, bytes, textStart, textEnd);
  }
}
