/** Numbers, durations and strings as PromQL writes them. */

import { parseFloatText } from '../float-text.ts';

const UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
  y: 31_536_000_000,
};

const DURATION = /^(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?$/;
const DURATION_UNITS = ['y', 'w', 'd', 'h', 'm', 's', 'ms'];

/** The longest duration: what fits 64 bits of nanoseconds. */
export const DURATION_MS_MAX = 9_223_372_036_854;

/** Milliseconds of `1h30m`; undefined, if it is no duration, or one that is too long. */
export function parseDuration(text: string): number | undefined {
  const match = text === '' ? null : DURATION.exec(text);
  if (match === null) return undefined;
  let ms = 0;
  for (const [index, unit] of DURATION_UNITS.entries()) {
    ms += Number(match[index + 1] ?? 0) * (UNIT_MS[unit] ?? 0);
  }
  return ms <= DURATION_MS_MAX ? ms : undefined;
}

/** Why a text is none that `parseDuration` reads. */
export function durationMistake(text: string): string {
  const isLong = text !== '' && DURATION.test(text);
  return isLong ? 'duration out of range' : `not a valid duration string: ${JSON.stringify(text)}`;
}

const HEXADECIMAL = /^0x(?:_?[\da-f])+$/i;
const OCTAL = /^0(?:_?[0-7])+$/;
const INTEGER_MAX = 2n ** 63n - 1n;

/** A number as Prometheus reads it: an integer as Go writes them, octal ones too, else a float. */
export function parseNumber(text: string): number | undefined {
  if (!HEXADECIMAL.test(text) && !OCTAL.test(text)) return parseFloatText(text);
  const digits = text.replaceAll('_', '');
  const integer = BigInt(OCTAL.test(text) ? `0o${digits}` : digits);
  // What is more than an integer can be is read as a float, which a hexadecimal one is not.
  return integer <= INTEGER_MAX ? Number(integer) : parseFloatText(text);
}

/** Why a text that looks like a number is none that `parseNumber` reads. */
export function numberMistake(text: string): string {
  const isLarge = /^[\d.]/.test(text) && Number(text) === Number.POSITIVE_INFINITY;
  const reason = isLarge && !HEXADECIMAL.test(text) ? 'value out of range' : 'invalid syntax';
  return `error parsing number: strconv.ParseFloat: parsing ${JSON.stringify(text)}: ${reason}`;
}

/** Why a string literal is none. */
export class StringError extends Error {
  override readonly name = 'StringError';
}

const ESCAPES: Readonly<Record<string, string>> = {
  a: '\u0007',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
};
/** How many digits, in which base, up to what. */
const HEX_ESCAPES: Readonly<Record<string, readonly [number, number, number]>> = {
  x: [2, 16, 0xff],
  u: [4, 16, 0x10ffff],
  U: [8, 16, 0x10ffff],
};

/** What stands between the quotes of a literal. Throws a StringError. */
export function unquote(literal: string): string {
  const quote = literal.charAt(0);
  if (literal.length < 2 || !literal.endsWith(quote)) {
    throw new StringError(quote === '`' ? 'unterminated raw string' : 'unterminated quoted string');
  }
  const inner = literal.slice(1, -1);
  if (quote === '`' || !inner.includes('\\')) return inner;
  // Escapes name bytes, so the text is put together as bytes.
  const text = Buffer.allocUnsafe(Buffer.byteLength(inner)); // An escape is longer than what it names.
  let end = 0;
  for (let at = 0; at < inner.length; ) {
    const found = inner.indexOf('\\', at);
    const backslash = found < 0 ? inner.length : found;
    if (backslash > at) end += text.write(inner.slice(at, backslash), end);
    if (found < 0) break;
    const { bytes, length } = escaped(inner, backslash + 1, quote);
    for (const byte of bytes) {
      text[end] = byte;
      end += 1;
    }
    at = backslash + 1 + length;
  }
  return text.toString('utf8', 0, end);
}

function escaped(
  text: string,
  at: number,
  quote: string,
): { readonly bytes: Iterable<number>; readonly length: number } {
  const char = String.fromCodePoint(text.codePointAt(at) ?? 0);
  if (at >= text.length) throw new StringError('unterminated quoted string');
  // Both are ASCII.
  if (char === quote) return { bytes: [char.charCodeAt(0)], length: 1 };
  const plain = ESCAPES[char];
  if (plain !== undefined) return { bytes: [plain.charCodeAt(0)], length: 1 };
  const [count, base, most] = /[0-7]/.test(char) ? [3, 8, 0xff] : (HEX_ESCAPES[char] ?? [0, 16, 0]);
  if (count === 0) throw new StringError(`unknown escape sequence ${codePoint(char)}`);
  const start = base === 8 ? at : at + 1;
  const code = codeOf(text, start, { count, base, quote });
  if (code > most || (code >= 0xd800 && code < 0xe000)) {
    throw new StringError('escape sequence is an invalid Unicode code point');
  }
  const bytes = most === 0xff ? [code] : Buffer.from(String.fromCodePoint(code));
  return { bytes, length: start + count - at };
}

function codeOf(
  text: string,
  start: number,
  { count, base, quote }: { readonly count: number; readonly base: number; readonly quote: string },
): number {
  let code = 0;
  for (let at = start; at < start + count; at += 1) {
    // What the digits are missing for is what comes next, and be it the quote.
    const char = text.charAt(at) || quote;
    const digit = Number.parseInt(char, base);
    if (Number.isNaN(digit)) {
      throw new StringError(`illegal character ${codePoint(char)} in escape sequence`);
    }
    code = code * base + digit;
  }
  return code;
}

/** A character as Go's `%#U` tells it. */
function codePoint(char: string): string {
  const hex = (char.codePointAt(0) ?? 0).toString(16).toUpperCase();
  return `U+${hex.padStart(4, '0')} '${char}'`;
}
