/**
 * What follows the header of a syslog message: names and values of structured data, and payloads.
 *
 * Each function writes into `out` from `offset` on and returns the offset behind what it wrote.
 *
 * Hot: short texts are copied byte by byte, which beats a call into the runtime.
 */

import { REFUSED } from './header-text.ts';

const QUOTE = 0x22;
const EQUALS = 0x3d;
const BACKSLASH = 0x5c;
const BRACKET = 0x5d;

/** Below this length, a loop in JavaScript is faster than a native copy. */
const SHORT = 256;

/** A parameter's name: visible ASCII without `=`, `]` and the double quote. It may be empty. */
export function writeName(
  out: Buffer,
  offset: number,
  bytes: Uint8Array,
  start: number,
  end: number,
): number {
  let at = offset;
  for (let from = start; from < end; from += 1) {
    const byte = bytes[from] as number;
    if (byte <= 0x20 || byte >= 0x7f) return REFUSED;
    if (byte === EQUALS || byte === BRACKET || byte === QUOTE) return REFUSED;
    out[at++] = byte;
  }
  return at;
}

/** A parameter's value: a backslash before backslash, double quote and `]`, nothing else. */
export function writeValue(
  out: Buffer,
  offset: number,
  bytes: Uint8Array,
  start: number,
  end: number,
): number {
  let at = offset;
  for (let from = start; from < end; from += 1) {
    const byte = bytes[from] as number;
    if (byte === QUOTE || byte === BACKSLASH || byte === BRACKET) out[at++] = BACKSLASH;
    out[at++] = byte;
  }
  return at;
}

/** Text of our own. */
export function writeText(out: Buffer, offset: number, text: Uint8Array): number {
  let at = offset;
  for (let from = 0; from < text.length; from += 1) out[at++] = text[from] as number;
  return at;
}

/** A log's payload: all of its bytes but NUL, long ones in runs between the NULs. */
export function writePayload(
  out: Buffer,
  offset: number,
  bytes: Buffer,
  start: number,
  end: number,
): number {
  let at = offset;
  if (end - start < SHORT) {
    for (let from = start; from < end; from += 1) {
      const byte = bytes[from] as number;
      if (byte !== 0) out[at++] = byte;
    }
    return at;
  }
  for (let from = start; from < end; ) {
    let stop = from;
    while (stop < end && bytes[stop] !== 0) stop += 1;
    at += bytes.copy(out, at, from, stop);
    from = stop + 1;
  }
  return at;
}
