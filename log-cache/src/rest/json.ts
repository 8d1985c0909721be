/**
 * The bodies of the REST API, in the dialect of log-cache-release v3.2.0: proto names, zero values
 * printed, 64-bit integers as strings, keys by code point, a newline at the end.
 *
 * Clients parse strictly: no field may be added to the answers of read and meta.
 */

import { type ConstantText, constantText, JsonWriter, type PackedBatch } from '@standpipe/protos';
import { writeInSlices } from '../meta-bytes.ts';
import type { MetaInfo } from '../meta-info.ts';
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

export function readBody(batch: PackedBatch, writer: JsonWriter): Buffer {
  return writer.raw('{"envelopes":').batch(batch.bytes).raw('}\n').take();
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
  const writer = new JsonWriter().constant(META);
  let separator = NOTHING;
  await writeInSlices(inOrder(sources.keys()), (id) => {
    writer.constant(separator).string(id);
    writeEntry(writer, sources.get(id) as MetaInfo); // Each is there.
    separator = COMMA;
  });
  return writer.constant(END_OF_META).take();
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
