/**
 * Decimal integers in tags, read from bytes as Go's strconv.ParseInt reads them: an optional sign,
 * then digits and nothing else; what doesn't fit is an error.
 *
 * Hot: a status code is a handful of digits and costs no allocation. Only beyond fifteen digits,
 * where a double is no longer exact, does it take a BigInt.
 */

import { splitTime } from '../time.ts';

const EXACT_DIGITS = 15;

/** More digits than this, zeros in front aside, don't fit in 64 bits. */
const DIGITS_MAX = 19;

export class ParsedInteger {
  low = 0;
  high = 0;

  /** Reads a signed 64-bit integer; 0, and false, when there is none. */
  parse64(bytes: Uint8Array, start: number, end: number): boolean {
    this.low = 0;
    this.high = 0;
    const first = bytes[start];
    const isNegative = first === 0x2d;
    let at = isNegative || first === 0x2b ? start + 1 : start;
    if (start >= end || at >= end) return false;
    let value = 0;
    let digits = 0;
    for (; at < end; at += 1) {
      const digit = (bytes[at] as number) - 0x30;
      if (digit < 0 || digit > 9) return false;
      value = value * 10 + digit;
      if (value > 0) digits += 1;
    }
    if (digits > DIGITS_MAX) return false;
    if (digits > EXACT_DIGITS) return this.#parseLong(bytes, end - digits, end, isNegative);
    this.#set(isNegative ? -value : value);
    return true;
  }

  /** Reads a signed 32-bit integer; 0, and false, when there is none. */
  parse32(bytes: Uint8Array, start: number, end: number): boolean {
    const fits = this.parse64(bytes, start, end) && this.high === (this.low | 0) >> 31;
    if (!fits) {
      this.low = 0;
      this.high = 0;
    }
    return fits;
  }

  #set(value: number): void {
    this.low = value >>> 0;
    this.high = Math.floor(value / 2 ** 32) | 0;
  }

  #parseLong(bytes: Uint8Array, start: number, end: number, isNegative: boolean): boolean {
    const digits = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start);
    const size = BigInt(digits.toString('latin1'));
    const value = isNegative ? -size : size;
    if (BigInt.asIntN(64, value) !== value) return false;
    const { high, low } = splitTime(value);
    this.low = low;
    this.high = high;
    return true;
  }
}
