/**
 * JSON's tokens, written one after another into bytes that are handed over without a copy.
 *
 *     chunk  [ taken │ taken │ being written ....         ]
 *                             ^start         ^at
 *
 * `take` cuts off what was written; nothing writes over it. A text that outgrows the chunk moves to
 * a larger one. What is kept keeps its chunk of 256 KiB alive.
 *
 * Hot. Every write reserves its room first, so all indexes are within the chunk; the source's are
 * within the bounds that a scan has found.
 */

import { INTEGER_BYTES_MAX, jsonNumber, writeSigned, writeUnsigned } from './decimal.ts';

const CHUNK_BYTES = 256 * 1024;

/** From this length on the engine's base64 is faster than ours in spite of the cost of its call. */
const LONG_BINARY_BYTES = 256;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const HEX = Buffer.from('0123456789abcdef');
const UNICODE_ESCAPE = 0x75;

/** For each byte 0 when it stands for itself, else the letter that follows the backslash. */
const ESCAPES: Uint8Array = escapes();

/** The two characters for each twelve bits, the first in the lower byte. */
const BASE64_PAIRS: Uint16Array = base64Pairs();
const PADDING = 0x3d;

export class JsonText {
  #chunk: Buffer = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  #start = 0;
  #at = 0;

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

  /** Text as it is, in UTF-8. */
  raw(text: string): void {
    this.#reserve(text.length * 3);
    this.#at += this.#chunk.write(text, this.#at);
  }

  byte(byte: number): void {
    this.#reserve(1);
    this.#chunk[this.#at++] = byte;
  }

  /** Short text that is there as bytes already. */
  constant(text: Uint8Array): void {
    const { length } = text;
    this.#reserve(length);
    const chunk = this.#chunk;
    const at = this.#at;
    for (let index = 0; index < length; index += 1) chunk[at + index] = text[index] as number;
    this.#at = at + length;
  }

  /** A string in quotes from UTF-8. Most need no escape, and are a copy. */
  string(bytes: Uint8Array, start: number, end: number): void {
    this.#reserve(end - start + 2);
    const chunk = this.#chunk;
    let at = this.#at;
    chunk[at++] = QUOTE;
    for (let from = start; from < end; from += 1) {
      const byte = bytes[from] as number;
      if (ESCAPES[byte] !== 0) {
        this.#escaped(bytes, from, end, at);
        return;
      }
      chunk[at++] = byte;
    }
    chunk[at++] = QUOTE;
    this.#at = at;
  }

  /** Bytes in quotes, in base64 with padding. */
  base64(bytes: Uint8Array, start: number, end: number): void {
    const length = end - start;
    this.#reserve(Math.ceil(length / 3) * 4 + 2);
    const chunk = this.#chunk;
    let at = this.#at;
    chunk[at++] = QUOTE;
    let from = start;
    if (length >= LONG_BINARY_BYTES) {
      const view = Buffer.from(bytes.buffer, bytes.byteOffset + start, length);
      at += chunk.write(view.toString('base64'), at, 'latin1');
      from = end;
    }
    for (const whole = end - 2; from < whole; from += 3) {
      const first = bytes[from] as number;
      const second = bytes[from + 1] as number;
      const upper = BASE64_PAIRS[(first << 4) | (second >>> 4)] as number;
      const lower = BASE64_PAIRS[((second & 15) << 8) | (bytes[from + 2] as number)] as number;
      chunk[at] = upper;
      chunk[at + 1] = upper >>> 8;
      chunk[at + 2] = lower;
      chunk[at + 3] = lower >>> 8;
      at += 4;
    }
    if (from < end) at = this.#base64Rest(bytes, from, end, at);
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
    this.raw(jsonNumber(value));
  }

  #escaped(bytes: Uint8Array, start: number, end: number, written: number): void {
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

  #base64Rest(bytes: Uint8Array, from: number, end: number, at: number): number {
    const chunk = this.#chunk;
    const first = bytes[from] as number;
    const second = from + 1 < end ? (bytes[from + 1] as number) : 0;
    const upper = BASE64_PAIRS[(first << 4) | (second >>> 4)] as number;
    const lower = BASE64_PAIRS[(second & 15) << 8] as number;
    chunk[at] = upper;
    chunk[at + 1] = upper >>> 8;
    chunk[at + 2] = from + 1 < end ? lower : PADDING;
    chunk[at + 3] = PADDING;
    return at + 4;
  }

  #reserve(size: number): void {
    if (this.#at + size <= this.#chunk.length) return;
    const length = this.byteLength;
    const chunk = Buffer.allocUnsafeSlow(Math.max(CHUNK_BYTES, (length + size) * 2));
    this.#chunk.copy(chunk, 0, this.#start, this.#at);
    this.#chunk = chunk;
    this.#start = 0;
    this.#at = length;
  }
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
