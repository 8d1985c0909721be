/**
 * The bodies of the REST API, in the dialect of log-cache-release v3.2.0: proto names, zero values
 * printed, 64-bit integers as strings, keys by code point, a newline at the end.
 *
 * Clients parse strictly: no field may be added to the answers of read and meta.
 */

import { JsonWriter, type PackedBatch } from '@standpipe/protos';
import type { MetaInfo } from '../store.ts';

const ENTRIES_AT_ONCE = 20;

export function readBody(batch: PackedBatch, writer: JsonWriter): Buffer {
  return writer.raw('{"envelopes":').batch(batch.bytes).raw('}\n').take();
}

export function metaBody(sources: ReadonlyMap<string, MetaInfo>): Buffer {
  return writtenMeta(sources, metaEntry);
}

/** Meta as the original's auth proxy writes it: names in camel case, and what is zero left out. */
export function proxyMetaBody(sources: ReadonlyMap<string, MetaInfo>): Buffer {
  return sources.size === 0 ? Buffer.from('{}\n') : writtenMeta(sources, proxyMetaEntry);
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

/** Written a few at a time: one string of them all would be copied over and over. */
function writtenMeta(
  sources: ReadonlyMap<string, MetaInfo>,
  entryOf: (id: string, info: MetaInfo) => string,
): Buffer {
  const writer = new JsonWriter();
  let text = '{"meta":{';
  let count = 0;
  for (const id of [...sources.keys()].sort(compareCodePoints)) {
    if (count > 0) text += ',';
    text += entryOf(id, sources.get(id) as MetaInfo); // Each is there.
    count += 1;
    if (count % ENTRIES_AT_ONCE !== 0) continue;
    writer.raw(text);
    text = '';
  }
  return writer.raw(text).raw('}}\n').take();
}

function metaEntry(id: string, { count, expired, oldest, newest }: MetaInfo): string {
  return (
    `${JSON.stringify(id)}:{"count":"${count}","expired":"${expired}",` +
    `"oldest_timestamp":"${oldest.toString()}","newest_timestamp":"${newest.toString()}"}`
  );
}

function proxyMetaEntry(id: string, { count, expired, oldest, newest }: MetaInfo): string {
  const fields = [
    count === 0 ? '' : `"count":"${count}"`,
    expired === 0 ? '' : `"expired":"${expired}"`,
    oldest === 0n ? '' : `"oldestTimestamp":"${oldest.toString()}"`,
    newest === 0n ? '' : `"newestTimestamp":"${newest.toString()}"`,
  ];
  return `${JSON.stringify(id)}:{${fields.filter((field) => field !== '').join(',')}}`;
}

/** Without one of these in both, code units have the order of code points. */
const HIGH_UNIT = /[\ud800-\uffff]/;

/** JavaScript compares UTF-16: that differs where a surrogate meets U+E000 to U+FFFF. */
function compareCodePoints(a: string, b: string): number {
  if (!HIGH_UNIT.test(a) || !HIGH_UNIT.test(b)) return a < b ? -1 : Number(a > b);
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at += 1) {
    const aUnit = a.charCodeAt(at);
    const bUnit = b.charCodeAt(at);
    if (aUnit !== bUnit) return rankOfUnit(aUnit) - rankOfUnit(bUnit);
  }
  return a.length - b.length;
}

/** Moves surrogates, of which all higher code points are made, behind all other units. */
function rankOfUnit(unit: number): number {
  return unit >= 0xd800 && unit < 0xe000 ? unit + 0x10000 : unit;
}
