/**
 * Asks another node for the series of its own store, or for those that it can get.
 *
 * One of ours gives them as they are. One of the original's answers UNIMPLEMENTED, and is read page
 * by page (page-series.ts). Either has a part of what is left of the query's time.
 */

import * as grpc from '@grpc/grpc-js';
import { seriesService } from '@standpipe/protos';
import type { LogCacheClient } from '../client.ts';
import { LOCAL_KEY } from '../local-key.ts';
import { missingIn } from '../partial.ts';
import type { Patience } from '../patience.ts';
import { isServiceError } from '../refusals.ts';
import { failed } from './errors.ts';
import { canceled } from './pacer.ts';
import { selectByPages } from './page-series.ts';
import type { Pace, Selected, Selection, Series } from './series.ts';
import { decodeSeries, encodeSelection } from './series-wire.ts';

/** A node may take this part of what is left of the query's time, so that others can still answer. */
const DEADLINE_PART = 0.8;

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
  const deadlineMs = Date.now() + leftFor(pace); // For the call and for all pages.
  try {
    try {
      return await client.select(selection, pace, where);
    } catch (error) {
      if (!isServiceError(error)) throw error;
      if (error.code === grpc.status.RESOURCE_EXHAUSTED) throw failed(error.details);
      if (error.code !== grpc.status.UNIMPLEMENTED) throw error;
      return await selectByPages(client, selection, { pace, deadlineMs, ...where });
    }
  } catch (error) {
    // That there is no answer says nothing of the node.
    if (isServiceError(error) && pace.signal.aborted) throw canceled();
    throw error;
  }
}

/** How many milliseconds a node has now. */
function leftFor({ deadlineMs }: Pace): number {
  return Math.max(0, deadlineMs - Date.now()) * DEADLINE_PART;
}

/** The call itself, over a client's connection. */
export async function selectOver(
  client: grpc.Client,
  selection: Selection,
  pace: Pace,
  { local, patience }: SelectOptions,
): Promise<Selected> {
  const { path, requestSerialize, responseDeserialize } = seriesService.select;
  const limitMs = patience.limit(leftFor(pace));
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
