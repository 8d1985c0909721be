/** Writing variable-length integers, as protobuf lays them out: seven bits a byte, lowest first. */

/** How many bytes a varint of this value takes; `value` is from 0 to 2^32 - 1. */
export function varintSize(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  if (value < 0x200000) return 3;
  return value < 0x10000000 ? 4 : 5;
}

/** Writes a value from 0 to 2^32 - 1 and returns the offset behind it. */
export function encodeVarint(bytes: Uint8Array, offset: number, value: number): number {
  let at = offset;
  let rest = value >>> 0;
  while (rest >= 0x80) {
    bytes[at++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  bytes[at++] = rest;
  return at;
}

/** Writes a 64-bit value, given as two unsigned words, and returns the offset behind it. */
export function encodeVarint64(
  bytes: Uint8Array,
  offset: number,
  high: number,
  low: number,
): number {
  let at = offset;
  let upper = high >>> 0;
  let lower = low >>> 0;
  while (upper > 0 || lower >= 0x80) {
    bytes[at++] = (lower & 0x7f) | 0x80;
    lower = ((lower >>> 7) | (upper << 25)) >>> 0;
    upper >>>= 7;
  }
  bytes[at++] = lower;
  return at;
}
