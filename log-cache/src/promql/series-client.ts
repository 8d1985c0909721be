/**
 * Asks another node for the series of its own store, or for those that it can get.
 *
 * One of ours gives them as they are. One of the original's answers UNIMPLEMENTED, and is read page
 * by page, as the original's own PromQL does: envelopes of a thousand at a time, each next page from
 * the last timestamp plus one.
 */

import * as grpc from '@grpc/grpc-js';
import { Batch, Kind, nowNanoseconds, scanBatch, seriesService } from '@standpipe/protos';
import type { LogCacheClient } from '../client.ts';
import { LOCAL_KEY } from '../local-key.ts';
import { missingIn } from '../partial.ts';
import type { Patience } from '../patience.ts';
import { readRequest } from '../reader.ts';
import { isServiceError } from '../refusals.ts';
import { Collector } from './collector.ts';
import { failed } from './errors.ts';
import { METRIC_NAME, SOURCE_ID } from './names.ts';
import { canceled } from './pacer.ts';
import type { Pace, Selected, Selection, Series } from './series.ts';
import { decodeSeries, encodeSelection } from './series-wire.ts';
import { sourcesOf } from './sources.ts';
import { secondMsOf } from './whole-seconds.ts';

/** A node may take this part of what is left of the query's time, so that others can still answer. */
const DEADLINE_PART = 0.8;
const PAGE_COUNT = 1000;
const NANOSECONDS_PER_MS = 1_000_000n;
const INT64_MIN = -(2n ** 63n);

/** Whose series are wanted: the node's own, or, as it finds them, all. */
export interface Where {
  readonly local: boolean;
}

interface SelectOptions extends Where {
  /** With the node: one that hangs does not have the query's time once more. */
  readonly patience: Patience;
}

const HERE: Where = { local: true };

type AskedClient = Pick<LogCacheClient, 'select' | 'ask' | 'meta'>;

/** Rejects with a QueryError, or with a ServiceError when the node can't be asked. */
export async function selectFrom(
  client: AskedClient,
  selection: Selection,
  pace: Pace,
  where: Where = HERE,
): Promise<Selected> {
  try {
    return await client.select(selection, pace, where);
  } catch (error) {
    if (!isServiceError(error)) throw error;
    if (error.code === grpc.status.UNIMPLEMENTED) {
      return selectByPages(client, selection, { pace, where });
    }
    if (pace.signal.aborted) throw canceled();
    if (error.code === grpc.status.RESOURCE_EXHAUSTED) throw failed(error.details);
    throw error;
  }
}

/** The call itself, over a client's connection. */
export async function selectOver(
  client: grpc.Client,
  selection: Selection,
  pace: Pace,
  { local, patience }: SelectOptions,
): Promise<Selected> {
  const { path, requestSerialize, responseDeserialize } = seriesService.select;
  const leftMs = Math.max(0, pace.deadlineMs - Date.now());
  const limitMs = patience.limit(leftMs * DEADLINE_PART);
  const askedMs = performance.now();
  const request = encodeSelection(selection);
  const metadata = new grpc.Metadata();
  if (local) metadata.set(LOCAL_KEY, 'true');
  const call = client.makeServerStreamRequest(
    path,
    requestSerialize,
    responseDeserialize,
    request,
    metadata,
    { deadline: Date.now() + limitMs },
  );
  let unreachable: readonly string[] = [];
  let isSilent = true;
  call.on('status', ({ code, metadata: trailer }) => {
    unreachable = missingIn(trailer);
    if (!isSilent) return;
    // Whoever leaves after a long time has waited in vain, too.
    if (code === grpc.status.DEADLINE_EXCEEDED) patience.ranOut(limitMs);
    else if (code === grpc.status.CANCELLED) patience.ranOut(performance.now() - askedMs);
    else patience.answered();
  });
  const cancel = (): void => call.cancel();
  pace.signal.addEventListener('abort', cancel, { once: true });
  const parts: Series[] = [];
  try {
    for await (const response of call) {
      if (isSilent) patience.answered();
      isSilent = false;
      for (const part of decodeSeries(response)) {
        pace.hold(part.times.length);
        parts.push(part);
      }
    }
  } finally {
    pace.signal.removeEventListener('abort', cancel);
    call.cancel(); // Nothing more is wanted, however this ended.
  }
  return { series: joined(parts), unreachable };
}

/** Parts of one series follow one another. */
function joined(parts: readonly Series[]): Series[] {
  const series: Series[][] = [];
  let key: string | undefined;
  for (const part of parts) {
    if (part.labels.key === key) series.at(-1)?.push(part);
    else series.push([part]);
    key = part.labels.key;
  }
  return series.flatMap((same) => {
    const [first] = same;
    if (first === undefined || same.length === 1) return same;
    const times = concatenated(same.map((part) => part.times));
    return [{ ...first, times, values: concatenated(same.map((part) => part.values)) }];
  });
}

function concatenated(columns: readonly Float64Array[]): Float64Array {
  const all = new Float64Array(columns.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const column of columns) {
    all.set(column, at);
    at += column.length;
  }
  return all;
}

/** The original's nodes do not tell who is missing in their answers. */
async function selectByPages(
  client: AskedClient,
  selection: Selection,
  how: { readonly pace: Pace; readonly where: Where },
): Promise<Selected> {
  const collector = new Collector(selection);
  const matchers = selection.matchers.filter(({ name }) => name === SOURCE_ID);
  const ids = sourcesOf(selection) ?? (await client.meta(how.where.local)).sources.keys();
  for (const id of ids) {
    if (matchers.every((matcher) => matcher.matches(id))) {
      await readPages(client, id, { selection, collector, ...how });
    }
  }
  return { series: await collector.take(how.pace), unreachable: [] };
}

async function readPages(
  client: AskedClient,
  sourceId: string,
  into: {
    readonly selection: Selection;
    readonly collector: Collector;
    readonly pace: Pace;
    readonly where: Where;
  },
): Promise<void> {
  const { selection, collector, pace, where } = into;
  const kinds = [Kind.log, Kind.counter, Kind.gauge, Kind.timer];
  const end = nanosecondsOf(selection.endMs) + 1000n * NANOSECONDS_PER_MS;
  const now = nowNanoseconds();
  const page = new Batch();
  const request = {
    endTime: end < now ? end : now,
    limit: BigInt(PAGE_COUNT),
    envelopeTypes: kinds.filter((kind) => ((1 << kind) & collector.kinds) !== 0),
    nameFilter: nameFilterOf(selection, collector),
  };
  let startTime = collector.wantsLogs ? INT64_MIN : nanosecondsOf(selection.startMs);
  while (startTime <= request.endTime) {
    const fields = { ...request, startTime };
    const found = await client.ask(readRequest(sourceId, fields), where);
    const held = collector.count;
    scanBatch(found.batch.bytes, page); // The client has scanned it before.
    for (let index = 0; index < page.count; index += 1) {
      // Below the count.
      const start = page.start[index] as number;
      const finish = page.end[index] as number;
      const timeMs = secondMsOf(page.timeHigh[index] as number, page.timeLow[index] as number);
      if (timeMs > selection.endMs) continue;
      collector.add(page.bytes, start, finish, page.kind[index] as number, timeMs);
    }
    pace.hold(collector.count - held);
    await pace.pause();
    if (page.count < PAGE_COUNT) return;
    startTime = page.timestamp(page.count - 1) + 1n;
  }
}

/** An expression that lets no name pass but those that sanitised are the wanted one. */
function nameFilterOf({ matchers }: Selection, { wantsLogs }: Collector): string {
  const name = matchers.find((matcher) => matcher.name === METRIC_NAME && matcher.op === '=');
  return name === undefined || wantsLogs ? '' : `^${name.value.replaceAll('_', '.')}$`;
}

function nanosecondsOf(ms: number): bigint {
  const nanoseconds = BigInt(Math.floor(ms / 1000) * 1000) * NANOSECONDS_PER_MS;
  return nanoseconds < INT64_MIN ? INT64_MIN : nanoseconds;
}
