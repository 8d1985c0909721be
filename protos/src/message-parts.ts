/**
 * The messages inside a v2 envelope, taken apart as `EnvelopeParts` does with the envelope itself.
 *
 * Hot: each is made once and reused; nothing is allocated. Of a field that occurs twice the last
 * counts, and a field of another wire type than its own is unknown.
 */

import { joinDouble } from './decimal.ts';
import { FieldReader } from './fields.ts';

/** loggregator.v2.Log */
export class LogParts {
  payloadStart = 0;
  payloadEnd = 0;
  /** 0 is OUT, 1 is ERR; any other number is unknown, and kept. */
  type = 0;
  readonly #fields = new FieldReader();

  read(bytes: Uint8Array, start: number, end: number): this {
    this.payloadStart = start;
    this.payloadEnd = start;
    this.type = 0;
    const fields = this.#fields.over(bytes, start, end);
    while (fields.next()) {
      if (fields.field === 1 && fields.wireType === 2) {
        this.payloadStart = fields.start;
        this.payloadEnd = fields.end;
      } else if (fields.field === 2 && fields.wireType === 0) this.type = fields.low | 0;
    }
    return this;
  }
}

/** loggregator.v2.Counter (name, delta, total) and Timer (name, start, stop), which are alike. */
export class NamedParts {
  nameStart = 0;
  nameEnd = 0;
  /** The delta, or the start: two unsigned words. */
  secondLow = 0;
  secondHigh = 0;
  /** The total, or the stop. */
  thirdLow = 0;
  thirdHigh = 0;
  readonly #fields = new FieldReader();

  read(bytes: Uint8Array, start: number, end: number): this {
    this.nameStart = start;
    this.nameEnd = start;
    this.secondLow = 0;
    this.secondHigh = 0;
    this.thirdLow = 0;
    this.thirdHigh = 0;
    const fields = this.#fields.over(bytes, start, end);
    while (fields.next()) {
      if (fields.field === 1 && fields.wireType === 2) {
        this.nameStart = fields.start;
        this.nameEnd = fields.end;
      } else if (fields.field === 2 && fields.wireType === 0) {
        this.secondLow = fields.low;
        this.secondHigh = fields.high;
      } else if (fields.field === 3 && fields.wireType === 0) {
        this.thirdLow = fields.low;
        this.thirdHigh = fields.high;
      }
    }
    return this;
  }
}

/** loggregator.v2.GaugeValue */
export class GaugeValueParts {
  unitStart = 0;
  unitEnd = 0;
  value = 0;
  readonly #fields = new FieldReader();

  read(bytes: Uint8Array, start: number, end: number): this {
    this.unitStart = start;
    this.unitEnd = start;
    this.value = 0;
    const fields = this.#fields.over(bytes, start, end);
    while (fields.next()) {
      if (fields.field === 1 && fields.wireType === 2) {
        this.unitStart = fields.start;
        this.unitEnd = fields.end;
      } else if (fields.field === 2 && fields.wireType === 1) {
        this.value = joinDouble(fields.high, fields.low);
      }
    }
    return this;
  }
}

/** loggregator.v2.Event */
export class EventParts {
  titleStart = 0;
  titleEnd = 0;
  bodyStart = 0;
  bodyEnd = 0;
  readonly #fields = new FieldReader();

  read(bytes: Uint8Array, start: number, end: number): this {
    this.titleStart = start;
    this.titleEnd = start;
    this.bodyStart = start;
    this.bodyEnd = start;
    const fields = this.#fields.over(bytes, start, end);
    while (fields.next()) {
      if (fields.wireType !== 2) continue;
      if (fields.field === 1) {
        this.titleStart = fields.start;
        this.titleEnd = fields.end;
      } else if (fields.field === 2) {
        this.bodyStart = fields.start;
        this.bodyEnd = fields.end;
      }
    }
    return this;
  }
}

/** Which member of a Value's oneof is set: its field number, or 0. */
export const ValueMember = { none: 0, text: 1, integer: 2, decimal: 3 } as const;
export type ValueMember = (typeof ValueMember)[keyof typeof ValueMember];

/** loggregator.v2.Value: the member that was set last, even if to its zero. */
export class ValueParts {
  member: ValueMember = ValueMember.none;
  textStart = 0;
  textEnd = 0;
  integerLow = 0;
  integerHigh = 0;
  decimal = 0;
  readonly #fields = new FieldReader();

  read(bytes: Uint8Array, start: number, end: number): this {
    this.member = ValueMember.none;
    const fields = this.#fields.over(bytes, start, end);
    while (fields.next()) {
      if (fields.field === 1 && fields.wireType === 2) {
        this.member = ValueMember.text;
        this.textStart = fields.start;
        this.textEnd = fields.end;
      } else if (fields.field === 2 && fields.wireType === 0) {
        this.member = ValueMember.integer;
        this.integerLow = fields.low;
        this.integerHigh = fields.high;
      } else if (fields.field === 3 && fields.wireType === 1) {
        this.member = ValueMember.decimal;
        this.decimal = joinDouble(fields.high, fields.low);
      }
    }
    return this;
  }
}
