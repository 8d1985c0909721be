/**
 * Writes an envelope anew so that each of its messages is in one piece.
 *
 * Protobuf lets a message field occur several times, and means the merger of all: which is what
 * their bytes mean when they are put one after another. Nobody we know writes such envelopes, so
 * this allocates freely; it costs in proportion to the envelope, however many pieces there are.
 */

import { FieldReader } from './fields.ts';
import { encodeVarint, varintSize } from './varint.ts';

const DEPRECATED_TAGS = 3;
const GAUGE = 6;
const BODIES: ReadonlySet<number> = new Set([4, 5, GAUGE, 7, 10]);

/** The bare envelope bytes[start, end) with its body, its values and its metrics in one piece. */
export function mergePieces(bytes: Uint8Array, start: number, end: number): Uint8Array {
  const merged: Uint8Array[] = [];
  let body: Uint8Array[] = [];
  let kind = 0;
  const fields = new FieldReader().over(bytes, start, end);
  while (fields.next()) {
    const content = bytes.subarray(fields.start, fields.end);
    if (fields.wireType !== 2 || !(BODIES.has(fields.field) || fields.field === DEPRECATED_TAGS)) {
      merged.push(bytes.subarray(fields.tagStart, fields.end));
    } else if (fields.field === DEPRECATED_TAGS) {
      merged.push(field(DEPRECATED_TAGS, mergeEntry(content)));
    } else {
      if (fields.field !== kind) body = []; // Another kind in the oneof replaces the one before.
      kind = fields.field;
      body.push(content);
    }
  }
  if (kind !== 0) {
    const whole = Buffer.concat(body);
    merged.push(field(kind, kind === GAUGE ? mergeEntries(whole) : whole));
  }
  return Buffer.concat(merged);
}

function mergeEntries(gauge: Uint8Array): Uint8Array {
  const entries: Uint8Array[] = [];
  const fields = new FieldReader().over(gauge, 0, gauge.length);
  while (fields.next()) {
    if (fields.field !== 1 || fields.wireType !== 2) continue;
    entries.push(field(1, mergeEntry(gauge.subarray(fields.start, fields.end))));
  }
  return Buffer.concat(entries);
}

/** A map entry whose value is a message: its last key, and its values as one. */
function mergeEntry(entry: Uint8Array): Uint8Array {
  let key = new Uint8Array(0);
  const values: Uint8Array[] = [];
  const fields = new FieldReader().over(entry, 0, entry.length);
  while (fields.next()) {
    if (fields.wireType !== 2) continue;
    if (fields.field === 1) key = entry.slice(fields.start, fields.end);
    else if (fields.field === 2) values.push(entry.subarray(fields.start, fields.end));
  }
  return Buffer.concat([field(1, key), field(2, Buffer.concat(values))]);
}

function field(number: number, content: Uint8Array): Uint8Array {
  const head = 1 + varintSize(content.length);
  const bytes = Buffer.allocUnsafe(head + content.length);
  bytes[0] = (number << 3) | 2; // All numbers here are below 16, so the tag is one byte.
  encodeVarint(bytes, 1, content.length);
  bytes.set(content, head);
  return bytes;
}
