/**
 * logcache.v1.MetaResponse, to and from its bytes.
 *
 *     0a │ length │ 0a │ length │ source id │ 12 │ length │ 08 count │ 10 expired │ 18 oldest │ 20 newest │ …
 *
 * There may be a hundred thousand sources: protobufjs would hold up a front door for a fifth of a second.
 * Here they are written and read in slices of a few milliseconds.
 */

import { encodeVarint, encodeVarint64, FieldReader, varintSize } from '@standpipe/protos';
import { MalformedError } from './messages.ts';
import { writeInSlices } from './meta-bytes.ts';
import { type MetaDraft, type MetaInfo, metaDraft } from './meta-info.ts';
import { Slice } from './slice.ts';
import type { Turns } from './turns.ts';

const ENTRY_TAG = 0x0a;
const KEY_TAG = 0x0a;
const VALUE_TAG = 0x12;
const COUNT_TAG = 0x08;
const EXPIRED_TAG = 0x10;
const OLDEST_TAG = 0x18;
const NEWEST_TAG = 0x20;
const WORD = 2 ** 32;
const CUT_OFF = 'a field is cut off';
/** Four fields of a tag and ten bytes. */
const INFO_BYTES_MAX = 44;
/** The tags and lengths around the id and the info. */
const FRAMES_BYTES_MAX = 3 + 5 + 5 + 1;

export async function encodeMetaResponse(sources: ReadonlyMap<string, MetaInfo>): Promise<Buffer> {
  let bytesMax = 0;
  for (const id of sources.keys()) bytesMax += 3 * id.length + INFO_BYTES_MAX + FRAMES_BYTES_MAX;
  const bytes = Buffer.allocUnsafe(bytesMax);
  const info = Buffer.alloc(INFO_BYTES_MAX);
  let at = 0;
  await writeInSlices(sources, ([id, meta]) => {
    const infoBytes = writeInfo(info, meta);
    const idBytes = Buffer.byteLength(id);
    const keyBytes = 1 + varintSize(idBytes) + idBytes;
    bytes[at] = ENTRY_TAG;
    at = encodeVarint(bytes, at + 1, keyBytes + 2 + infoBytes); // An info's length is one byte.
    bytes[at] = KEY_TAG;
    at = encodeVarint(bytes, at + 1, idBytes);
    at += bytes.write(id, at);
    bytes[at] = VALUE_TAG;
    bytes[at + 1] = infoBytes;
    at += 2;
    at += info.copy(bytes, at, 0, infoBytes);
  });
  return bytes.subarray(0, at);
}

/** What is no such message is a MalformedError. */
export async function decodeMetaResponse(
  bytes: Buffer,
  turns: Turns,
): Promise<Map<string, MetaInfo>> {
  const sources = new Map<string, MetaInfo>();
  const fields = new FieldReader().over(bytes, 0, bytes.length);
  const readers = { entry: new FieldReader(), info: new FieldReader() };
  const slice = new Slice();
  let end = 0;
  slice.begin();
  while (fields.next()) {
    end = wholeEnd(bytes, fields);
    if (!isBytes(fields, ENTRY_TAG)) continue;
    readers.entry.over(bytes, fields.start, fields.end);
    readEntry(bytes, readers, sources);
    if (!slice.isOver(0)) continue;
    await turns.next();
    slice.begin();
  }
  if (end !== bytes.length) throw new MalformedError(CUT_OFF);
  return sources;
}

interface Readers {
  readonly entry: FieldReader;
  readonly info: FieldReader;
}

function readEntry(bytes: Buffer, readers: Readers, sources: Map<string, MetaInfo>): void {
  const { entry } = readers;
  let id = '';
  const info = metaDraft();
  while (entry.next()) {
    wholeEnd(bytes, entry);
    if (isBytes(entry, KEY_TAG)) id = bytes.toString('utf8', entry.start, entry.end);
    else if (isBytes(entry, VALUE_TAG)) {
      readInfo(bytes, readers.info.over(bytes, entry.start, entry.end), info);
    }
  }
  sources.set(id, info);
}

function readInfo(bytes: Buffer, fields: FieldReader, into: MetaDraft): void {
  while (fields.next()) {
    wholeEnd(bytes, fields);
    const high = fields.high | 0;
    const tag = (fields.field << 3) | fields.wireType;
    if (tag === COUNT_TAG) into.count = high * WORD + fields.low;
    else if (tag === EXPIRED_TAG) into.expired = high * WORD + fields.low;
    else if (tag === OLDEST_TAG) {
      into.oldestHigh = high;
      into.oldestLow = fields.low | 0;
    } else if (tag === NEWEST_TAG) {
      into.newestHigh = high;
      into.newestLow = fields.low | 0;
    }
  }
}

function isBytes({ field, wireType }: FieldReader, tag: number): boolean {
  return ((field << 3) | wireType) === tag;
}

/** Where a field ends; one that is cut off throws. */
function wholeEnd(bytes: Buffer, { wireType, start, end, low }: FieldReader): number {
  const isWhole =
    wireType === 2
      ? end - start === low
      : wireType === 0
        ? end > start && (bytes[end - 1] as number) < 0x80 // Within the bytes.
        : end - start === (wireType === 1 ? 8 : 4);
  if (!isWhole) throw new MalformedError(CUT_OFF);
  return end;
}

/** Writes the fields that are not zero; returns how many bytes they take. */
function writeInfo(bytes: Buffer, meta: MetaInfo): number {
  let at = writeField(bytes, 0, COUNT_TAG, Math.floor(meta.count / WORD), meta.count);
  at = writeField(bytes, at, EXPIRED_TAG, Math.floor(meta.expired / WORD), meta.expired);
  at = writeField(bytes, at, OLDEST_TAG, meta.oldestHigh, meta.oldestLow);
  return writeField(bytes, at, NEWEST_TAG, meta.newestHigh, meta.newestLow);
}

function writeField(bytes: Buffer, at: number, tag: number, high: number, low: number): number {
  if (high === 0 && low === 0) return at;
  bytes[at] = tag;
  return encodeVarint64(bytes, at + 1, high, low);
}
