/** Subscribes to Dopplers, by one stream or by many, and counts what comes. */

import { createHistogram, type Histogram } from 'node:perf_hooks';
import { dial, readTls } from '@standpipe/plumbing';
import {
  Batch,
  dopplerService,
  egressService,
  FieldReader,
  joinTime,
  loggregator,
  nowNanoseconds,
  plumbing,
  type RawMethod,
  scanBatch,
} from '@standpipe/protos';
import { type ReadCommand, type ReadOptions, type Report, sourceOf } from '../worker.ts';
import { fail, optionsOf, serve } from './serve.ts';

/** The field of EnvelopeBatch and of BatchResponse that holds an envelope. */
const ENVELOPE = 1;

type Connection = ReturnType<typeof dial>;

const { peers, tls: files, protocol, ...options } = optionsOf<ReadOptions>();
const tls = readTls(files);
const fields = new FieldReader();
const batch = new Batch();
const histogram = options.times ? createHistogram() : undefined;
let envelopes = 0;

for (const { address, serverName } of peers) {
  const connect = (): Connection => dial({ address, tls, serverName });
  for (let index = 0; index < (options.firehoses ?? 0); index += 1) {
    open(connect(), '', `bench ${index}`);
  }
  const common = options.appStreams === undefined ? undefined : connect();
  for (let index = 0; common && index < (options.appStreams ?? 0); index += 1) {
    open(common, sourceOf(index), '');
  }
}

serve<ReadCommand>(({ forgetTimes = false }) => {
  if (forgetTimes) histogram?.reset();
  return report();
});

function open(connection: Connection, source: string, shard: string): void {
  const { method, request } =
    protocol === 'v1' ? requestV1(source, shard) : requestV2(source, shard);
  const { path, requestSerialize, responseDeserialize } = method;
  connection
    .makeServerStreamRequest(path, requestSerialize, responseDeserialize, Buffer.from(request))
    .on('data', histogram ? (message) => time(message, histogram) : count)
    .on('error', fail('the stream of the reader'));
}

function report(): Report {
  if (!histogram || histogram.count === 0) return { envelopes };
  const [p50Ms, p99Ms] = [histogram.percentile(50) / 1000, histogram.percentile(99) / 1000];
  return { envelopes, p50Ms, p99Ms };
}

function count(message: Buffer): void {
  fields.over(message, 0, message.length);
  while (fields.next()) if (fields.field === ENVELOPE) envelopes += 1;
}

/** Counts, and takes how long ago each envelope says that it happened, in microseconds. */
function time(message: Buffer, into: Histogram & { record(microseconds: number): void }): void {
  if (!scanBatch(message, batch)) throw new Error(batch.mistake);
  envelopes += batch.count;
  const now = nowNanoseconds();
  for (let index = 0; index < batch.count; index += 1) {
    const then = joinTime(batch.timeHigh[index] ?? 0, batch.timeLow[index] ?? 0);
    into.record(Math.max(1, Math.round(Number(now - then) / 1000)));
  }
}

interface Subscription {
  readonly method: RawMethod;
  readonly request: Uint8Array;
}

function requestV2(source: string, shard: string): Subscription {
  const kinds = [{ log: {} }, { counter: {} }, { gauge: {} }, { timer: {} }, { event: {} }];
  const request = loggregator.v2.EgressBatchRequest.encode({
    shard_id: shard,
    use_preferred_tags: true,
    selectors: kinds.map((kind) => ({ source_id: source, ...kind })),
  }).finish();
  return { method: egressService.batchedReceiver, request };
}

function requestV1(source: string, shard: string): Subscription {
  const request = plumbing.SubscriptionRequest.encode({
    shardID: shard,
    filter: source === '' ? null : { appID: source },
  }).finish();
  return { method: dopplerService.batchSubscribe, request };
}
