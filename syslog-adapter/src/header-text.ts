/**
 * The parts of a syslog header, cleaned of what RFC 5424 does not allow there.
 *
 * Each function writes bytes[start, end) into `out` from `offset` on and returns the offset behind
 * what it wrote, or REFUSED. They follow loggregator-agent-release v8.3.9, but cut a source type
 * of any length where the original ends its process (its issue 730).
 *
 * Hot: byte by byte, no strings.
 */

/** What was to be written has a byte that its place does not allow. */
export const REFUSED = -1;

/** The longest host name, app name and process id, in bytes. */
export const HOSTNAME_MAX = 255;
export const APP_NAME_MAX = 48;
const PROCESS_ID_MAX = 128;

/** The longest part of `org.space.app`. */
const HOST_PART_MAX = 63;

/** The longest source type before an instance: brackets and a slash take the rest. */
const SOURCE_TYPE_MAX = PROCESS_ID_MAX - 3;

const DASH = 0x2d;
const SLASH = 0x2f;
const OPEN = 0x5b;
const CLOSE = 0x5d;

/** One part of `org.space.app`: letters, digits and dashes, none at the end; blanks as one dash. */
export function writeHostPart(
  out: Buffer,
  offset: number,
  bytes: Uint8Array,
  start: number,
  end: number,
): number {
  let at = offset;
  for (let from = start; from < end; from += 1) {
    const byte = bytes[from] as number;
    if (isLetterOrDigit(byte) || byte === DASH) out[at++] = byte;
    else if (isBlank(byte) && !(from > start && isBlank(bytes[from - 1] as number))) {
      out[at++] = DASH;
    }
  }
  return Math.min(withoutDashes(out, offset, at), offset + HOST_PART_MAX);
}

/** Bytes as they are, if all of them are visible ASCII. */
export function writeVisible(
  out: Buffer,
  offset: number,
  bytes: Uint8Array,
  start: number,
  end: number,
): number {
  let at = offset;
  for (let from = start; from < end; from += 1) {
    const byte = bytes[from] as number;
    if (!isVisible(byte)) return REFUSED;
    out[at++] = byte;
  }
  return at;
}

/** The process id of a metric, timer or event: `[instance]`. */
export function writeProcessId(
  out: Buffer,
  offset: number,
  bytes: Uint8Array,
  start: number,
  end: number,
): number {
  out[offset] = OPEN;
  const cut = Math.min(end, start + PROCESS_ID_MAX - 1);
  const at = writeVisible(out, offset + 1, bytes, start, cut);
  return at === REFUSED ? REFUSED : closeProcessId(out, offset, at);
}

/** Where a log's process id comes from. Bounds that are equal mean that there is none. */
export interface LogProcess {
  readonly typeStart: number;
  readonly typeEnd: number;
  readonly instanceStart: number;
  readonly instanceEnd: number;
}

/** The process id of a log: `[SOURCE-TYPE/instance]`, or `[SOURCE-TYPE]`. */
export function writeLogProcessId(
  out: Buffer,
  offset: number,
  bytes: Uint8Array,
  { typeStart, typeEnd, instanceStart, instanceEnd }: LogProcess,
): number {
  out[offset] = OPEN;
  let at = writeSourceType(out, offset + 1, bytes, typeStart, typeEnd);
  if (instanceStart === instanceEnd) return closeProcessId(out, offset, at);
  at = Math.min(at, offset + 1 + SOURCE_TYPE_MAX);
  out[at++] = SLASH;
  const room = offset + PROCESS_ID_MAX - 1 - at;
  at = writeVisible(out, at, bytes, instanceStart, Math.min(instanceEnd, instanceStart + room));
  return at === REFUSED ? REFUSED : closeProcessId(out, offset, at);
}

function closeProcessId(out: Buffer, offset: number, end: number): number {
  out[end] = CLOSE;
  return Math.min(end + 1, offset + PROCESS_ID_MAX);
}

/** Upper case, visible ASCII, runs of blanks as one dash, no dashes at the end. */
function writeSourceType(
  out: Buffer,
  offset: number,
  bytes: Uint8Array,
  start: number,
  end: number,
): number {
  let at = offset;
  for (let from = start; from < end; from += 1) {
    const byte = bytes[from] as number;
    if (byte >= 0x61 && byte <= 0x7a) out[at++] = byte - 0x20;
    else if (isVisible(byte)) out[at++] = byte;
    else if (isBlank(byte) && !(from > start && isBlank(bytes[from - 1] as number))) {
      out[at++] = DASH;
    }
  }
  return withoutDashes(out, offset, at);
}

function withoutDashes(out: Buffer, start: number, end: number): number {
  let at = end;
  while (at > start && out[at - 1] === DASH) at -= 1;
  return at;
}

function isLetterOrDigit(byte: number): boolean {
  const lower = byte | 0x20;
  return (byte >= 0x30 && byte <= 0x39) || (lower >= 0x61 && lower <= 0x7a);
}

function isVisible(byte: number): boolean {
  return byte > 0x20 && byte < 0x7f;
}

/** Space, tab, line feed, form feed, carriage return. */
function isBlank(byte: number): boolean {
  return byte === 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0c || byte === 0x0d;
}
