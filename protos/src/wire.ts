/**
 * Reading protobuf's wire format from bytes that nobody has vouched for.
 *
 * Each function takes where it stands and where it must stop, and returns where it stopped, or
 * MALFORMED. It never reads at or past `end`. What is read besides stands in `wire.value` until the next
 * call: returning two things would allocate. The verdicts are protobufjs 8's, which are protoc's.
 *
 * Hot.
 */

export const MALFORMED = -1;

/** How deeply groups may nest, counted from the message that is read; protoc's limit. */
const DEPTH_LIMIT = 100;

/** The register: the tag or length that was read last. */
export const wire = { value: 0 };

/** Reads a field's tag: at most 32 bits, in at most five bytes. */
export function readTag(bytes: Uint8Array, at: number, end: number): number {
  if (at < end) {
    const byte = bytes[at] as number;
    if (byte < 0x80) {
      wire.value = byte;
      return at + 1;
    }
  }
  return readLongUint32(bytes, at, end, 0x0f);
}

/** Reads a length: at most 31 bits, in at most five bytes, and not beyond `end`. */
export function readLength(bytes: Uint8Array, at: number, end: number): number {
  let next = at + 1;
  if (at < end && (bytes[at] as number) < 0x80) wire.value = bytes[at] as number;
  else next = readLongUint32(bytes, at, end, 0x07);
  return next !== MALFORMED && wire.value <= end - next ? next : MALFORMED;
}

function readLongUint32(bytes: Uint8Array, at: number, end: number, highest: number): number {
  let value = 0;
  for (let index = 0; index < 5 && at + index < end; index += 1) {
    const byte = bytes[at + index] as number;
    if (index === 4 && byte > highest) return MALFORMED;
    value |= (byte & 0x7f) << (7 * index);
    if (byte < 0x80) {
      wire.value = value >>> 0;
      return at + index + 1;
    }
  }
  return MALFORMED;
}

/** Passes over a varint of a field that is known: at most ten bytes. */
export function passVarint(bytes: Uint8Array, at: number, end: number): number {
  const limit = Math.min(end, at + 10);
  for (let next = at; next < limit; next += 1) {
    if ((bytes[next] as number) < 0x80) return next + 1;
  }
  return MALFORMED;
}

/** Passes over `size` bytes. */
export function passFixed(at: number, end: number, size: number): number {
  return size <= end - at ? at + size : MALFORMED;
}

/** Passes over the value of an unknown field whose tag was just read. */
export function passUnknown(
  bytes: Uint8Array,
  at: number,
  end: number,
  tag: number,
  depth: number,
): number {
  if (tag >>> 3 === 0 || depth > DEPTH_LIMIT) return MALFORMED;
  switch (tag & 7) {
    case 0:
      return passEndlessVarint(bytes, at, end);
    case 1:
      return passFixed(at, end, 8);
    case 2: {
      const start = readLength(bytes, at, end);
      return start === MALFORMED ? MALFORMED : start + wire.value;
    }
    case 3:
      return passGroup(bytes, at, end, tag >>> 3, depth);
    case 5:
      return passFixed(at, end, 4);
    default:
      return MALFORMED;
  }
}

/** An unknown varint may be of any length: protobufjs passes over it likewise. */
function passEndlessVarint(bytes: Uint8Array, at: number, end: number): number {
  for (let next = at; next < end; next += 1) {
    if ((bytes[next] as number) < 0x80) return next + 1;
  }
  return MALFORMED;
}

function passGroup(
  bytes: Uint8Array,
  at: number,
  end: number,
  field: number,
  depth: number,
): number {
  let next = at;
  for (;;) {
    next = readTag(bytes, next, end);
    if (next === MALFORMED || wire.value >>> 3 === 0) return MALFORMED;
    if ((wire.value & 7) === 4) return wire.value >>> 3 === field ? next : MALFORMED;
    next = passUnknown(bytes, next, end, wire.value, depth + 1);
    if (next === MALFORMED) return MALFORMED;
  }
}
