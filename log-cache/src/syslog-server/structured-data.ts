/**
 * The structured data of one RFC 5424 message: where its elements and their parameters stand.
 *
 *     [gauge@47450 name="cpu" value="0.3"][tags@47450 job="cell"]
 *      id          name  value
 *
 * Kept as columns that are filled again for each message and grow with the largest. Values stand as
 * they came, with their escapes (`\"`, `\\`, `\]`); `escaped` says which have any. A message may have 256
 * elements. Hot.
 */

import { isUtf8 } from '@standpipe/protos';

const OPEN = 0x5b;
const CLOSE = 0x5d;
const SPACE = 0x20;
const QUOTE = 0x22;
const EQUALS = 0x3d;
const BACKSLASH = 0x5c;
const NAME_BYTES_MAX = 32;
/** Each id is compared with all before it. */
const ELEMENTS_MAX = 256;

/** What `read` returns for what is no structured data. */
export const MALFORMED = -1;

export class StructuredData {
  elementCount = 0;
  paramCount = 0;
  /** By element: its id, and the first of its parameters; the last end where the next begin. */
  idStart: Int32Array = new Int32Array(8);
  idEnd: Int32Array = new Int32Array(8);
  firstParam: Int32Array = new Int32Array(8);
  /** By parameter. */
  nameStart: Int32Array = new Int32Array(32);
  nameEnd: Int32Array = new Int32Array(32);
  valueStart: Int32Array = new Int32Array(32);
  valueEnd: Int32Array = new Int32Array(32);
  escaped: Uint8Array = new Uint8Array(32);

  /** Says that a message has none. */
  clear(): void {
    this.elementCount = 0;
    this.paramCount = 0;
  }

  /** Behind the last parameter of an element. */
  paramsEnd(element: number): number {
    return element + 1 < this.elementCount
      ? (this.firstParam[element + 1] as number) // Below the count.
      : this.paramCount;
  }

  /** Reads the elements that begin at `start`; returns where they end, or MALFORMED. */
  read(bytes: Uint8Array, start: number, end: number): number {
    this.clear();
    let at = start;
    while (at < end && bytes[at] === OPEN) {
      at = this.#readElement(bytes, at + 1, end);
      if (at === MALFORMED) return MALFORMED;
    }
    return at === start ? MALFORMED : at;
  }

  #readElement(bytes: Uint8Array, start: number, end: number): number {
    let at = nameEnd(bytes, start, end);
    if (at === MALFORMED || this.elementCount === ELEMENTS_MAX) return MALFORMED;
    if (this.#hasElement(bytes, start, at)) return MALFORMED;
    if (this.elementCount === this.idStart.length) this.#growElements();
    const element = this.elementCount;
    this.idStart[element] = start;
    this.idEnd[element] = at;
    this.firstParam[element] = this.paramCount;
    this.elementCount += 1;
    while (at < end && bytes[at] === SPACE) {
      at = this.#readParam(bytes, at + 1, end);
      if (at === MALFORMED) return MALFORMED;
    }
    return at < end && bytes[at] === CLOSE ? at + 1 : MALFORMED;
  }

  #readParam(bytes: Uint8Array, start: number, end: number): number {
    const named = nameEnd(bytes, start, end);
    if (named === MALFORMED || bytes[named] !== EQUALS || bytes[named + 1] !== QUOTE) {
      return MALFORMED;
    }
    const valueStart = named + 2;
    let escaped = 0;
    let at = valueStart;
    for (; at < end && bytes[at] !== QUOTE; at += 1) {
      if (bytes[at] === CLOSE) return MALFORMED;
      if (bytes[at] !== BACKSLASH) continue;
      const next = bytes[at + 1];
      if (next !== QUOTE && next !== BACKSLASH && next !== CLOSE) continue;
      escaped = 1;
      at += 1;
    }
    if (at >= end || !isUtf8(bytes, valueStart, at)) return MALFORMED;
    if (this.paramCount === this.nameStart.length) this.#growParams();
    const param = this.paramCount;
    this.nameStart[param] = start;
    this.nameEnd[param] = named;
    this.valueStart[param] = valueStart;
    this.valueEnd[param] = at;
    this.escaped[param] = escaped;
    this.paramCount += 1;
    return at + 1;
  }

  #hasElement(bytes: Uint8Array, start: number, end: number): boolean {
    for (let element = 0; element < this.elementCount; element += 1) {
      const other = this.idStart[element] as number;
      if ((this.idEnd[element] as number) - other !== end - start) continue;
      let length = 0;
      while (start + length < end && bytes[start + length] === bytes[other + length]) length += 1;
      if (start + length === end) return true;
    }
    return false;
  }

  #growElements(): void {
    this.idStart = twice(this.idStart);
    this.idEnd = twice(this.idEnd);
    this.firstParam = twice(this.firstParam);
  }

  #growParams(): void {
    this.nameStart = twice(this.nameStart);
    this.nameEnd = twice(this.nameEnd);
    this.valueStart = twice(this.valueStart);
    this.valueEnd = twice(this.valueEnd);
    const escaped = new Uint8Array(this.escaped.length * 2);
    escaped.set(this.escaped);
    this.escaped = escaped;
  }
}

/** The end of the SD-NAME that begins at `start`, or MALFORMED. */
function nameEnd(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && isNameByte(bytes[at] as number)) at += 1;
  return at > start && at - start <= NAME_BYTES_MAX ? at : MALFORMED;
}

function isNameByte(byte: number): boolean {
  return byte > SPACE && byte < 0x7f && byte !== EQUALS && byte !== CLOSE && byte !== QUOTE;
}

function twice(from: Int32Array): Int32Array {
  const to = new Int32Array(from.length * 2);
  to.set(from);
  return to;
}
