/**
 * One v2 envelope taken apart: where in its bytes the ids, the tags, the metrics and the message are.
 *
 * For those who must read all of an envelope (JSON, v1): a scan finds only what routing needs. The
 * bytes must have passed a scan. What protobuf says about fields that occur twice is settled here:
 * the last scalar counts, of messages in the oneof the last kind counts and its pieces are one
 * message, and so are the pieces of a map entry's value. Since no writer we know makes such
 * pieces, an envelope that has them is written anew, with everything in one piece, and then read.
 *
 * Hot: reused from envelope to envelope, allocates nothing for envelopes in one piece.
 */

import { FieldReader } from './fields.ts';
import { MapEntries } from './map-entries.ts';
import { mergePieces } from './merge-pieces.ts';

/** The fields of loggregator.v2.Envelope. */
export const EnvelopeField = {
  timestamp: 1,
  sourceId: 2,
  deprecatedTags: 3,
  log: 4,
  counter: 5,
  gauge: 6,
  timer: 7,
  instanceId: 8,
  tags: 9,
  event: 10,
} as const;

export class EnvelopeParts {
  /** What all bounds are in: the bytes that were given, or a copy when there were pieces. */
  bytes: Uint8Array = new Uint8Array(0);
  /** Where in them the bare envelope is. */
  start = 0;
  end = 0;
  timeLow = 0;
  timeHigh = 0;
  sourceStart = 0;
  sourceEnd = 0;
  instanceStart = 0;
  instanceEnd = 0;
  readonly tags: MapEntries = new MapEntries();
  /** The values are encoded Value messages. */
  readonly deprecatedTags: MapEntries = new MapEntries();
  /** The metrics of a gauge; the values are encoded GaugeValue messages. */
  readonly metrics: MapEntries = new MapEntries();
  /** The field number of the message in the oneof; 0 when there is none. */
  message = 0;
  bodyStart = 0;
  bodyEnd = 0;

  #bodies = 0;
  readonly #fields = new FieldReader();

  /** Takes the bare envelope bytes[start, end) apart. */
  read(bytes: Uint8Array, start: number, end: number): this {
    this.#walk(bytes, start, end);
    if (this.#bodies > 1 || this.deprecatedTags.isSplit || this.metrics.isSplit) {
      const merged = mergePieces(bytes, start, end);
      this.#walk(merged, 0, merged.length);
    }
    return this;
  }

  #walk(bytes: Uint8Array, start: number, end: number): void {
    this.#clear(bytes);
    this.start = start;
    this.end = end;
    for (let at = start; at < end; ) {
      // Nearly every field is plain: a tag of one byte, for bytes, then a length of one byte.
      const tag = bytes[at] as number;
      const length = bytes[at + 1] as number;
      if ((tag & 0x87) === 2 && length < 0x80) {
        at += 2 + length;
        this.#part(tag >>> 3, at - length, at);
      } else at = this.#field(bytes, at, end);
    }
    if (this.message === EnvelopeField.gauge) this.#metrics();
  }

  /** Reads a field of any form; returns the offset behind it. */
  #field(bytes: Uint8Array, start: number, end: number): number {
    const fields = this.#fields.over(bytes, start, end);
    if (!fields.next()) return end;
    if (fields.wireType === 2) this.#part(fields.field, fields.start, fields.end);
    else if (fields.field === EnvelopeField.timestamp && fields.wireType === 0) {
      this.timeLow = fields.low;
      this.timeHigh = fields.high;
    }
    return fields.end;
  }

  #clear(bytes: Uint8Array): void {
    this.bytes = bytes;
    this.timeLow = 0;
    this.timeHigh = 0;
    this.sourceStart = 0;
    this.sourceEnd = 0;
    this.instanceStart = 0;
    this.instanceEnd = 0;
    this.tags.clear();
    this.deprecatedTags.clear();
    this.metrics.clear();
    this.message = 0;
    this.bodyStart = 0;
    this.bodyEnd = 0;
    this.#bodies = 0;
  }

  #part(field: number, start: number, end: number): void {
    switch (field) {
      case EnvelopeField.tags:
        this.tags.add(this.bytes, start, end);
        break;
      case EnvelopeField.sourceId:
        this.sourceStart = start;
        this.sourceEnd = end;
        break;
      case EnvelopeField.instanceId:
        this.instanceStart = start;
        this.instanceEnd = end;
        break;
      case EnvelopeField.deprecatedTags:
        this.deprecatedTags.add(this.bytes, start, end);
        break;
      case EnvelopeField.log:
      case EnvelopeField.counter:
      case EnvelopeField.gauge:
      case EnvelopeField.timer:
      case EnvelopeField.event:
        this.message = field;
        this.bodyStart = start;
        this.bodyEnd = end;
        this.#bodies += 1;
        break;
    }
  }

  #metrics(): void {
    const fields = this.#fields.over(this.bytes, this.bodyStart, this.bodyEnd);
    while (fields.next()) {
      if (fields.field === 1 && fields.wireType === 2) {
        this.metrics.add(this.bytes, fields.start, fields.end);
      }
    }
  }
}
