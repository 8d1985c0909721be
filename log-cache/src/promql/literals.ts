/** Numbers, durations and strings as PromQL writes them. */

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

/** A number as Go's ParseFloat reads it, hexadecimal integers among them; else undefined. */
export function parseNumber(text: string): number | undefined {
  const plain = text.replaceAll(/(?<=[0-9a-fA-F])_(?=[0-9a-fA-F])/g, '');
  if (/^0x[0-9a-fA-F]+$/i.test(plain)) return Number(plain);
  if (/^(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(plain)) return Number(plain);
  if (/^[+-]?inf(inity)?$/i.test(plain)) {
    return plain.startsWith('-') ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  }
  if (/^[+-]?nan$/i.test(plain)) return Number.NaN;
  return undefined;
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
const HEX_DIGITS: Readonly<Record<string, number>> = { x: 2, u: 4, U: 8 };

/** What stands between the quotes of a literal. Throws a StringError. */
export function unquote(literal: string): string {
  const quote = literal.charAt(0);
  if (literal.length < 2 || !literal.endsWith(quote)) {
    throw new StringError(quote === '`' ? 'unterminated raw string' : 'unterminated quoted string');
  }
  const inner = literal.slice(1, -1);
  if (quote === '`' || !inner.includes('\\')) return inner;
  // Escapes name bytes, so the text is put together as bytes.
  const parts: Buffer[] = [];
  for (let at = 0; at < inner.length; ) {
    const backslash = inner.indexOf('\\', at);
    if (backslash < 0) {
      parts.push(Buffer.from(inner.slice(at)));
      break;
    }
    parts.push(Buffer.from(inner.slice(at, backslash)));
    const { bytes, length } = escaped(inner, backslash + 1, quote);
    parts.push(bytes);
    at = backslash + 1 + length;
  }
  return Buffer.concat(parts).toString();
}

function escaped(
  text: string,
  at: number,
  quote: string,
): { readonly bytes: Buffer; readonly length: number } {
  const char = String.fromCodePoint(text.codePointAt(at) ?? 0);
  if (at >= text.length) throw new StringError('unterminated quoted string');
  if (char === quote) return { bytes: Buffer.from(char), length: 1 };
  const plain = ESCAPES[char];
  if (plain !== undefined) return { bytes: Buffer.from(plain), length: 1 };
  const octal = /^[0-7]{3}/.exec(text.slice(at, at + 3))?.[0];
  if (octal !== undefined) return { bytes: byte(Number.parseInt(octal, 8)), length: 3 };
  const count = HEX_DIGITS[char];
  const digits = count === undefined ? '' : text.slice(at + 1, at + 1 + count);
  if (count === undefined || !/^[0-9a-fA-F]+$/.test(digits) || digits.length < count) {
    const code = char.codePointAt(0) ?? 0;
    const hex = code.toString(16).toUpperCase().padStart(4, '0');
    throw new StringError(`unknown escape sequence U+${hex} '${char}'`);
  }
  const code = Number.parseInt(digits, 16);
  if (char === 'x') return { bytes: byte(code), length: 3 };
  if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) {
    throw new StringError('escape sequence is an invalid Unicode code point');
  }
  return { bytes: Buffer.from(String.fromCodePoint(code)), length: 1 + count };
}

function byte(value: number): Buffer {
  return Buffer.from([value & 0xff]);
}
