/**
 * The messages of logcache.v1, with the batches in them left as the bytes they are.
 *
 * What holds envelopes is framed and taken apart here; the rest is control, and goes through the
 * generated classes. A message that can't be read throws a MalformedError.
 */

import { allocateMessage } from '@standpipe/plumbing';
import { encodeVarint, joinTime, logcache, type PackedBatch, varintSize } from '@standpipe/protos';
import { copyInTurns } from './joined.ts';
import type { ReadRequest } from './reader.ts';

export class MalformedError extends Error {
  override readonly name = 'MalformedError';
}

const FIELD_1 = 0x0a;
const LOCAL_ONLY = Buffer.from([0x10, 0x01]);
const LOCAL_ONLY_TAG = 0x10;
const FILTERED = Buffer.from([0xc8, 0x3e, 0x01]);
const NOTHING: Buffer = Buffer.alloc(0);
const FILTERED_TAG = 1001 << 3;
const GROUP_START = 3;
const GROUP_END = 4;
/** How deep groups may lie in each other. */
const GROUPS_MAX = 100;

/** What a SendRequest or a ReadResponse carries. */
export interface Carrier {
  /** The encoded EnvelopeBatch; undefined when there is none. */
  readonly envelopes: Buffer | undefined;
  /** Field 2 as a flag: `local_only` of a SendRequest. */
  readonly localOnly: boolean;
  /** Field 1001 as a flag: `filtered` of a ReadResponse. */
  readonly filtered: boolean;
}

export function encodeSendRequest(batch: PackedBatch, localOnly: boolean): Buffer {
  return framed(batch.bytes, localOnly ? LOCAL_ONLY : undefined);
}

/** `filtered` says that fields were heeded which the original's nodes don't know. */
export async function encodeReadResponse(batch: PackedBatch, filtered = false): Promise<Buffer> {
  const { bytes } = batch;
  const fields = filtered ? FILTERED : NOTHING;
  const head = 1 + varintSize(bytes.length);
  const message = allocateMessage(head + bytes.length + fields.length);
  message[0] = FIELD_1;
  encodeVarint(message, 1, bytes.length);
  message.set(fields, await copyInTurns(bytes, message, head));
  return message;
}

/** Takes a SendRequest or a ReadResponse apart. A batch in several pieces is one batch. */
export function readCarrier(bytes: Buffer): Carrier {
  const pieces: Buffer[] = [];
  let localOnly = false;
  let filtered = false;
  for (let at = 0; at < bytes.length; ) {
    const { tag, value, start, end } = readField(bytes, at);
    at = (tag & 7) === GROUP_START ? groupEnd(bytes, end, tag) : end;
    if ((tag & 7) === GROUP_END) throw new MalformedError('a group ends that never began');
    if (tag === FIELD_1) pieces.push(bytes.subarray(start, end));
    if (tag === LOCAL_ONLY_TAG) localOnly = value !== 0;
    if (tag === FILTERED_TAG) filtered = value !== 0;
  }
  const [first] = pieces;
  return { envelopes: pieces.length > 1 ? Buffer.concat(pieces) : first, localOnly, filtered };
}

export function encodeReadRequest(request: ReadRequest): Buffer {
  return Buffer.from(logcache.v1.ReadRequest.encode(readRequestMessage(request)).finish());
}

export function decodeReadRequest(bytes: Buffer): ReadRequest {
  return readRequestOf(decode(() => logcache.v1.ReadRequest.decode(bytes)));
}

export function readRequestMessage(request: ReadRequest): logcache.v1.ReadRequest {
  return logcache.v1.ReadRequest.fromObject({
    source_id: request.sourceId,
    start_time: String(request.startTime),
    end_time: String(request.endTime),
    limit: String(request.limit),
    envelope_types: [...request.envelopeTypes],
    descending: request.descending,
    name_filter: request.nameFilter,
    contains: request.contains,
    matches: request.matches,
    tags: [...request.tags],
  });
}

export function readRequestOf(message: logcache.v1.ReadRequest): ReadRequest {
  return {
    sourceId: message.source_id,
    startTime: int64(message.start_time),
    endTime: int64(message.end_time),
    limit: int64(message.limit),
    envelopeTypes: message.envelope_types,
    descending: message.descending,
    nameFilter: message.name_filter,
    contains: message.contains,
    matches: message.matches,
    tags: message.tags,
  };
}

export function encodeMetaRequest(localOnly: boolean): Buffer {
  return Buffer.from(logcache.v1.MetaRequest.encode({ local_only: localOnly }).finish());
}

export function decodeMetaRequest(bytes: Buffer): { readonly localOnly: boolean } {
  return { localOnly: decode(() => logcache.v1.MetaRequest.decode(bytes)).local_only };
}

export type Int64 = number | { readonly high: number; readonly low: number };

export function int64(value: Int64): bigint {
  return typeof value === 'number' ? BigInt(value) : joinTime(value.high, value.low);
}

/** Reads a message; what is no message is a MalformedError. */
export function decode<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    // protobufjs throws errors of several classes, all of them for what is in the bytes.
    throw new MalformedError(error instanceof Error ? error.message : String(error), {
      cause: error,
    });
  }
}

/** `batch` as field 1 of a message, and other fields behind it. */
export function framed(batch: Buffer, fields: Buffer = NOTHING): Buffer {
  const head = 1 + varintSize(batch.length);
  const bytes = Buffer.allocUnsafe(head + batch.length + fields.length);
  bytes[0] = FIELD_1;
  encodeVarint(bytes, 1, batch.length);
  bytes.set(batch, head);
  bytes.set(fields, head + batch.length);
  return bytes;
}

interface Field {
  /** Its number and wire type. */
  readonly tag: number;
  /** A varint's value, or the length of bytes. */
  readonly value: number;
  /** Where its value stands; where a group starts or ends, nothing. */
  readonly start: number;
  readonly end: number;
}

function readField(bytes: Buffer, at: number): Field {
  const { number: tag, size } = readVarint(bytes, at);
  const body = at + size;
  const wireType = tag & 7;
  if (tag < 8) throw new MalformedError('a field is cut off');
  if (wireType > 5) throw new MalformedError(`a field of wire type ${wireType}`);
  const hasVarint = wireType === 0 || wireType === 2;
  const value = hasVarint ? readVarint(bytes, body) : { number: 0, size: 0 };
  const start = body + value.size;
  const end = start + valueLength(wireType, value.number);
  const isCut = end > bytes.length || (hasVarint && value.size === 0);
  if (isCut) throw new MalformedError('a field is cut off');
  return { tag, value: value.number, start, end };
}

/** The bytes of a value behind its varint, if it has one. */
function valueLength(wireType: number, length: number): number {
  if (wireType === 1) return 8;
  if (wireType === 5) return 4;
  return wireType === 2 ? length : 0;
}

/** Where a group ends whose tag has just been read. Nobody knows any, so all are passed over. */
function groupEnd(bytes: Buffer, start: number, tag: number): number {
  const open = [tag];
  let at = start;
  while (open.length > 0) {
    const field = readField(bytes, at);
    at = field.end;
    const wireType = field.tag & 7;
    if (wireType === GROUP_START) open.push(field.tag);
    const isOther = wireType === GROUP_END && open.pop() !== field.tag - GROUP_END + GROUP_START;
    if (isOther) throw new MalformedError('a group ends that never began');
    if (open.length > GROUPS_MAX) throw new MalformedError('groups too deep in each other');
  }
  return at;
}

/** A varint below 2^53 of at most ten bytes; `number` 0 and `size` 0 at the end of the bytes. */
function readVarint(bytes: Buffer, at: number): { readonly number: number; readonly size: number } {
  let number = 0;
  for (let size = 0; size < 10 && at + size < bytes.length; size += 1) {
    const byte = bytes[at + size] ?? 0;
    number += (byte & 0x7f) * 2 ** (7 * size);
    if (byte < 0x80) return { number, size: size + 1 };
  }
  return { number: 0, size: 0 };
}
