/**
 * An envelope's timestamp as its first field, from and to two words.
 *
 *     08 │ 7 bits │ 7 bits │ … │ 7 bits │        the lowest first, all but the last with 0x80
 *
 * Hot: called for each envelope that is put, and each one that is unfolded.
 */

import { NONE } from './arena.ts';

const TAG = 0x08;

/** Where the field ends, if the envelope begins with just the bytes that `writeTime` writes. */
export function passTime(bytes: Uint8Array, start: number, high: number, low: number): number {
  if (bytes[start] !== TAG) return NONE;
  let at = start + 1;
  let upper = high >>> 0;
  let lower = low;
  while (upper !== 0 || lower > 0x7f) {
    if (bytes[at] !== ((lower & 0x7f) | 0x80)) return NONE;
    lower = ((lower >>> 7) | (upper << 25)) >>> 0;
    upper >>>= 7;
    at += 1;
  }
  return bytes[at] === lower ? at + 1 : NONE;
}

/** Writes the field so that it ends at `end`, and says where it begins. */
export function writeTime(bytes: Uint8Array, end: number, high: number, low: number): number {
  const start = end - 1 - sizeOf(high, low);
  let at = start + 1;
  let upper = high >>> 0;
  let lower = low;
  bytes[start] = TAG;
  while (upper !== 0 || lower > 0x7f) {
    bytes[at] = (lower & 0x7f) | 0x80;
    lower = ((lower >>> 7) | (upper << 25)) >>> 0;
    upper >>>= 7;
    at += 1;
  }
  bytes[at] = lower;
  return start;
}

/** The most bytes that the field takes. */
export const TIME_BYTES_MAX = 11;

function sizeOf(high: number, low: number): number {
  const upper = high >>> 0;
  const bits = upper === 0 ? 32 - Math.clz32(low) : 64 - Math.clz32(upper);
  return Math.max(1, Math.ceil(bits / 7));
}
