/**
 * Messages written by field numbers alone, for tests of what goes over the wire: neither protobufjs
 * nor our own writers and readers have a part in them. Plain and slow.
 */

const VARINT = 0;
const FIXED_64 = 1;
const LENGTH_DELIMITED = 2;

/** A varint; a negative number takes ten bytes, as an int64. */
export function varint(value: number | bigint): Buffer {
  const bytes: number[] = [];
  for (let rest = BigInt.asUintN(64, BigInt(value)); ; rest >>= 7n) {
    if (rest < 0x80n) return Buffer.from([...bytes, Number(rest)]);
    bytes.push(Number(rest & 0x7fn) | 0x80);
  }
}

/** A field that has a length: text, bytes, or a message of these fields. */
export function field(number: number, ...content: readonly (Buffer | string)[]): Buffer {
  const bytes = Buffer.concat(content.map((part) => Buffer.from(part)));
  return Buffer.concat([varint((number << 3) | LENGTH_DELIMITED), varint(bytes.length), bytes]);
}

/** A field that is a whole number, a flag or an enum. */
export function number(field: number, value: number | bigint): Buffer {
  return Buffer.concat([varint((field << 3) | VARINT), varint(value)]);
}

/** A field that is a double. */
export function double(field: number, value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  return Buffer.concat([varint((field << 3) | FIXED_64), bytes]);
}

/**
 * The fields of a message, each as its bytes in hex, in the order of their numbers: any order of
 * different fields means the same, and fields of one number keep theirs.
 */
export function fieldsInOrder(message: Buffer): readonly string[] {
  return fieldsOf(message)
    .sort((a, b) => a.number - b.number)
    .map(({ start, end }) => message.toString('hex', start, end));
}

/** What is in the fields of this number that have a length, in their order. */
export function contents(message: Buffer, number: number): Buffer[] {
  return fieldsOf(message)
    .filter((field) => field.number === number)
    .map(({ content, end }) => message.subarray(content, end));
}

interface Field {
  readonly number: number;
  /** Where its tag begins, what follows tag and length, and where it ends. */
  readonly start: number;
  readonly content: number;
  readonly end: number;
}

function fieldsOf(message: Buffer): Field[] {
  const fields: Field[] = [];
  for (let start = 0; start < message.length; ) {
    const tag = readVarint(message, start);
    const wireType = Number(tag.value & 7n);
    let content = tag.end;
    let end = content + 8;
    if (wireType !== FIXED_64) {
      const first = readVarint(message, content);
      if (wireType === LENGTH_DELIMITED) content = first.end;
      end = first.end + (wireType === LENGTH_DELIMITED ? Number(first.value) : 0);
    }
    fields.push({ number: Number(tag.value >> 3n), start, content, end });
    start = end;
  }
  return fields;
}

function readVarint(bytes: Buffer, start: number): { value: bigint; end: number } {
  let value = 0n;
  for (let at = start; ; at += 1) {
    const byte = bytes.readUInt8(at);
    value |= BigInt(byte & 0x7f) << BigInt(7 * (at - start));
    if (byte < 0x80) return { value, end: at + 1 };
  }
}
