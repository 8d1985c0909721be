/** What several tests of this workspace need: batches made of little, and what came out of them. */

import { Metrics } from '@standpipe/plumbing';
import {
  Batch,
  joinTime,
  loggregator,
  type PackedBatch,
  scanBatch,
  splitTime,
} from '@standpipe/protos';
import { encodeBatch, longOf, numberedLog } from '@standpipe/protos/testing';
import { LocalReader } from './local-reader.ts';
import type { MetaInfo } from './meta-info.ts';
import { type ReadRequest, readRequest } from './reader.ts';
import { Store, type StoreOptions } from './store.ts';

export type EnvelopeInit = loggregator.v2.IEnvelope;

export function batchOf(inits: readonly EnvelopeInit[]): Batch {
  return scanned(encodeBatch(inits));
}

export function scanned(bytes: Buffer): Batch {
  const batch = new Batch();
  if (!scanBatch(bytes, batch)) throw new Error(batch.mistake);
  return batch;
}

/** A log of `source` whose payload is `line N`; N is the time, unless it is given. */
export function line(
  source: string,
  time: number | bigint,
  n: number = Number(time),
): EnvelopeInit {
  return numberedLog(source, n, BigInt(time));
}

export function counter(source: string, time: number, name: string): EnvelopeInit {
  return { source_id: source, timestamp: longOf(BigInt(time)), counter: { name, delta: 1 } };
}

export function timer(source: string, time: number, name: string): EnvelopeInit {
  return { source_id: source, timestamp: longOf(BigInt(time)), timer: { name, start: 1, stop: 2 } };
}

export function event(source: string, time: number, title: string): EnvelopeInit {
  return { source_id: source, timestamp: longOf(BigInt(time)), event: { title, body: 'b' } };
}

export function gauge(source: string, time: number, ...names: readonly string[]): EnvelopeInit {
  const metrics = Object.fromEntries(names.map((name) => [name, { unit: 'u', value: 1 }]));
  return {
    source_id: source,
    timestamp: longOf(BigInt(time)),
    tags: { a: 'b' },
    gauge: { metrics },
  };
}

export function decoded(batch: PackedBatch): loggregator.v2.Envelope[] {
  const { batch: envelopes } = loggregator.v2.EnvelopeBatch.decode(batch.bytes);
  return envelopes.map((envelope) => loggregator.v2.Envelope.create(envelope));
}

/** The numbers in the payloads of numbered logs. */
export function numbers(batch: PackedBatch): number[] {
  return decoded(batch).map(({ log }) =>
    Number(
      Buffer.from(log?.payload ?? '')
        .toString()
        .slice(5),
    ),
  );
}

export function times(batch: PackedBatch): number[] {
  return decoded(batch).map(({ timestamp }) => Number(timestamp));
}

/** With times as BigInts, as tests like to write them. */
export interface Told {
  readonly count: number;
  readonly expired: number;
  readonly oldest: bigint;
  readonly newest: bigint;
}

const NOTHING: Told = { count: 0, expired: 0, oldest: 0n, newest: 0n };

export function metaOf({ count, expired, oldest, newest }: Told): MetaInfo {
  return {
    count,
    expired,
    oldestHigh: splitTime(oldest).high,
    oldestLow: splitTime(oldest).low | 0,
    newestHigh: splitTime(newest).high,
    newestLow: splitTime(newest).low | 0,
  };
}

/** What is told of a source; of one that is not there, that it never had anything. */
export function told(info: MetaInfo = metaOf(NOTHING)): Told {
  const { count, expired, oldestHigh, oldestLow, newestHigh, newestLow } = info;
  const oldest = joinTime(oldestHigh, oldestLow);
  return { count, expired, oldest, newest: joinTime(newestHigh, newestLow) };
}

export interface TestStore {
  readonly store: Store;
  readonly reader: LocalReader;
  readonly metrics: Metrics;
  put(...inits: readonly EnvelopeInit[]): void;
  /** Reads with all fields at their defaults but these. */
  read(source: string, fields?: Partial<ReadRequest>): Promise<PackedBatch>;
}

export function testStore(
  options: Omit<StoreOptions, 'metrics'> & {
    readonly searchMs?: number;
    readonly sliceMs?: number;
  } = {},
): TestStore {
  const { searchMs = 60_000, sliceMs, ...rest } = options; // A busy machine is no reason to fail.
  const metrics = new Metrics({ origin: 'test' });
  const store = new Store({ memoryLimitBytes: 4 * 2 ** 20, ...rest, metrics });
  const reader = new LocalReader({
    store,
    metrics,
    searchMs,
    ...(sliceMs !== undefined && { sliceMs }),
  });
  return {
    store,
    reader,
    metrics,
    put: (...inits) => store.put(batchOf(inits)),
    read: async (source, fields) => (await reader.read(readRequest(source, fields))).batch,
  };
}

/** The value of a metric, whatever its labels. */
export function metricOf(metrics: Metrics, name: string): number | undefined {
  return [...metrics.series()].find((series) => series.name === name)?.value;
}
