/**
 * Writes the fields of one loggregator.v2.Envelope, in any order, and adds it to a builder.
 *
 * Hot: reused, allocates nothing. `begin` must be told how many bytes are to come at most.
 */

import type { BatchBuilder } from '../builder.ts';
import { INTEGER_BYTES_MAX, writeSigned } from '../decimal.ts';
import { fieldSize, varint64Size, WireWriter } from '../wire-writer.ts';

/** The fields of loggregator.v2.Envelope, by number and wire type. */
const TIMESTAMP = 0x08;
const SOURCE_ID = 0x12;
const LOG = 0x22;
const GAUGE = 0x32;
const INSTANCE_ID = 0x42;
const TAG = 0x4a;

/** Fields 1, 2 and 3 of the messages in it and of map entries: text, varints or a double. */
const TEXT_1 = 0x0a;
const TEXT_2 = 0x12;
const VARINT_2 = 0x10;
const VARINT_3 = 0x18;
const DOUBLE_2 = 0x11;

/** Counters and timers are alike; this is which. */
export const NamedField = { counter: 0x2a, timer: 0x3a } as const;

export class V2Writer {
  readonly #wire = new WireWriter();
  readonly #digits = Buffer.alloc(INTEGER_BYTES_MAX);

  /** Begins an envelope of at most `bytesMax`. */
  begin(bytesMax: number): void {
    this.#wire.reserve(bytesMax);
  }

  /** Adds the envelope to a builder. */
  finish(builder: BatchBuilder): void {
    this.#wire.moveTo(builder);
  }

  timestamp(high: number, low: number): void {
    this.#wire.byte(TIMESTAMP);
    this.#wire.varint64(high, low);
  }

  sourceId(bytes: Uint8Array, start: number, end: number): void {
    this.#wire.field(SOURCE_ID, bytes, start, end);
  }

  instanceId(bytes: Uint8Array, start: number, end: number): void {
    this.#wire.field(INSTANCE_ID, bytes, start, end);
  }

  /** An instance id that is a signed 32-bit number. */
  numericInstanceId(number: number): void {
    this.#wire.constantField(INSTANCE_ID, this.#digits, this.#decimal(number >> 31, number));
  }

  tag(key: Uint8Array, bytes: Uint8Array, start: number, end: number): void {
    this.tagHead(key, end - start);
    this.#wire.copy(bytes, start, end);
  }

  /** A tag whose value, of that length, is written piece by piece. */
  tagHead(key: Uint8Array, valueLength: number): void {
    this.#wire.byte(TAG);
    this.#wire.varint(fieldSize(key.length) + fieldSize(valueLength));
    this.#wire.constantField(TEXT_1, key);
    this.#wire.byte(TEXT_2);
    this.#wire.varint(valueLength);
  }

  piece(bytes: Uint8Array, start: number, end: number): void {
    this.#wire.copy(bytes, start, end);
  }

  numberTag(key: Uint8Array, high: number, low: number): void {
    this.tag(key, this.#digits, 0, this.#decimal(high, low));
  }

  /** A tag whose entry is there already: that of another map of text by text. */
  tagEntry(bytes: Uint8Array, start: number, end: number): void {
    this.#wire.field(TAG, bytes, start, end);
  }

  log(bytes: Uint8Array, start: number, end: number, isOut: boolean): void {
    this.#wire.byte(LOG);
    this.#wire.varint(fieldSize(end - start) + 2);
    this.#wire.field(TEXT_1, bytes, start, end);
    this.#wire.byte(VARINT_2);
    this.#wire.byte(isOut ? 0 : 1);
  }

  /** A counter or a timer; its values, each of two words, follow in the order of their fields. */
  named(field: number, name: Uint8Array, values: readonly [number, number, number, number]): void {
    const [secondHigh, secondLow, thirdHigh, thirdLow] = values;
    const second = 1 + varint64Size(secondHigh, secondLow);
    this.#wire.byte(field);
    this.#wire.varint(fieldSize(name.length) + second + 1 + varint64Size(thirdHigh, thirdLow));
    this.#wire.field(TEXT_1, name, 0, name.length);
    this.#wire.byte(VARINT_2);
    this.#wire.varint64(secondHigh, secondLow);
    this.#wire.byte(VARINT_3);
    this.#wire.varint64(thirdHigh, thirdLow);
  }

  /** A gauge, whose metrics, of that total size, follow. */
  gaugeHead(metricsSize: number): void {
    this.#wire.byte(GAUGE);
    this.#wire.varint(metricsSize);
  }

  metric(name: Uint8Array, unit: Uint8Array, value: number): void {
    const valueSize = fieldSize(unit.length) + 9;
    this.#wire.byte(TEXT_1);
    this.#wire.varint(fieldSize(name.length) + fieldSize(valueSize));
    this.#wire.field(TEXT_1, name, 0, name.length);
    this.#wire.byte(TEXT_2);
    this.#wire.varint(valueSize);
    this.#wire.field(TEXT_1, unit, 0, unit.length);
    this.#wire.byte(DOUBLE_2);
    this.#wire.double(value);
  }

  #decimal(high: number, low: number): number {
    return writeSigned(this.#digits, 0, high, low);
  }
}

/** How long a gauge becomes by a metric. */
export function metricSize(name: Uint8Array, unit: Uint8Array): number {
  return fieldSize(fieldSize(name.length) + fieldSize(fieldSize(unit.length) + 9));
}
