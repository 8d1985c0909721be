/**
 * Numbers as Go's strconv reads them: unsigned and signed integers of 64 bits, and floats.
 *
 * A value is left in `high` and `low`, or in `float`. Short numbers, as nearly all are, cost no
 * string and no BigInt; the others do.
 */

import { parseFloatText } from '../float-text.ts';

const ZERO = 0x30;
const PLUS = 0x2b;
const MINUS = 0x2d;
const DOT = 0x2e;
const WORD = 2 ** 32;
const DIGITS_EXACT = 15;
/** Powers of ten that a double holds exactly: a quotient by them is rounded once, so rightly. */
const POWERS: readonly number[] = Array.from({ length: 16 }, (_, power) => 10 ** power);
const UNSIGNED_MAX = 2n ** 64n - 1n;
const SIGNED_MAX = 2n ** 63n - 1n;

export class NumberText {
  high = 0;
  low = 0;
  float = 0;

  /** Reads digits; false, if they are none, or too many. */
  readUnsigned(bytes: Buffer, start: number, end: number): boolean {
    return this.#readDigits(bytes, start, end, UNSIGNED_MAX);
  }

  /** Reads digits with or without a sign. */
  readSigned(bytes: Buffer, start: number, end: number): boolean {
    const sign = bytes[start];
    const isNegative = start < end && sign === MINUS;
    const hasSign = isNegative || (start < end && sign === PLUS);
    const max = isNegative ? SIGNED_MAX + 1n : SIGNED_MAX;
    if (!this.#readDigits(bytes, hasSign ? start + 1 : start, end, max)) return false;
    if (isNegative)
      this.#set(BigInt.asUintN(64, -((BigInt(this.high >>> 0) << 32n) | BigInt(this.low))));
    return true;
  }

  readFloat(bytes: Buffer, start: number, end: number): boolean {
    if (this.#readShortFloat(bytes, start, end)) return true;
    const float = parseFloatText(bytes.toString('latin1', start, end));
    this.float = float ?? Number.NaN;
    return float !== undefined;
  }

  #readDigits(bytes: Buffer, start: number, end: number, max: bigint): boolean {
    if (start >= end) return false;
    let value = 0;
    for (let at = start; at < end; at += 1) {
      const digit = (bytes[at] as number) - ZERO; // Below the end.
      if (digit < 0 || digit > 9) return false;
      value = value * 10 + digit;
    }
    if (end - start <= DIGITS_EXACT) {
      this.high = Math.floor(value / WORD);
      this.low = value % WORD;
      return true;
    }
    // More digits than any such value has are zeros in front, or too many.
    const text = bytes.toString('latin1', start, end).replace(/^0+(?=\d)/, '');
    const exact = text.length > 20 ? max + 1n : BigInt(text);
    if (exact > max) return false;
    this.#set(exact);
    return true;
  }

  #set(value: bigint): void {
    this.high = Number(value >> 32n);
    this.low = Number(value & 0xffff_ffffn);
  }

  /** One of at most fifteen digits, with or without a dot among them. */
  #readShortFloat(bytes: Buffer, start: number, end: number): boolean {
    const isNegative = bytes[start] === MINUS;
    let value = 0;
    let count = 0;
    let fraction = -1;
    for (let at = isNegative ? start + 1 : start; at < end; at += 1) {
      const byte = bytes[at] as number; // Below the end.
      if (byte === DOT && fraction < 0) {
        fraction = 0;
        continue;
      }
      if (byte < ZERO || byte > ZERO + 9 || count === DIGITS_EXACT) return false;
      value = value * 10 + byte - ZERO;
      count += 1;
      if (fraction >= 0) fraction += 1;
    }
    if (count === 0) return false;
    const magnitude = fraction > 0 ? value / (POWERS[fraction] as number) : value;
    this.float = isNegative ? -magnitude : magnitude;
    return true;
  }
}
