/**
 * What of a log's text is kept: all but the white space around it, as Go's strings.TrimSpace has it,
 * or all but one line feed at its end.
 */

const LF = 0x0a;
/** White space beyond ASCII, in UTF-8. */
const WIDE: readonly Buffer[] = [
  ...['\u0085', '\u00a0', '\u1680', '\u2028', '\u2029', '\u202f', '\u205f', '\u3000'],
  ...Array.from({ length: 11 }, (_, at) => String.fromCharCode(0x2000 + at)),
].map((character) => Buffer.from(character));

/** Moves the ends of a stretch of bytes. */
export function trimText(
  bytes: Buffer,
  text: { start: number; end: number },
  whiteSpace: boolean,
): void {
  if (!whiteSpace) {
    if (bytes[text.end - 1] === LF && text.end > text.start) text.end -= 1;
    return;
  }
  for (let size = 1; size > 0 && text.start < text.end; text.start += size) {
    size = spaceAt(bytes, text.start, text.end);
  }
  for (let size = 1; size > 0 && text.start < text.end; text.end -= size) {
    size = spaceBefore(bytes, text.start, text.end);
  }
}

/** How many bytes the white space at `start` has, 0 if there is none. */
function spaceAt(bytes: Buffer, start: number, end: number): number {
  const byte = bytes[start] as number; // Below the end.
  if (byte < 0x80) return isSpace(byte) ? 1 : 0;
  for (const wide of WIDE) {
    if (start + wide.length <= end && matches(bytes, start, wide)) return wide.length;
  }
  return 0;
}

function spaceBefore(bytes: Buffer, start: number, end: number): number {
  const byte = bytes[end - 1] as number; // Not below the start.
  if (byte < 0x80) return isSpace(byte) ? 1 : 0;
  for (const wide of WIDE) {
    if (end - wide.length >= start && matches(bytes, end - wide.length, wide)) return wide.length;
  }
  return 0;
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || (byte >= 0x09 && byte <= 0x0d);
}

function matches(bytes: Buffer, start: number, wanted: Buffer): boolean {
  for (let at = 0; at < wanted.length; at += 1) {
    if (bytes[start + at] !== wanted[at]) return false;
  }
  return true;
}
