/**
 * The messages inside an envelope, as the scan walks them: each function says whether
 * bytes[start, end) is a well-formed message of its kind, and notes its name where it has one.
 *
 * Hot. Tags are the most numerous by far, so what all of them look like is looked for first.
 */

import type { Batch } from './batch.ts';
import { isAscii, isUtf8 } from './utf8.ts';
import {
  MALFORMED,
  passFixed,
  passUnknown,
  passVarint,
  readLength,
  readTag,
  wire,
} from './wire.ts';

/** Fields by number and wire type. */
const TEXT_1 = 0x0a;
const TEXT_2 = 0x12;
const VARINT_2 = 0x10;
const FIXED64_2 = 0x11;
const VARINT_3 = 0x18;
const FIXED64_3 = 0x19;

/** How deep these messages lie below the batch; counts towards the limit for groups. */
const BODY_DEPTH = 2;
const ENTRY_DEPTH = 1;
const VALUE_DEPTH = 3;

/** An entry of `tags`: a key and a value, both text. */
export function scanTag(bytes: Buffer, start: number, end: number): boolean {
  return isPlainEntry(bytes, start, end) || scanEntry(bytes, start, end, ENTRY_DEPTH, isUtf8);
}

/** An entry of `deprecated_tags`: its value is a Value message. */
export function scanValueTag(bytes: Buffer, start: number, end: number): boolean {
  return scanEntry(bytes, start, end, ENTRY_DEPTH, scanValue);
}

/** A log: its payload may be any bytes. */
export function scanLog(bytes: Buffer, start: number, end: number): boolean {
  let at = start;
  while (at < end) {
    at = readTag(bytes, at, end);
    if (at === MALFORMED) return false;
    if (wire.value === VARINT_2) at = passVarint(bytes, at, end);
    else at = passUnknown(bytes, at, end, wire.value, BODY_DEPTH);
    if (at === MALFORMED) return false;
  }
  return true;
}

/** Counters and timers are alike: a name, and two varints in fields 2 and 3. */
export function scanNamed(
  bytes: Buffer,
  start: number,
  end: number,
  into: Batch,
  row: number,
): boolean {
  let at = start;
  while (at < end) {
    at = readTag(bytes, at, end);
    if (at === MALFORMED) return false;
    const tag = wire.value;
    if (tag === TEXT_1) {
      at = readText(bytes, at, end);
      if (at === MALFORMED) return false;
      into.nameStart[row] = at - wire.value;
      into.nameEnd[row] = at;
    } else if (tag === VARINT_2 || tag === VARINT_3) at = passVarint(bytes, at, end);
    else at = passUnknown(bytes, at, end, tag, BODY_DEPTH);
    if (at === MALFORMED) return false;
  }
  return true;
}

/** An event: a title and a body, both text. */
export function scanEvent(
  bytes: Buffer,
  start: number,
  end: number,
  into: Batch,
  row: number,
): boolean {
  let at = start;
  while (at < end) {
    at = readTag(bytes, at, end);
    if (at === MALFORMED) return false;
    const tag = wire.value;
    if (tag !== TEXT_1 && tag !== TEXT_2) at = passUnknown(bytes, at, end, tag, BODY_DEPTH);
    else at = readText(bytes, at, end);
    if (at === MALFORMED) return false;
    if (tag === TEXT_1) {
      into.nameStart[row] = at - wire.value;
      into.nameEnd[row] = at;
    }
  }
  return true;
}

/** A gauge: a map from names to values. The name that is noted is the first metric's. */
export function scanGauge(
  bytes: Buffer,
  start: number,
  end: number,
  into: Batch,
  row: number,
): boolean {
  let at = start;
  let isFirst = true;
  while (at < end) {
    at = readTag(bytes, at, end);
    if (at === MALFORMED) return false;
    if (wire.value === TEXT_1) {
      at = readLength(bytes, at, end);
      if (at === MALFORMED) return false;
      const entryEnd = at + wire.value;
      if (!scanEntry(bytes, at, entryEnd, BODY_DEPTH, scanGaugeValue)) return false;
      if (isFirst) {
        into.nameStart[row] = key.start;
        into.nameEnd[row] = key.end;
        isFirst = false;
      }
      at = entryEnd;
    } else at = passUnknown(bytes, at, end, wire.value, BODY_DEPTH);
    if (at === MALFORMED) return false;
  }
  return true;
}

/** Says whether a map entry's value is sound. */
type ScanValue = (bytes: Buffer, start: number, end: number) => boolean;

/** The register: the bounds of the key of the entry that was scanned last. */
const key = { start: 0, end: 0 };

/** A map entry of any layout: key and value in any order, missing, repeated, or with others. */
function scanEntry(
  bytes: Buffer,
  start: number,
  end: number,
  depth: number,
  isSound: ScanValue,
): boolean {
  let keyStart = 0;
  let keyEnd = 0;
  let at = start;
  while (at < end) {
    at = readTag(bytes, at, end);
    if (at === MALFORMED) return false;
    const tag = wire.value;
    if (tag !== TEXT_1 && tag !== TEXT_2) {
      at = passUnknown(bytes, at, end, tag, depth);
      if (at === MALFORMED) return false;
      continue;
    }
    at = readLength(bytes, at, end);
    if (at === MALFORMED) return false;
    const fieldEnd = at + wire.value;
    if (tag === TEXT_1) {
      if (!isUtf8(bytes, at, fieldEnd)) return false;
      keyStart = at;
      keyEnd = fieldEnd;
    } else if (!isSound(bytes, at, fieldEnd)) return false;
    at = fieldEnd;
  }
  key.start = keyStart;
  key.end = keyEnd;
  return true;
}

/** What nearly every tag looks like: key, then value, both ASCII and shorter than 128 bytes. */
function isPlainEntry(bytes: Buffer, start: number, end: number): boolean {
  if (end - start < 4 || bytes[start] !== TEXT_1) return false;
  const valueTag = start + 2 + (bytes[start + 1] as number);
  if (valueTag + 2 > end || bytes[valueTag] !== TEXT_2) return false;
  if (valueTag + 2 + (bytes[valueTag + 1] as number) !== end) return false;
  return isAscii(bytes, start, end); // The lengths too: a byte above 0x7f would begin a longer one.
}

/** A Value: text, an integer or a decimal. */
function scanValue(bytes: Buffer, start: number, end: number): boolean {
  let at = start;
  while (at < end) {
    at = readTag(bytes, at, end);
    if (at === MALFORMED) return false;
    const tag = wire.value;
    if (tag === TEXT_1) at = readText(bytes, at, end);
    else if (tag === VARINT_2) at = passVarint(bytes, at, end);
    else if (tag === FIXED64_3) at = passFixed(at, end, 8);
    else at = passUnknown(bytes, at, end, tag, ENTRY_DEPTH + 1);
    if (at === MALFORMED) return false;
  }
  return true;
}

/** A GaugeValue: a unit and a double. */
function scanGaugeValue(bytes: Buffer, start: number, end: number): boolean {
  let at = start;
  while (at < end) {
    at = readTag(bytes, at, end);
    if (at === MALFORMED) return false;
    const tag = wire.value;
    if (tag === TEXT_1) at = readText(bytes, at, end);
    else if (tag === FIXED64_2) at = passFixed(at, end, 8);
    else at = passUnknown(bytes, at, end, tag, VALUE_DEPTH);
    if (at === MALFORMED) return false;
  }
  return true;
}

/** Reads a text's length and passes over it; `wire.value` is the length. */
function readText(bytes: Buffer, at: number, end: number): number {
  const start = readLength(bytes, at, end);
  if (start === MALFORMED) return MALFORMED;
  const { value } = wire;
  if (!isUtf8(bytes, start, start + value)) return MALFORMED;
  return start + value;
}
