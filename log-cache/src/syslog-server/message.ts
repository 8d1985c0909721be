/**
 * One RFC 5424 message, found in the bytes that it came in.
 *
 *     <14>1 2023-11-14T22:13:20.12345Z host app [APP/PROC/WEB/0] - [tags@47450 a="b"] text
 *     PRI V TIMESTAMP                  HOST APP PROCID           ID STRUCTURED-DATA   MSG
 *
 * Strict, as the original's parser: limits of each part, no blanks but one between two parts, no
 * structured data twice. A part that says `-` is empty. Hot: offsets into one set of fields that
 * is filled again for each message; no strings.
 */

import { MALFORMED, StructuredData } from './structured-data.ts';
import { Timestamp } from './timestamp.ts';

const ZERO = 0x30;
const SPACE = 0x20;
const LESS = 0x3c;
const GREATER = 0x3e;
const DASH = 0x2d;

const PRIORITY_MAX = 191;
const VERSION_DIGITS_MAX = 3;
const HOSTNAME_BYTES_MAX = 255;
const APP_NAME_BYTES_MAX = 48;
const PROCESS_ID_BYTES_MAX = 128;
const MESSAGE_ID_BYTES_MAX = 32;
const TIMESTAMP_BYTES_MAX = 32;

export class SyslogMessage {
  bytes: Buffer = Buffer.alloc(0);
  priority = 0;
  /** Whether it says when; if not, `time` is of no meaning. */
  hasTime = false;
  readonly time: Timestamp = new Timestamp();
  appNameStart = 0;
  appNameEnd = 0;
  processIdStart = 0;
  processIdEnd = 0;
  readonly data: StructuredData = new StructuredData();
  textStart = 0;
  textEnd = 0;

  /** The offset of the part that was read last, and where it ends. */
  #start = 0;
  #end = 0;

  /** Reads bytes[start, end). Returns which part is not as it should be, or ''. */
  read(bytes: Buffer, start: number, end: number): string {
    this.bytes = bytes;
    let at = this.#readPriority(bytes, start, end);
    if (at === MALFORMED) return 'priority';
    at = afterVersion(bytes, at, end);
    if (at === MALFORMED) return 'version';
    at = this.#readPart(at, end, TIMESTAMP_BYTES_MAX);
    this.hasTime = this.#start < this.#end;
    const isTime = !this.hasTime || this.time.read(bytes, this.#start, this.#end);
    if (at === MALFORMED || !isTime) return 'timestamp';
    at = this.#readPart(at, end, HOSTNAME_BYTES_MAX);
    if (at === MALFORMED) return 'hostname';
    at = this.#readPart(at, end, APP_NAME_BYTES_MAX);
    if (at === MALFORMED) return 'app name';
    this.appNameStart = this.#start;
    this.appNameEnd = this.#end;
    at = this.#readPart(at, end, PROCESS_ID_BYTES_MAX);
    if (at === MALFORMED) return 'proc ID';
    this.processIdStart = this.#start;
    this.processIdEnd = this.#end;
    at = this.#readPart(at, end, MESSAGE_ID_BYTES_MAX);
    if (at === MALFORMED) return 'message ID';
    return this.#readRest(at, end);
  }

  #readPriority(bytes: Buffer, start: number, end: number): number {
    if (start >= end || bytes[start] !== LESS) return MALFORMED;
    let at = start + 1;
    let priority = 0;
    for (; at < end && bytes[at] !== GREATER; at += 1) {
      const digit = (bytes[at] as number) - ZERO; // Below the end.
      if (digit < 0 || digit > 9) return MALFORMED;
      if (at > start + 1 && priority === 0) return MALFORMED;
      priority = priority * 10 + digit;
      if (priority > PRIORITY_MAX) return MALFORMED;
    }
    this.priority = priority;
    return at < end && at > start + 1 ? at + 1 : MALFORMED;
  }

  /** Reads visible ASCII and the blank behind it; returns where the next part begins. */
  #readPart(start: number, end: number, bytesMax: number): number {
    const { bytes } = this;
    let at = start;
    while (at < end && isVisible(bytes[at] as number)) at += 1;
    const isEmpty = at === start + 1 && bytes[start] === DASH;
    this.#start = isEmpty ? at : start;
    this.#end = at;
    const isSound = at > start && at - start <= bytesMax && at < end && bytes[at] === SPACE;
    return isSound ? at + 1 : MALFORMED;
  }

  #readRest(start: number, end: number): string {
    const { bytes, data } = this;
    let at = start + 1;
    if (start < end && bytes[start] === DASH) data.clear();
    else at = data.read(bytes, start, end);
    if (at === MALFORMED || start >= end) return 'structured data';
    if (at < end && bytes[at] !== SPACE) return 'structured data';
    this.textStart = Math.min(at + 1, end);
    this.textEnd = end;
    return '';
  }
}

function afterVersion(bytes: Buffer, start: number, end: number): number {
  let at = start;
  while (at < end && at - start < VERSION_DIGITS_MAX && isDigit(bytes[at] as number)) at += 1;
  if (at === start || bytes[start] === ZERO) return MALFORMED;
  return at < end && bytes[at] === SPACE ? at + 1 : MALFORMED;
}

function isDigit(byte: number): boolean {
  return byte >= ZERO && byte <= ZERO + 9;
}

function isVisible(byte: number): boolean {
  return byte > SPACE && byte < 0x7f;
}
