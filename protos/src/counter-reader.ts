/** Reads counters in bytes that a scan has accepted, without allocating. */

import { FieldReader } from './fields.ts';

const COUNTER_FIELD = 5;

/**
 * Reads what an envelope's counter says, in unsigned words. A message that stands in several
 * pieces is one message, as every protobuf peer reads it.
 */
export class CounterReader {
  nameStart = 0;
  nameEnd = 0;
  deltaLow = 0;
  deltaHigh = 0;
  totalLow = 0;
  totalHigh = 0;
  /** How many bytes the message has besides its total. */
  otherBytes = 0;
  /** How many pieces it stands in; the last field, and the message in it. */
  pieces = 0;
  fieldStart = 0;
  bodyStart = 0;
  bodyEnd = 0;

  readonly #fields = new FieldReader();
  readonly #body = new FieldReader();

  /** Reads the counter of the envelope bytes[start, end). */
  over(bytes: Uint8Array, start: number, end: number): this {
    this.nameStart = start;
    this.nameEnd = start;
    this.deltaLow = 0;
    this.deltaHigh = 0;
    this.totalLow = 0;
    this.totalHigh = 0;
    this.otherBytes = 0;
    this.pieces = 0;
    for (const fields = this.#fields.over(bytes, start, end); fields.next(); ) {
      if (!isCounter(fields)) continue;
      this.pieces += 1;
      this.fieldStart = fields.tagStart;
      this.bodyStart = fields.start;
      this.bodyEnd = fields.end;
      this.otherBytes += fields.end - fields.start;
      this.#readBody(bytes, fields.start, fields.end);
    }
    return this;
  }

  #readBody(bytes: Uint8Array, start: number, end: number): void {
    for (const body = this.#body.over(bytes, start, end); body.next(); ) {
      if (body.field === 1 && body.wireType === 2) {
        this.nameStart = body.start;
        this.nameEnd = body.end;
      } else if (body.field === 2 && body.wireType === 0) {
        this.deltaLow = body.low;
        this.deltaHigh = body.high;
      } else if (body.field === 3 && body.wireType === 0) {
        this.totalLow = body.low;
        this.totalHigh = body.high;
        this.otherBytes -= body.end - body.tagStart;
      }
    }
  }
}

/** Whether the field that an envelope's reader stands at is its counter. */
export function isCounter(fields: FieldReader): boolean {
  return fields.field === COUNTER_FIELD && fields.wireType === 2;
}
