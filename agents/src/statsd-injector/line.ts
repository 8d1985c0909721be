/**
 * One statsd line, taken apart where it stands in its datagram.
 *
 *     line    := origin "." name ":" value "|" type { "|" field }
 *     value   := [ "+" | "-" ] digits [ "." digits ] [ "e" [ "+" | "-" ] digits ]
 *     type    := "c" | "g" | "ms"
 *     field   := "@" rate | "#" tag { "," tag } | whatever else, which is passed over
 *     tag     := key [ ":" text ]
 *
 * The origin ends at the first dot and the name at the first colon. Fields may come in any order.
 * A tag's key ends at its first colon; a tag without one has an empty text. Tags without a key are
 * passed over; those past the 64th and those longer than 1 KiB are left out and counted.
 *
 * Whatever the bytes are, `parse` returns: with '' and the registers filled, or with the reason why
 * the line is none. Hot: it allocates nothing but for numbers of more than 15 digits.
 */

/** Why a line was refused; `utf8` is for those that were not even read. */
export type Rejection = 'name' | 'origin' | 'value' | 'type' | 'rate' | 'utf8';

export type MetricType = 'counter' | 'gauge' | 'timer';

export const TAGS_MAX = 64;
export const TAG_BYTES_MAX = 1024;

const HASH = 0x23;
const PLUS = 0x2b;
const COMMA = 0x2c;
const MINUS = 0x2d;
const DOT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const COLON = 0x3a;
const AT = 0x40;
const UPPER_E = 0x45;
const LOWER_C = 0x63;
const LOWER_E = 0x65;
const LOWER_G = 0x67;
const LOWER_M = 0x6d;
const LOWER_S = 0x73;
const PIPE = 0x7c;

/** This many digits are a whole number that a double holds exactly, and so is their power of ten. */
const EXACT_DIGITS = 15;

export class Line {
  originStart = 0;
  originEnd = 0;
  nameStart = 0;
  nameEnd = 0;
  type: MetricType = 'counter';
  /** Without its sign. */
  value = 0;
  sign: '' | '+' | '-' = '';
  rate = 1;
  tagCount = 0;
  readonly keyStart: Int32Array = new Int32Array(TAGS_MAX);
  readonly keyEnd: Int32Array = new Int32Array(TAGS_MAX);
  readonly textStart: Int32Array = new Int32Array(TAGS_MAX);
  readonly textEnd: Int32Array = new Int32Array(TAGS_MAX);
  /** Tags that were left out. */
  tagsLeftOut = 0;

  #bytes: Buffer = Buffer.alloc(0);

  /** Reads bytes[start, end), which must be no more than one line. */
  parse(bytes: Buffer, start: number, end: number): Rejection | '' {
    this.#bytes = bytes;
    this.sign = '';
    this.rate = 1;
    this.tagCount = 0;
    this.tagsLeftOut = 0;

    const colon = this.#parseName(start, end);
    if (colon < 0) return colon === NO_ORIGIN ? 'origin' : 'name';
    const valueEnd = this.#endOfField(colon + 1, end);
    if (!this.#parseValue(colon + 1, valueEnd)) return 'value';
    if (valueEnd === end) return 'type';
    const typeEnd = this.#endOfField(valueEnd + 1, end);
    if (!this.#parseType(valueEnd + 1, typeEnd)) return 'type';

    for (let at = typeEnd; at < end; ) {
      const fieldEnd = this.#endOfField(at + 1, end);
      const first = bytes[at + 1];
      if (first === AT && at + 1 < fieldEnd) {
        this.rate = numberIn(bytes, at + 2, fieldEnd);
        if (!(this.rate > 0 && this.rate < Number.POSITIVE_INFINITY)) return 'rate';
      } else if (first === HASH && at + 1 < fieldEnd) {
        this.#parseTags(at + 2, fieldEnd);
      }
      at = fieldEnd;
    }
    return '';
  }

  /** Where the colon behind the name stands; below zero, if there is no name or no origin. */
  #parseName(start: number, end: number): number {
    const bytes = this.#bytes;
    let dot = -1;
    let at = start;
    for (; at < end; at += 1) {
      const byte = bytes[at] as number;
      if (byte === COLON || byte === PIPE) break;
      if (byte === DOT && dot < 0) dot = at;
    }
    if (at === end || bytes[at] !== COLON || at === start) return NO_NAME;
    if (dot <= start) return NO_ORIGIN;
    if (dot + 1 === at) return NO_NAME;
    this.originStart = start;
    this.originEnd = dot;
    this.nameStart = dot + 1;
    this.nameEnd = at;
    return at;
  }

  #parseValue(start: number, end: number): boolean {
    const first = start < end ? this.#bytes[start] : 0;
    if (first === PLUS) this.sign = '+';
    else if (first === MINUS) this.sign = '-';
    this.value = numberIn(this.#bytes, this.sign === '' ? start : start + 1, end);
    return Number.isFinite(this.value);
  }

  #parseType(start: number, end: number): boolean {
    const bytes = this.#bytes;
    const first = bytes[start];
    if (end - start === 1 && first === LOWER_C) this.type = 'counter';
    else if (end - start === 1 && first === LOWER_G) this.type = 'gauge';
    else if (end - start === 2 && first === LOWER_M && bytes[start + 1] === LOWER_S) {
      this.type = 'timer';
    } else return false;
    return true;
  }

  #parseTags(start: number, end: number): void {
    const bytes = this.#bytes;
    for (let at = start; at < end; ) {
      let colon = -1;
      let next = at;
      for (; next < end && bytes[next] !== COMMA; next += 1) {
        if (colon < 0 && bytes[next] === COLON) colon = next;
      }
      const keyEnd = colon < 0 ? next : colon;
      if (keyEnd > at) this.#addTag(at, keyEnd, colon < 0 ? next : colon + 1, next);
      at = next + 1;
    }
  }

  #addTag(keyStart: number, keyEnd: number, textStart: number, textEnd: number): void {
    const index = this.tagCount;
    if (index === TAGS_MAX || textEnd - keyStart > TAG_BYTES_MAX) {
      this.tagsLeftOut += 1;
      return;
    }
    this.keyStart[index] = keyStart;
    this.keyEnd[index] = keyEnd;
    this.textStart[index] = textStart;
    this.textEnd[index] = textEnd;
    this.tagCount = index + 1;
  }

  #endOfField(start: number, end: number): number {
    let at = start;
    while (at < end && this.#bytes[at] !== PIPE) at += 1;
    return at;
  }
}

const NO_NAME = -1;
const NO_ORIGIN = -2;

/** The number, without a sign, that bytes[start, end) are; NaN, if they are none. */
function numberIn(bytes: Buffer, start: number, end: number): number {
  let mantissa = 0;
  let digits = 0;
  let fraction = 0;
  let at = start;
  for (; at < end && isDigit(bytes[at]); at += 1) {
    mantissa = mantissa * 10 + (bytes[at] as number) - ZERO;
    digits += 1;
  }
  if (digits === 0) return Number.NaN;
  if (at < end && bytes[at] === DOT) {
    for (at += 1; at < end && isDigit(bytes[at]); at += 1) {
      mantissa = mantissa * 10 + (bytes[at] as number) - ZERO;
      fraction += 1;
    }
    if (fraction === 0) return Number.NaN;
  }
  if (at === end && digits + fraction <= EXACT_DIGITS) {
    return fraction === 0 ? mantissa : mantissa / 10 ** fraction;
  }
  if (at < end && !isExponent(bytes, at, end)) return Number.NaN;
  return Number(bytes.toString('latin1', start, end));
}

/** Whether bytes[start, end) are an e, perhaps a sign, and digits. */
function isExponent(bytes: Buffer, start: number, end: number): boolean {
  if (bytes[start] !== LOWER_E && bytes[start] !== UPPER_E) return false;
  let at = start + 1;
  if (at < end && (bytes[at] === PLUS || bytes[at] === MINUS)) at += 1;
  if (at === end) return false;
  while (at < end && isDigit(bytes[at])) at += 1;
  return at === end;
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= ZERO && byte <= NINE;
}
