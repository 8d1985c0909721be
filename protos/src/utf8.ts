/**
 * Is this valid UTF-8? Protobuf strings must be, and Go ends a stream over one that is not.
 *
 * Most text here is ASCII, so that is asked first, eight bytes at a time. Hot.
 */

/** Whether no byte of bytes[start, end) is above 0x7f. */
export function isAscii(bytes: Uint8Array, start: number, end: number): boolean {
  let at = start;
  for (const whole = end - 7; at < whole; at += 8) {
    const any =
      (bytes[at] as number) |
      (bytes[at + 1] as number) |
      (bytes[at + 2] as number) |
      (bytes[at + 3] as number) |
      (bytes[at + 4] as number) |
      (bytes[at + 5] as number) |
      (bytes[at + 6] as number) |
      (bytes[at + 7] as number);
    if (any & 0x80) return false;
  }
  let rest = 0;
  for (; at < end; at += 1) rest |= bytes[at] as number;
  return (rest & 0x80) === 0;
}

/** Whether bytes[start, end) is well-formed as RFC 3629 has it: no overlong forms, no surrogates. */
export function isUtf8(bytes: Uint8Array, start: number, end: number): boolean {
  if (isAscii(bytes, start, end)) return true;
  let at = start;
  while (at < end) {
    const length = sequenceLength(bytes, at, end);
    if (length === 0) return false;
    at += length;
  }
  return true;
}

/** The length of the sequence that begins at `at`, or 0 when it is malformed or cut off. */
function sequenceLength(bytes: Uint8Array, at: number, end: number): number {
  const first = bytes[at] as number;
  if (first < 0x80) return 1;
  const second = at + 1 < end ? (bytes[at + 1] as number) : 0;
  if (first >= 0xc2 && first <= 0xdf) return isTail(second) ? 2 : 0;

  const third = at + 2 < end ? (bytes[at + 2] as number) : 0;
  if (first >= 0xe0 && first <= 0xef) {
    const lowest = first === 0xe0 ? 0xa0 : 0x80;
    const highest = first === 0xed ? 0x9f : 0xbf;
    return second >= lowest && second <= highest && isTail(third) ? 3 : 0;
  }

  const fourth = at + 3 < end ? (bytes[at + 3] as number) : 0;
  if (first >= 0xf0 && first <= 0xf4) {
    const lowest = first === 0xf0 ? 0x90 : 0x80;
    const highest = first === 0xf4 ? 0x8f : 0xbf;
    return second >= lowest && second <= highest && isTail(third) && isTail(fourth) ? 4 : 0;
  }
  return 0;
}

function isTail(byte: number): boolean {
  return (byte & 0xc0) === 0x80;
}
