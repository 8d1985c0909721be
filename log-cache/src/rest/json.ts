/**
 * The bodies of the REST API, in the dialect of log-cache-release v3.2.0: proto names, zero values
 * printed, 64-bit integers as strings, keys by code point, a newline at the end.
 *
 * Clients parse strictly: no field may be added to the answers of read and meta.
 */

import type { JsonWriter, PackedBatch } from '@standpipe/protos';
import type { MetaInfo } from '../store.ts';

export function readBody(batch: PackedBatch, writer: JsonWriter): Buffer {
  return writer.raw('{"envelopes":').batch(batch.bytes).raw('}\n').take();
}

export function metaBody(sources: ReadonlyMap<string, MetaInfo>): Buffer {
  const entries = [...sources].sort(([a], [b]) => compareCodePoints(a, b)).map(metaEntry);
  return Buffer.from(`{"meta":{${entries.join(',')}}}\n`);
}

/** Meta as the original's auth proxy writes it: names in camel case, and what is zero left out. */
export function proxyMetaBody(sources: ReadonlyMap<string, MetaInfo>): Buffer {
  const entries = [...sources].sort(([a], [b]) => compareCodePoints(a, b)).map(proxyMetaEntry);
  return Buffer.from(entries.length === 0 ? '{}\n' : `{"meta":{${entries.join(',')}}}\n`);
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

function metaEntry([id, { count, expired, oldest, newest }]: [string, MetaInfo]): string {
  return (
    `${JSON.stringify(id)}:{"count":"${count}","expired":"${expired}",` +
    `"oldest_timestamp":"${oldest}","newest_timestamp":"${newest}"}`
  );
}

function proxyMetaEntry([id, { count, expired, oldest, newest }]: [string, MetaInfo]): string {
  const fields = [
    ['count', count],
    ['expired', expired],
    ['oldestTimestamp', oldest],
    ['newestTimestamp', newest],
  ] as const;
  const set = fields.filter(([, value]) => value !== 0 && value !== 0n);
  return `${JSON.stringify(id)}:{${set.map(([name, value]) => `"${name}":"${value}"`).join(',')}}`;
}

/** JavaScript compares UTF-16: that differs where a surrogate meets U+E000 to U+FFFF. */
function compareCodePoints(a: string, b: string): number {
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
