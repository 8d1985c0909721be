/**
 * A timestamp of RFC 5424, `2023-11-14T22:13:20.123456+01:00`, in nanoseconds as two words.
 *
 * Fractions have six digits at most, and there are no leap seconds: RFC 5424 says so. Hot: no
 * strings, no Date, no BigInt.
 */

const ZERO = 0x30;
const DASH = 0x2d;
const PLUS = 0x2b;
const COLON = 0x3a;
const DOT = 0x2e;
const UPPER_T = 0x54;
const UPPER_Z = 0x5a;

const WORD = 2 ** 32;
const FRACTION_DIGITS_MAX = 6;
const DAYS_TO_1970 = 719_468;
const DAYS_PER_MONTH: readonly number[] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

export class Timestamp {
  high = 0;
  low = 0;

  /** Reads bytes[start, end); false, if it is no such time. */
  read(bytes: Uint8Array, start: number, end: number): boolean {
    const year = digits(bytes, start, 4, end);
    const month = digits(bytes, start + 5, 2, end);
    const day = digits(bytes, start + 8, 2, end);
    const hour = digits(bytes, start + 11, 2, end);
    const minute = digits(bytes, start + 14, 2, end);
    const second = digits(bytes, start + 17, 2, end);
    if (year < 0 || month < 1 || month > 12 || day < 1 || day > daysOf(year, month)) return false;
    if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59)
      return false;
    const isSpelt =
      bytes[start + 4] === DASH &&
      bytes[start + 7] === DASH &&
      bytes[start + 10] === UPPER_T &&
      bytes[start + 13] === COLON &&
      bytes[start + 16] === COLON;
    if (!isSpelt) return false;

    let at = start + 19;
    let microseconds = 0;
    if (at < end && bytes[at] === DOT) {
      const first = at + 1;
      let scale = 100_000;
      for (at = first; at < end && at - first <= FRACTION_DIGITS_MAX; at += 1) {
        const digit = (bytes[at] as number) - ZERO; // Below the end.
        if (digit < 0 || digit > 9) break;
        microseconds += digit * scale;
        scale /= 10;
      }
      if (at === first || at - first > FRACTION_DIGITS_MAX) return false;
    }
    const offset = offsetSeconds(bytes, at, end);
    if (offset === undefined) return false;
    const seconds = daysSince1970(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
    this.#set(seconds - offset, microseconds);
    return true;
  }

  /** Beyond 2^63 it wraps, as the original's. The parts are all below 2^53. */
  #set(seconds: number, microseconds: number): void {
    const upper = Math.floor(seconds / 2 ** 20) * 1e9;
    const lower = (seconds - Math.floor(seconds / 2 ** 20) * 2 ** 20) * 1e9 + microseconds * 1000;
    const upperWords = Math.floor(upper / 2 ** 12);
    const rest = (upper - upperWords * 2 ** 12) * 2 ** 20 + lower;
    const carried = Math.floor(rest / WORD);
    this.high = (upperWords + carried) | 0;
    this.low = rest - carried * WORD;
  }
}

/** Two or four digits as a number; -1, if they are none. */
function digits(bytes: Uint8Array, start: number, count: number, end: number): number {
  if (start + count > end) return -1;
  let value = 0;
  for (let at = start; at < start + count; at += 1) {
    const digit = (bytes[at] as number) - ZERO;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value;
}

function offsetSeconds(bytes: Uint8Array, start: number, end: number): number | undefined {
  const sign = bytes[start];
  if (sign === UPPER_Z) return start + 1 === end ? 0 : undefined;
  if ((sign !== PLUS && sign !== DASH) || start + 6 !== end) return undefined;
  const hours = digits(bytes, start + 1, 2, end);
  const minutes = digits(bytes, start + 4, 2, end);
  if (bytes[start + 3] !== COLON || hours < 0 || hours > 23 || minutes < 0 || minutes > 59) {
    return undefined;
  }
  return (hours * 3600 + minutes * 60) * (sign === PLUS ? 1 : -1);
}

function daysOf(year: number, month: number): number {
  const isLeap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
  return month === 2 && isLeap ? 29 : (DAYS_PER_MONTH[month - 1] ?? 0);
}

/** Of the Gregorian calendar, with years that begin in March. */
function daysSince1970(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const yearOfEra = y - era * 400;
  const dayOfYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1;
  const dayOfEra =
    yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - DAYS_TO_1970;
}
