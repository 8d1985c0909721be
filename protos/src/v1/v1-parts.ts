/**
 * One v1 envelope taken apart: checked as Go checks it, with its fields in columns.
 *
 * The bytes come from a peer and have passed no scan. They are refused when they are malformed or
 * lack a field that events.proto requires, at any depth, for then no Go peer could read them.
 * Strings may be any bytes, since proto2 does not check them, and enums may be any number. Of a
 * scalar that occurs twice the last counts, and a message in several pieces is one.
 *
 * Hot where agents still send v1: reused, allocates nothing.
 */

import { MapEntries } from '../map-entries.ts';
import { isUtf8 } from '../utf8.ts';
import {
  MALFORMED,
  passFixed,
  passUnknown,
  passVarint,
  readLength,
  readTag,
  wire,
} from '../wire.ts';
import { FIELDS_MAX, FORWARDED, isText, NESTED, REQUIRED, TYPES, V1Message } from './v1-shapes.ts';

/** The fields of one message, in columns by their number. */
export class V1Fields {
  /** The bits of the fields that are there. */
  seen = 0;
  /** A string's bounds, or a message's. */
  readonly start: Int32Array = new Int32Array(FIELDS_MAX);
  readonly end: Int32Array = new Int32Array(FIELDS_MAX);
  /** An integer's or a double's words. */
  readonly low: Uint32Array = new Uint32Array(FIELDS_MAX);
  readonly high: Uint32Array = new Uint32Array(FIELDS_MAX);

  has(field: number): boolean {
    return (this.seen & (1 << field)) !== 0;
  }

  clear(): void {
    if (this.seen === 0) return;
    this.seen = 0;
    this.start.fill(0);
    this.end.fill(0);
    this.low.fill(0);
    this.high.fill(0);
  }
}

export class V1Parts {
  bytes: Uint8Array = new Uint8Array(0);
  /** Where in them the envelope is. */
  start = 0;
  end = 0;
  /** Whether some string is not UTF-8: v1 allows it, v2 does not. */
  hasBrokenText = false;
  readonly envelope: V1Fields = new V1Fields();
  readonly http: V1Fields = new V1Fields();
  readonly requestId: V1Fields = new V1Fields();
  readonly applicationId: V1Fields = new V1Fields();
  readonly log: V1Fields = new V1Fields();
  readonly value: V1Fields = new V1Fields();
  readonly counter: V1Fields = new V1Fields();
  readonly error: V1Fields = new V1Fields();
  readonly container: V1Fields = new V1Fields();
  readonly tags: MapEntries = new MapEntries();
  /** The strings of an HttpStartStop's `forwarded`: start and end of each, in turn. */
  readonly forwarded: number[] = [];

  readonly #messages: readonly V1Fields[] = [
    this.envelope,
    this.http,
    this.requestId,
    this.applicationId,
    this.log,
    this.value,
    this.counter,
    this.error,
    this.container,
    new V1Fields(), // A tag's, which `tags` reads.
  ];
  #present = 0;

  /** Reads the envelope bytes[start, end); false when Go could not. */
  read(bytes: Uint8Array, start: number, end: number): boolean {
    this.bytes = bytes;
    this.start = start;
    this.end = end;
    this.hasBrokenText = false;
    this.tags.clear();
    this.forwarded.length = 0;
    this.#present = 0;
    for (const fields of this.#messages) fields.clear();
    return this.#message(V1Message.envelope, start, end, 0) && this.#isComplete();
  }

  #isComplete(): boolean {
    for (let index = 0; index < REQUIRED.length; index += 1) {
      const required = REQUIRED[index] as number; // Below the length.
      if ((this.#present & (1 << index)) === 0) continue;
      if ((this.#fieldsOf(index).seen & required) !== required) return false;
    }
    return true;
  }

  #fieldsOf(message: number): V1Fields {
    return this.#messages[message] as V1Fields; // One for each shape.
  }

  #message(message: number, start: number, end: number, depth: number): boolean {
    this.#present |= 1 << message;
    const types = TYPES[message] as Int8Array;
    const fields = this.#fieldsOf(message);
    for (let at = start; at < end; ) {
      at = readTag(this.bytes, at, end);
      if (at === MALFORMED) return false;
      const tag = wire.value;
      const field = tag >>> 3;
      if (field >= FIELDS_MAX || types[field] !== (tag & 7)) {
        at = passUnknown(this.bytes, at, end, tag, depth);
      } else {
        fields.seen |= 1 << field;
        at = this.#field(message, field, at, end, depth);
      }
      if (at === MALFORMED) return false;
    }
    return true;
  }

  #field(message: number, field: number, at: number, limit: number, depth: number): number {
    const type = (TYPES[message] as Int8Array)[field];
    if (type !== 2) {
      const end = type === 0 ? passVarint(this.bytes, at, limit) : passFixed(at, limit, 8);
      if (end !== MALFORMED) this.#words(this.#fieldsOf(message), field, at, type === 0);
      return end;
    }
    const start = readLength(this.bytes, at, limit);
    if (start === MALFORMED) return MALFORMED;
    const end = start + wire.value;
    const fields = this.#fieldsOf(message);
    fields.start[field] = start;
    fields.end[field] = end;
    const nested = (NESTED[message] as Uint8Array)[field] as number;
    if (nested !== V1Message.envelope) {
      if (!this.#message(nested, start, end, depth + 1)) return MALFORMED;
      if (nested === V1Message.tag) this.tags.add(this.bytes, start, end);
      return end;
    }
    if (message === V1Message.http && field === FORWARDED) this.forwarded.push(start, end);
    if (isText(message, field) && !isUtf8(this.bytes, start, end)) this.hasBrokenText = true;
    return end;
  }

  #words(fields: V1Fields, field: number, at: number, isVarint: boolean): void {
    const { bytes } = this;
    let low = 0;
    let high = 0;
    if (isVarint) {
      for (let shift = 0, from = at; shift < 70; shift += 7, from += 1) {
        const byte = bytes[from] as number; // `passVarint` has found its end.
        const bits = byte & 0x7f;
        if (shift < 28) low |= bits << shift;
        else if (shift === 28) {
          low |= bits << 28;
          high = bits >>> 4;
        } else high |= bits << (shift - 32);
        if (byte < 0x80) break;
      }
    } else {
      for (let place = 0; place < 32; place += 8) {
        low |= (bytes[at + place / 8] as number) << place;
        high |= (bytes[at + 4 + place / 8] as number) << place;
      }
    }
    fields.low[field] = low;
    fields.high[field] = high;
  }
}
