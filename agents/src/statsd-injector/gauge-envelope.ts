/**
 * Writes the one envelope that a statsd line becomes: a gauge with one metric, byte by byte.
 *
 *     Envelope { timestamp, source_id: origin, gauge { name → { unit, value } }, tags { origin, … } }
 *
 * Hot: once per line, into a buffer that is used again. The tag `origin` comes first, so that one
 * that the line brings counts instead, as the last of a name does.
 */

import { encodeVarint, encodeVarint64, splitTime, varintSize } from '@standpipe/protos';
import type { Line, MetricType } from './line.ts';

const TIMESTAMP = 0x08;
const SOURCE_ID = 0x12;
const GAUGE = 0x32;
const TAG = 0x4a;
const FIELD_1 = 0x0a;
const FIELD_2 = 0x12;
const VALUE = 0x11;

const ORIGIN = Buffer.from('origin');
const UNITS: Readonly<Record<MetricType, Buffer>> = {
  counter: Buffer.from('counter'),
  gauge: Buffer.from('gauge'),
  timer: Buffer.from('ms'),
};

/** A tag, a length of five bytes, and so on, thrice over, for each field. */
const OVERHEAD_PER_FIELD = 24;

export class GaugeEnvelope {
  #bytes: Buffer = Buffer.allocUnsafeSlow(4096);
  #at = 0;
  #timeHigh = 0;
  #timeLow = 0;

  /** Sets the time, in nanoseconds since 1970, of what is written from here on. */
  setTime(time: bigint): void {
    const { high, low } = splitTime(time);
    this.#timeHigh = high;
    this.#timeLow = low;
  }

  /** The envelope of a line of `from` with this value: a view, valid until the next one. */
  write(from: Buffer, line: Line, value: number): Buffer {
    const { originStart, originEnd, nameStart, nameEnd } = line;
    const unit = UNITS[line.type];
    this.#reserve(line);
    this.#bytes[0] = TIMESTAMP;
    this.#at = encodeVarint64(this.#bytes, 1, this.#timeHigh, this.#timeLow);
    this.#field(SOURCE_ID, from, originStart, originEnd);

    const valueSize = fieldSize(unit.length) + 9;
    const entrySize = fieldSize(nameEnd - nameStart) + fieldSize(valueSize);
    this.#head(GAUGE, fieldSize(entrySize));
    this.#head(FIELD_1, entrySize);
    this.#field(FIELD_1, from, nameStart, nameEnd);
    this.#head(FIELD_2, valueSize);
    this.#field(FIELD_1, unit, 0, unit.length);
    this.#bytes[this.#at] = VALUE;
    this.#at = this.#bytes.writeDoubleLE(value, this.#at + 1);

    this.#tag(ORIGIN, 0, ORIGIN.length, from, originStart, originEnd);
    for (let index = 0; index < line.tagCount; index += 1) {
      const keyStart = line.keyStart[index] as number;
      const keyEnd = line.keyEnd[index] as number;
      const textStart = line.textStart[index] as number;
      const textEnd = line.textEnd[index] as number;
      this.#tag(from, keyStart, keyEnd, from, textStart, textEnd);
    }
    return this.#bytes.subarray(0, this.#at);
  }

  #tag(
    keys: Buffer,
    keyStart: number,
    keyEnd: number,
    texts: Buffer,
    textStart: number,
    textEnd: number,
  ): void {
    this.#head(TAG, fieldSize(keyEnd - keyStart) + fieldSize(textEnd - textStart));
    this.#field(FIELD_1, keys, keyStart, keyEnd);
    this.#field(FIELD_2, texts, textStart, textEnd);
  }

  #field(tag: number, from: Buffer, start: number, end: number): void {
    this.#head(tag, end - start);
    const to = this.#bytes;
    let at = this.#at;
    for (let index = start; index < end; index += 1) to[at++] = from[index] as number;
    this.#at = at;
  }

  #head(tag: number, length: number): void {
    this.#bytes[this.#at] = tag;
    this.#at = encodeVarint(this.#bytes, this.#at + 1, length);
  }

  /** Makes room for all that a line can need. */
  #reserve(line: Line): void {
    let size = 2 * (line.nameEnd - line.originStart) + OVERHEAD_PER_FIELD * (line.tagCount + 5);
    for (let index = 0; index < line.tagCount; index += 1) {
      size += (line.textEnd[index] as number) - (line.keyStart[index] as number);
    }
    if (size > this.#bytes.length) this.#bytes = Buffer.allocUnsafeSlow(size * 2);
  }
}

/** The size of a length-delimited field whose tag is one byte. */
function fieldSize(length: number): number {
  return 1 + varintSize(length) + length;
}
