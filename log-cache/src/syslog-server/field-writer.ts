/**
 * Writes fields of an envelope out of a message: of its bytes, and of the parameters of its
 * structured data, without their escapes.
 *
 * Hot: into bytes that are used again. `begin` makes room for all that a message can need.
 */

import { encodeVarint, varintSize } from '@standpipe/protos';
import { SyslogMessage } from './message.ts';

const CLOSE = 0x5d;
const BACKSLASH = 0x5c;
const QUOTE = 0x22;

/** A parameter that an element has not; it is written as the empty text. */
export const ABSENT = -1;
/** Up to here a loop is faster than a call. */
const SHORT_BYTES = 64;
/** What a field takes besides its bytes at most, three deep. */
const FIELD_ROOM = 32;

export class FieldWriter {
  #bytes: Buffer = Buffer.allocUnsafeSlow(4096);
  #at = 0;
  #message: SyslogMessage = new SyslogMessage();

  /** What was written since `begin`: a view, valid until the next. */
  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#at);
  }

  begin(message: SyslogMessage): void {
    const { appNameStart, textEnd, data } = message;
    this.#message = message;
    this.#at = 0;
    const size = textEnd - appNameStart + FIELD_ROOM * (data.paramCount + 8);
    if (size > this.#bytes.length) this.#bytes = Buffer.allocUnsafeSlow(size * 2);
  }

  /** Whether an element's id begins like this. */
  isElement(element: number, id: Buffer): boolean {
    const { bytes, data } = this.#message;
    const start = data.idStart[element] as number; // Below the count.
    if ((data.idEnd[element] as number) - start < id.length) return false;
    for (let at = 0; at < id.length; at += 1) if (bytes[start + at] !== id[at]) return false;
    return true;
  }

  /** An element's parameter of this name, the last of them, or ABSENT. */
  param(element: number, name: Buffer): number {
    const { bytes, data } = this.#message;
    let found = ABSENT;
    const paramsEnd = data.paramsEnd(element);
    for (let param = data.firstParam[element] as number; param < paramsEnd; param += 1) {
      const start = data.nameStart[param] as number;
      if ((data.nameEnd[param] as number) - start !== name.length) continue;
      let length = 0;
      while (length < name.length && bytes[start + length] === name[length]) length += 1;
      if (length === name.length) found = param;
    }
    return found;
  }

  /** How long a parameter's value is without escapes. */
  sizeOf(param: number): number {
    if (param === ABSENT) return 0;
    const { bytes, data } = this.#message;
    const end = data.valueEnd[param] as number;
    let at = data.valueStart[param] as number;
    let size = end - at;
    if (data.escaped[param] === 0) return size;
    for (; at < end; at += 1) {
      if (!isEscape(bytes, at)) continue;
      size -= 1;
      at += 1;
    }
    return size;
  }

  paramField(tag: number, param: number): void {
    const { bytes, data } = this.#message;
    if (param === ABSENT || data.escaped[param] === 0) {
      const start = param === ABSENT ? 0 : (data.valueStart[param] as number);
      this.field(tag, bytes, start, param === ABSENT ? 0 : (data.valueEnd[param] as number));
      return;
    }
    this.head(tag, this.sizeOf(param));
    const end = data.valueEnd[param] as number;
    for (let at = data.valueStart[param] as number; at < end; at += 1) {
      if (isEscape(bytes, at)) at += 1;
      this.#bytes[this.#at] = bytes[at] as number;
      this.#at += 1;
    }
  }

  field(tag: number, from: Buffer, start: number, end: number): void {
    this.head(tag, end - start);
    if (end - start > SHORT_BYTES) {
      this.#at += from.copy(this.#bytes, this.#at, start, end);
      return;
    }
    const to = this.#bytes;
    let at = this.#at;
    for (let index = start; index < end; index += 1) to[at++] = from[index] as number;
    this.#at = at;
  }

  head(tag: number, length: number): void {
    this.#bytes[this.#at] = tag;
    this.#at = encodeVarint(this.#bytes, this.#at + 1, length);
  }

  /** Bytes that are encoded already, or a byte. */
  raw(bytes: Uint8Array, length: number): void {
    for (let at = 0; at < length; at += 1) this.#bytes[this.#at + at] = bytes[at] as number;
    this.#at += length;
  }

  double(tag: number, value: number): void {
    this.#bytes[this.#at] = tag;
    this.#at = this.#bytes.writeDoubleLE(value, this.#at + 1);
  }
}

/** `\"`, `\\` and `\]` are escapes; before anything else a backslash stands for itself. */
function isEscape(bytes: Buffer, at: number): boolean {
  if (bytes[at] !== BACKSLASH) return false;
  const next = bytes[at + 1];
  return next === QUOTE || next === BACKSLASH || next === CLOSE;
}

/** The size of a length-delimited field whose tag is one byte. */
export function fieldSize(length: number): number {
  return 1 + varintSize(length) + length;
}
