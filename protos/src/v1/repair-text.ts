/**
 * Writes a v1 envelope anew with every string in UTF-8, each byte that is not replaced by U+FFFD.
 *
 * proto2 does not check its strings and v2 must not have such: one of them would end the stream
 * of every Go peer that it reaches. They are rare, so this allocates freely.
 */

import { FieldReader } from '../fields.ts';
import { encodeVarint, varintSize } from '../varint.ts';
import { FIELDS_MAX, isText, NESTED, TYPES, V1Message } from './v1-shapes.ts';

/** The envelope bytes[start, end), which `V1Parts` must have accepted. */
export function repairText(bytes: Uint8Array, start: number, end: number): Uint8Array {
  return repaired(V1Message.envelope, bytes, start, end);
}

function repaired(message: number, bytes: Uint8Array, start: number, end: number): Uint8Array {
  const pieces: Uint8Array[] = [];
  const fields = new FieldReader().over(bytes, start, end);
  while (fields.next()) {
    const { field } = fields;
    const isKnown = field < FIELDS_MAX && TYPES[message]?.[field] === fields.wireType;
    const nested = NESTED[message]?.[field] ?? V1Message.envelope;
    if (isKnown && nested !== V1Message.envelope) {
      pieces.push(encoded(field, repaired(nested, bytes, fields.start, fields.end)));
    } else if (isKnown && fields.wireType === 2 && isText(message, field)) {
      const text = Buffer.from(bytes.subarray(fields.start, fields.end)).toString();
      pieces.push(encoded(field, Buffer.from(text)));
    } else pieces.push(bytes.subarray(fields.tagStart, fields.end));
  }
  return Buffer.concat(pieces);
}

function encoded(field: number, content: Uint8Array): Uint8Array {
  const tag = (field << 3) | 2;
  const head = varintSize(tag) + varintSize(content.length);
  const bytes = Buffer.allocUnsafe(head + content.length);
  encodeVarint(bytes, encodeVarint(bytes, 0, tag), content.length);
  bytes.set(content, head);
  return bytes;
}
