/**
 * JSON's tokens, written one after another into bytes that are handed over without a copy.
 *
 *     chunk  [ taken │ taken │ being written ....         ]
 *                             ^start         ^at
 *
 * `take` cuts off what was written; nothing writes over it. A text that outgrows the chunk moves to
 * a larger one. What is kept keeps its chunk of 256 KiB alive.
 *
 * Hot. Bytes are read and written four at a time, through views. Every write reserves its room
 * first, so all indexes are within the chunk; the source's are within the bounds that a scan has found.
 */

import { viewOf, WORD_BYTES } from './copy-bytes.ts';
import { INTEGER_BYTES_MAX, jsonNumber, writeSigned, writeUnsigned } from './decimal.ts';

const CHUNK_BYTES = 256 * 1024;

/** From this length on the engine's base64 is faster than ours in spite of the cost of its call. */
const LONG_BINARY_BYTES = 384;

const QUOTE = 0x22;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
/** The first and the last that can be seen of ASCII. */
const BLANK = 0x20;
const TILDE = 0x7e;
const HEX = Buffer.from('0123456789abcdef');
const UNICODE_ESCAPE = 0x75;

/** For each byte 0 when it stands for itself, else the letter that follows the backslash. */
const ESCAPES: Uint8Array = escapes();

/** The two characters for each twelve bits, the first in the lower byte. */
const BASE64_PAIRS: Uint16Array = base64Pairs();
const PADDING = 0x3d;

/** Text that never changes: in whole words, the last of which may have bytes to spare. */
export interface ConstantText {
  readonly words: DataView;
  readonly length: number;
}

export function constantText(text: string): ConstantText {
  const bytes = Buffer.from(text);
  const words = Buffer.alloc(Math.ceil(bytes.length / WORD_BYTES) * WORD_BYTES);
  bytes.copy(words);
  return { words: viewOf(words), length: bytes.length };
}

export class JsonText {
  #chunk: Buffer;
  #view: DataView;
  /** What strings and payloads are in. */
  #source: Uint8Array;
  #sourceView: DataView;
  #start = 0;
  #at = 0;

  constructor(sizeBytes: number = CHUNK_BYTES) {
    this.#chunk = Buffer.allocUnsafeSlow(sizeBytes);
    this.#view = viewOf(this.#chunk);
    this.#source = this.#chunk;
    this.#sourceView = this.#view;
  }

  /** How many bytes have been written since the last `take`. */
  get byteLength(): number {
    return this.#at - this.#start;
  }

  /** Hands over what was written, as bytes that nothing writes over. */
  take(): Buffer {
    const text = this.#chunk.subarray(this.#start, this.#at);
    this.#start = this.#at;
    return text;
  }

  /** A copy of what was written since `byteLength` was this. */
  since(byteLength: number): Buffer {
    return Buffer.from(this.#chunk.subarray(this.#start + byteLength, this.#at));
  }

  /** Text that was written before. */
  bytes(text: Buffer): void {
    this.#reserve(text.length);
    this.#chunk.set(text, this.#at);
    this.#at += text.length;
  }

  /** Text as it is, in UTF-8. */
  raw(text: string): void {
    this.#reserve(text.length * 3);
    this.#at += this.#chunk.write(text, this.#at);
  }

  /** A string of JavaScript's in quotes. */
  quoted(text: string): void {
    const { length } = text;
    this.#reserve(length + 2);
    const chunk = this.#chunk;
    const at = this.#at + 1;
    chunk[at - 1] = QUOTE;
    for (let place = 0; place < length; place += 1) {
      const unit = text.charCodeAt(place);
      if (unit < BLANK || unit > TILDE || unit === QUOTE || unit === BACKSLASH) {
        this.raw(JSON.stringify(text)); // Over what was written.
        return;
      }
      chunk[at + place] = unit;
    }
    chunk[at + length] = QUOTE;
    this.#at = at + length + 1;
  }

  byte(byte: number): void {
    this.#reserve(1);
    this.#chunk[this.#at++] = byte;
  }

  constant({ words, length }: ConstantText): void {
    this.#reserve(length + WORD_BYTES);
    const view = this.#view;
    const at = this.#at;
    for (let place = 0; place < length; place += WORD_BYTES) {
      view.setUint32(at + place, words.getUint32(place));
    }
    this.#at = at + length;
  }

  /** Says what the strings and payloads that follow are in. */
  from(bytes: Uint8Array): void {
    if (bytes === this.#source) return;
    this.#source = bytes;
    this.#sourceView = viewOf(bytes);
  }

  /** A string in quotes from UTF-8. Most need no escape, and are a copy. */
  string(start: number, end: number): void {
    const length = end - start;
    this.#reserve(length + 2);
    const at = this.#at + 1;
    this.#chunk[at - 1] = QUOTE;
    const plain = copyPlain(this.#sourceView, start, this.#view, at, length);
    if (plain < length) {
      this.#escaped(start + plain, end, at + plain);
      return;
    }
    this.#chunk[at + length] = QUOTE;
    this.#at = at + length + 1;
  }

  /** Two strings with a colon between them: what a map of tags is made of. */
  pair(keyStart: number, keyEnd: number, start: number, end: number): void {
    const keyLength = keyEnd - keyStart;
    const length = end - start;
    this.#reserve(keyLength + length + 5);
    const source = this.#sourceView;
    const view = this.#view;
    const keyAt = this.#at + 1;
    const at = keyAt + keyLength + 3;
    const isPlain =
      copyPlain(source, keyStart, view, keyAt, keyLength) === keyLength &&
      copyPlain(source, start, view, at, length) === length;
    if (!isPlain) {
      this.string(keyStart, keyEnd);
      this.byte(COLON);
      this.string(start, end);
      return;
    }
    view.setUint8(keyAt - 1, QUOTE);
    view.setUint8(at - 3, QUOTE);
    view.setUint8(at - 2, COLON);
    view.setUint8(at - 1, QUOTE);
    view.setUint8(at + length, QUOTE);
    this.#at = at + length + 1;
  }

  /** Bytes in quotes, in base64 with padding. */
  base64(start: number, end: number): void {
    const length = end - start;
    this.#reserve(Math.ceil(length / 3) * 4 + 2);
    const chunk = this.#chunk;
    let at = this.#at;
    chunk[at++] = QUOTE;
    let from = start;
    if (length >= LONG_BINARY_BYTES) {
      const { buffer, byteOffset } = this.#source;
      const payload = Buffer.from(buffer, byteOffset + start, length);
      at += chunk.write(payload.toString('base64'), at, 'latin1');
      from = end;
    }
    const source = this.#sourceView;
    const view = this.#view;
    for (const whole = end - WORD_BYTES; from <= whole; from += 3) {
      const word = source.getUint32(from); // Three bytes, and one that is left for the next word.
      const upper = BASE64_PAIRS[word >>> 20] as number;
      view.setUint32(at, upper | ((BASE64_PAIRS[(word >>> 8) & 0xfff] as number) << 16), true);
      at += 4;
    }
    if (from < end) at = this.#base64Rest(from, end, at);
    chunk[at++] = QUOTE;
    this.#at = at;
  }

  unsigned(high: number, low: number): void {
    this.#reserve(INTEGER_BYTES_MAX);
    this.#at = writeUnsigned(this.#chunk, this.#at, high, low);
  }

  signed(high: number, low: number): void {
    this.#reserve(INTEGER_BYTES_MAX);
    this.#at = writeSigned(this.#chunk, this.#at, high, low);
  }

  /** A double; the three that JSON has no number for are strings. */
  number(value: number): void {
    if ((value | 0) === value && !Object.is(value, -0)) {
      this.signed(value >> 31, value);
      return;
    }
    const text = jsonNumber(value);
    this.#reserve(text.length);
    // ASCII of some ten characters: shorter than the engine's writing is worth its call.
    for (let index = 0; index < text.length; index += 1) {
      this.#chunk[this.#at++] = text.charCodeAt(index);
    }
  }

  #escaped(start: number, end: number, written: number): void {
    const bytes = this.#source;
    this.#at = written;
    this.#reserve((end - start) * 6 + 1);
    const chunk = this.#chunk;
    let at = this.#at;
    for (let from = start; from < end; from += 1) {
      const byte = bytes[from] as number;
      const letter = ESCAPES[byte] as number;
      if (letter === 0) {
        chunk[at++] = byte;
        continue;
      }
      chunk[at++] = BACKSLASH;
      chunk[at++] = letter;
      if (letter !== UNICODE_ESCAPE) continue;
      chunk[at++] = HEX[0] as number;
      chunk[at++] = HEX[0] as number;
      chunk[at++] = HEX[byte >>> 4] as number;
      chunk[at++] = HEX[byte & 15] as number;
    }
    chunk[at++] = QUOTE;
    this.#at = at;
  }

  /** The last one to three bytes. */
  #base64Rest(from: number, end: number, at: number): number {
    const chunk = this.#chunk;
    const bytes = this.#source;
    const first = bytes[from] as number;
    const second = from + 1 < end ? (bytes[from + 1] as number) : 0;
    const third = from + 2 < end ? (bytes[from + 2] as number) : 0;
    const upper = BASE64_PAIRS[(first << 4) | (second >>> 4)] as number;
    const lower = BASE64_PAIRS[((second & 15) << 8) | third] as number;
    chunk[at] = upper;
    chunk[at + 1] = upper >>> 8;
    chunk[at + 2] = from + 1 < end ? lower : PADDING;
    chunk[at + 3] = from + 2 < end ? lower >>> 8 : PADDING;
    return at + 4;
  }

  #reserve(size: number): void {
    if (this.#at + size <= this.#chunk.length) return;
    const length = this.byteLength;
    const chunk = Buffer.allocUnsafeSlow(Math.max(CHUNK_BYTES, (length + size) * 2));
    this.#chunk.copy(chunk, 0, this.#start, this.#at);
    this.#chunk = chunk;
    this.#view = viewOf(chunk);
    this.#start = 0;
    this.#at = length;
  }
}

/** Copies until there is something to escape; returns how many bytes stand for themselves. */
function copyPlain(
  from: DataView,
  start: number,
  to: DataView,
  at: number,
  length: number,
): number {
  const last = length - WORD_BYTES;
  if (last < 0) return copyFew(from, start, to, at, length);
  for (let place = 0; place < last; place += WORD_BYTES) {
    const word = from.getInt32(start + place);
    if (needsEscape(word)) return place;
    to.setInt32(at + place, word);
  }
  const word = from.getInt32(start + last); // It may overlap the one before.
  if (needsEscape(word)) return last;
  to.setInt32(at + last, word);
  return length;
}

function copyFew(from: DataView, start: number, to: DataView, at: number, length: number): number {
  for (let place = 0; place < length; place += 1) {
    const byte = from.getUint8(start + place);
    if (ESCAPES[byte] !== 0) return place;
    to.setUint8(at + place, byte);
  }
  return length;
}

/** Whether one of the four bytes is a control character, a quote or a backslash. */
function needsEscape(word: number): boolean {
  const quotes = word ^ 0x22222222;
  const backslashes = word ^ 0x5c5c5c5c;
  const below =
    ((word - 0x20202020) & ~word) |
    ((quotes - 0x01010101) & ~quotes) |
    ((backslashes - 0x01010101) & ~backslashes);
  return (below & 0x80808080) !== 0;
}

function escapes(): Uint8Array {
  const table = new Uint8Array(256);
  table.fill(UNICODE_ESCAPE, 0, 0x20);
  for (const pair of ['""', '\\\\', '\bb', '\ff', '\nn', '\rr', '\tt']) {
    table[pair.charCodeAt(0)] = pair.charCodeAt(1);
  }
  return table;
}

function base64Pairs(): Uint16Array {
  const letters = Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/');
  const pairs = new Uint16Array(4096);
  for (let bits = 0; bits < pairs.length; bits += 1) {
    pairs[bits] = letters.readUInt8(bits >>> 6) | (letters.readUInt8(bits & 63) << 8);
  }
  return pairs;
}
