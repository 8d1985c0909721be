/**
 * The bodies of the REST API, in the dialect of log-cache-release v3.2.0: proto names, zero values
 * printed, 64-bit integers as strings, keys by code point, a newline at the end.
 *
 * Clients parse strictly: no field may be added to the answers of read and meta.
 */

import { setImmediate as nextRound } from 'node:timers/promises';
import {
  type ConstantText,
  constantText,
  FieldReader,
  JsonWriter,
  type PackedBatch,
} from '@standpipe/protos';
import { joined } from '../joined.ts';
import { writeInSlices } from '../meta-bytes.ts';
import { type MetaInfo, metaDraft } from '../meta-info.ts';
import { tableOf } from '../meta-table.ts';
import { SLICE_BYTES } from '../slice.ts';
import { inOrder } from './id-order.ts';

const META = constantText('{"meta":{');
const COUNT = constantText(':{"count":"');
const EXPIRED = constantText('","expired":"');
const OLDEST = constantText('","oldest_timestamp":"');
const NEWEST = constantText('","newest_timestamp":"');
const END_OF_ENTRY = constantText('"}');
const PROXY_ENTRY = constantText(':{');
const PROXY_COUNT = constantText('"count":"');
const PROXY_EXPIRED = constantText('"expired":"');
const PROXY_OLDEST = constantText('"oldestTimestamp":"');
const PROXY_NEWEST = constantText('"newestTimestamp":"');
const END_OF_PROXY_ENTRY = constantText('}');
const END_OF_META = constantText('}}\n');
const NOTHING = constantText('');
const COMMA = constantText(',');
const QUOTE = constantText('"');

/** What an entry takes at most besides its id: four names, two counts and two times. */
const ENTRY_BYTES_MAX = 160;
/** What a letter takes at most, and room for what an id of many such letters takes. */
const ESCAPE_BYTES = 6;
const SPARE_BYTES = 16 * 1024;

/** The writer is for answers that take one turn; those that take several have their own. */
export async function readBody(batch: PackedBatch, writer: JsonWriter): Promise<Buffer> {
  if (batch.byteLength > SLICE_BYTES) return largeReadBody(batch);
  return writer.raw('{"envelopes":').batch(batch.bytes).raw('}\n').take();
}

/** The same in slices, between which others are served. */
async function largeReadBody({ bytes }: PackedBatch): Promise<Buffer> {
  const writer = new JsonWriter();
  const pieces: Buffer[] = [];
  const frames = new FieldReader().over(bytes, 0, bytes.length);
  let separator = '{"envelopes":{"batch":[';
  while (frames.next()) {
    if (frames.field !== 1 || frames.wireType !== 2) continue;
    writer.raw(separator).envelope(bytes, frames.start, frames.end);
    separator = ',';
    if (writer.byteLength < SLICE_BYTES) continue;
    pieces.push(writer.take());
    await nextRound();
  }
  pieces.push(writer.raw(']}}\n').take());
  return joined(pieces);
}

export function metaBody(sources: ReadonlyMap<string, MetaInfo>): Promise<Buffer> {
  return writtenMeta(sources, writeMetaEntry);
}

/** Meta as the original's auth proxy writes it: names in camel case, and what is zero left out. */
export async function proxyMetaBody(sources: ReadonlyMap<string, MetaInfo>): Promise<Buffer> {
  return sources.size === 0 ? Buffer.from('{}\n') : writtenMeta(sources, writeProxyMetaEntry);
}

/** An error of read and meta, as a google.rpc.Status. */
export function errorBody(code: number, message: string): Buffer {
  return Buffer.from(`${JSON.stringify({ code, message, details: [] })}\n`);
}

/** An error of the PromQL paths. */
export function promQlErrorBody(error: string): Buffer {
  return Buffer.from(`${JSON.stringify({ status: 'error', errorType: 'internal', error })}\n`);
}

export function infoBody(version: string, uptimeSeconds: number): Buffer {
  const info = { version, vm_uptime: String(Math.floor(uptimeSeconds)) };
  return Buffer.from(`${JSON.stringify(info)}\n`);
}

type WriteEntry = (writer: JsonWriter, info: MetaInfo) => void;

async function writtenMeta(
  sources: ReadonlyMap<string, MetaInfo>,
  writeEntry: WriteEntry,
): Promise<Buffer> {
  const table = await tableOf(sources);
  const { ids } = table;
  // Fresh memory is what costs, so there is one buffer for all, unless most ids are to be escaped.
  let room = ids.reduce((sum, { length }) => sum + length + ENTRY_BYTES_MAX, SPARE_BYTES);
  const writer = new JsonWriter(room).constant(META);
  const pieces: Buffer[] = []; // A buffer that grows is copied whole, in one turn.
  const info = metaDraft();
  let separator = NOTHING;
  await writeInSlices(await inOrder(ids), (row) => {
    const id = ids[row] as string; // It is the row of one.
    if (writer.byteLength + id.length * ESCAPE_BYTES + ENTRY_BYTES_MAX > room) {
      pieces.push(writer.take());
      room = SLICE_BYTES;
    }
    writer.constant(separator).string(id);
    writeEntry(writer, table.at(row, info));
    separator = COMMA;
  });
  pieces.push(writer.constant(END_OF_META).take());
  return joined(pieces);
}

function writeMetaEntry(writer: JsonWriter, info: MetaInfo): void {
  writer.constant(COUNT).integer(highOf(info.count), info.count);
  writer.constant(EXPIRED).integer(highOf(info.expired), info.expired);
  writer.constant(OLDEST).integer(info.oldestHigh, info.oldestLow);
  writer.constant(NEWEST).integer(info.newestHigh, info.newestLow);
  writer.constant(END_OF_ENTRY);
}

function writeProxyMetaEntry(writer: JsonWriter, info: MetaInfo): void {
  writer.constant(PROXY_ENTRY);
  let separator = NOTHING;
  const write = (name: ConstantText, high: number, low: number): void => {
    if (high === 0 && low === 0) return;
    writer.constant(separator).constant(name).integer(high, low).constant(QUOTE);
    separator = COMMA;
  };
  write(PROXY_COUNT, highOf(info.count), info.count);
  write(PROXY_EXPIRED, highOf(info.expired), info.expired);
  write(PROXY_OLDEST, info.oldestHigh, info.oldestLow);
  write(PROXY_NEWEST, info.newestHigh, info.newestLow);
  writer.constant(END_OF_PROXY_ENTRY);
}

/** The upper word of a number that is below 2^53. */
function highOf(value: number): number {
  return Math.floor(value / 2 ** 32);
}
