/**
 * Numbers as the originals print them: 64-bit integers from two words without a BigInt, and doubles
 * as Go's %g and %f and protojson do.
 *
 * Hot: the integers. Each costs two divisions and its digits.
 */

const WORD = 2 ** 32;
const BILLION = 1_000_000_000;
const ZERO = 0x30;
const MINUS = 0x2d;

/** The digits of 00 to 99, one after another. */
const DIGIT_PAIRS: Uint8Array = Uint8Array.from(
  { length: 200 },
  (_, at) => ZERO + (at % 2 === 0 ? Math.floor(at / 20) : (at >> 1) % 10),
);

/** Room for any 64-bit integer: twenty digits, or nineteen and a sign. */
export const INTEGER_BYTES_MAX = 20;

/** Writes an unsigned 64-bit value, given as two words; returns the offset behind it. */
export function writeUnsigned(out: Uint8Array, at: number, high: number, low: number): number {
  const upper = high >>> 0;
  const lower = low >>> 0;
  if (upper === 0 && lower < BILLION) return writeDigits(out, at, lower, digitsOf(lower));

  // As a double the value is off by a thousand at most, so the quotient is off by one at most; the
  // remainder, which fits in 32 bits, tells.
  let quotient = Math.floor((upper * WORD + lower) / BILLION);
  let rest = (lower - Math.imul(quotient, BILLION)) | 0;
  if (rest < 0) {
    quotient -= 1;
    rest += BILLION;
  } else if (rest >= BILLION) {
    quotient += 1;
    rest -= BILLION;
  }

  // The quotient has eleven digits at most.
  let next = at;
  if (quotient >= BILLION) {
    const first = Math.floor(quotient / BILLION);
    next = writeDigits(out, next, first, digitsOf(first));
    next = writeDigits(out, next, quotient - first * BILLION, 9);
  } else next = writeDigits(out, next, quotient, digitsOf(quotient));
  return writeDigits(out, next, rest, 9);
}

/** Writes a signed 64-bit value, given as two words; returns the offset behind it. */
export function writeSigned(out: Uint8Array, at: number, high: number, low: number): number {
  if ((high | 0) >= 0) return writeUnsigned(out, at, high, low);
  out[at] = MINUS;
  const negated = -low >>> 0;
  return writeUnsigned(out, at + 1, ~high + (negated === 0 ? 1 : 0), negated);
}

function digitsOf(value: number): number {
  let digits = 1;
  for (let power = 10; digits < 9 && value >= power; power *= 10) digits += 1;
  return digits;
}

function writeDigits(out: Uint8Array, at: number, value: number, digits: number): number {
  let rest = value | 0; // Below a billion, so integer arithmetic will do.
  let place = at + digits;
  while (place >= at + 2) {
    const hundredth = (rest / 100) | 0;
    const pair = (rest - hundredth * 100) * 2;
    out[place - 1] = DIGIT_PAIRS[pair + 1] as number; // Below two hundred.
    out[place - 2] = DIGIT_PAIRS[pair] as number;
    rest = hundredth;
    place -= 2;
  }
  if (place > at) out[at] = ZERO + rest;
  return at + digits;
}

const words = new DataView(new ArrayBuffer(8));

/** The double whose bits are these two words. */
export function joinDouble(high: number, low: number): number {
  words.setUint32(0, high);
  words.setUint32(4, low);
  return words.getFloat64(0);
}

/** As protojson prints a double, in shortest form; what JSON has no number for stands in quotes. */
export function jsonNumber(value: number): string {
  if (Number.isNaN(value)) return '"NaN"';
  if (!Number.isFinite(value)) return value > 0 ? '"Infinity"' : '"-Infinity"';
  return Object.is(value, -0) ? '-0' : String(value);
}

/** As Go's `%g`: the shortest form, with an exponent below 1e-4 and from 1e6 on. */
export function goShortest(value: number): string {
  if (!Number.isFinite(value)) return notFinite(value);
  if (value === 0) return Object.is(value, -0) ? '-0' : '0';
  const [mantissa = '', power = '0'] = value.toExponential().split('e');
  const exponent = Number(power);
  if (exponent >= -4 && exponent < 6) return String(value);
  const digits = String(Math.abs(exponent)).padStart(2, '0');
  return `${mantissa}e${exponent < 0 ? '-' : '+'}${digits}`;
}

/** As Go's `%f`: six decimals, rounded from the exact value, ties to even. */
export function goFixed(value: number): string {
  if (!Number.isFinite(value)) return notFinite(value);
  const size = Math.abs(value);
  const sign = value < 0 || Object.is(value, -0) ? '-' : '';
  if (size >= 1e21) return `${sign}${BigInt(size)}.000000`;
  // A tie is an odd number of 128ths, which seven decimals show exactly. `toFixed` rounds ties up.
  const exact = size.toFixed(7);
  const isTie = (size * 128) % 2 === 1;
  const isEven = Number(exact.at(-2)) % 2 === 0;
  return sign + (isTie && isEven ? exact.slice(0, -1) : size.toFixed(6));
}

function notFinite(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  return value > 0 ? '+Inf' : '-Inf';
}
