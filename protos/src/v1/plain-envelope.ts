/**
 * Writes a v2 envelope anew, so that the conversion to v1 finds it plain: with all its tags in
 * `tags`, and its message and its metrics in one piece.
 *
 * The old `deprecated_tags` come over the tags of the same key, except where a tag becomes a field
 * of v1: those are looked for in `tags` first (go-loggregator v10). Integers become decimal, doubles
 * get six decimals. Only old emitters send deprecated tags, so this allocates freely.
 */

import Long from 'long';
import { loggregator } from '../../gen/messages.js';
import { goFixed } from '../decimal.ts';
import { EnvelopeField, EnvelopeParts } from '../envelope-parts.ts';
import type { MapEntries } from '../map-entries.ts';
import { ValueMember, ValueParts } from '../message-parts.ts';
import { joinTime } from '../time.ts';
import { encodeVarint } from '../varint.ts';
import { FIELDS_OF, NO_SLOT, slotOf } from './tag-slots.ts';

/** A tag of one byte, and a length of five at most. */
const BODY_HEAD_BYTES_MAX = 6;

/** The bare envelope bytes[start, end), which has a message, made plain. */
export function plainEnvelope(source: Uint8Array, start: number, end: number): Buffer {
  const parts = new EnvelopeParts().read(source, start, end);
  const { bytes, tags, deprecatedTags, message } = parts;
  const texts = new Map(entriesOf(bytes, tags, textOf));
  const old = new Map(entriesOf(bytes, deprecatedTags, valueText));
  const isError = (texts.get('__v1_type') ?? old.get('__v1_type')) === 'Error';
  const fields = fieldsOf(message, isError);
  for (const [key, value] of old) {
    const keyBytes = Buffer.from(key);
    const slot = slotOf(keyBytes, 0, keyBytes.length);
    const isField = slot !== NO_SLOT && (fields & (1 << slot)) !== 0;
    if (!isField || !texts.has(key)) texts.set(key, value);
  }

  const envelope = {
    timestamp: Long.fromBits(parts.timeLow, parts.timeHigh),
    source_id: textOf(bytes, parts.sourceStart, parts.sourceEnd),
    instance_id: textOf(bytes, parts.instanceStart, parts.instanceEnd),
    tags: Object.fromEntries(texts),
  };
  const body = bytes.subarray(parts.bodyStart, parts.bodyEnd);
  const head = Buffer.alloc(BODY_HEAD_BYTES_MAX);
  const headEnd = encodeVarint(head, encodeVarint(head, 0, (message << 3) | 2), body.length);
  return Buffer.concat([
    loggregator.v2.Envelope.encode(envelope).finish(),
    head.subarray(0, headEnd),
    body,
  ]);
}

/** The tags that become fields of v1, for a v2 message of this kind. */
function fieldsOf(message: number, isError: boolean): number {
  if (message === EnvelopeField.timer) return FIELDS_OF.http;
  if (message !== EnvelopeField.log) return FIELDS_OF.metric;
  return isError ? FIELDS_OF.error : FIELDS_OF.log;
}

type TextOf = (bytes: Uint8Array, start: number, end: number) => string;

function* entriesOf(
  bytes: Uint8Array,
  entries: MapEntries,
  value: TextOf,
): Generator<[string, string]> {
  for (let index = 0; index < entries.count; index += 1) {
    // Below the count, so within the columns.
    const key = textOf(bytes, entries.keyStart[index] as number, entries.keyEnd[index] as number);
    const from = entries.valueStart[index] as number;
    yield [key, value(bytes, from, entries.valueEnd[index] as number)];
  }
}

function textOf(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString();
}

/** A Value as text; one with nothing set is empty. */
function valueText(bytes: Uint8Array, start: number, end: number): string {
  const value = new ValueParts().read(bytes, start, end);
  if (value.member === ValueMember.text) return textOf(bytes, value.textStart, value.textEnd);
  if (value.member === ValueMember.decimal) return goFixed(value.decimal);
  if (value.member === ValueMember.none) return '';
  return String(joinTime(value.integerHigh, value.integerLow));
}
