/**
 * Gives other nodes the series of this node's own store, and others those of all:
 * standpipe.v1.SeriesStore.
 *
 * What is on its way to one of them is a response of half a megabyte or so: the next is written when
 * the one before was taken. The samples count in this node's budget until all are gone.
 */

import * as grpc from '@grpc/grpc-js';
import type { GrpcService } from '@standpipe/plumbing';
import { seriesService as definition } from '@standpipe/protos';
import { LOCAL_KEY } from '../local-key.ts';
import { partialTrailer } from '../partial.ts';
import { statusOf } from '../status-of.ts';
import { deadlineOf } from '../until.ts';
import { QueryError } from './errors.ts';
import { Pacer, type SampleBudget } from './pacer.ts';
import type { SeriesSource } from './series.ts';
import { decodeSelection, encodeSeries } from './series-wire.ts';

type Call = grpc.ServerWritableStream<Buffer, Buffer>;

export interface SeriesServiceOptions {
  /** What this node holds, and what all hold. */
  readonly local: SeriesSource;
  readonly cluster: SeriesSource;
  readonly budget: SampleBudget;
  readonly timeoutMs: number;
}

export function seriesService(options: SeriesServiceOptions): GrpcService {
  return {
    definition,
    implementation: {
      select: (call: Call): void => {
        serve(call, options).then(
          (unreachable) => call.end(partialTrailer(unreachable)),
          (error: unknown) => call.emit('error', failure(error)),
        );
      },
    },
  };
}

/** Resolves with the nodes that could not be asked. */
async function serve(
  call: Call,
  { local, cluster, budget, timeoutMs }: SeriesServiceOptions,
): Promise<readonly string[]> {
  const gone = new AbortController();
  for (const ending of ['cancelled', 'close', 'error']) call.on(ending, () => gone.abort());
  // Who asks here may give more of the query's time than is left of it where it came from.
  const leftMs = (deadlineOf(call) ?? Number.POSITIVE_INFINITY) - Date.now();
  using pace = new Pacer({
    budget,
    timeoutMs: Math.min(timeoutMs, leftMs),
    signal: gone.signal,
  });
  const source = call.metadata.get(LOCAL_KEY).includes('true') ? local : cluster;
  const { series, unreachable } = await source.select(decodeSelection(call.request), pace);
  for (const response of encodeSeries(series)) {
    if (!call.write(response)) await drained(call, gone.signal);
    await pace.pause();
  }
  return unreachable;
}

/** Until the other end has taken what was written, or has gone. */
function drained(call: Call, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      call.off('drain', done);
      signal.removeEventListener('abort', done);
      resolve();
    };
    call.on('drain', done);
    signal.addEventListener('abort', done);
    if (signal.aborted) done();
  });
}

function failure(error: unknown): Partial<grpc.StatusObject> {
  if (!(error instanceof QueryError)) return statusOf(error);
  const codes = {
    canceled: grpc.status.CANCELLED,
    timeout: grpc.status.DEADLINE_EXCEEDED,
    execution: grpc.status.RESOURCE_EXHAUSTED,
    bad_data: grpc.status.INVALID_ARGUMENT,
    internal: grpc.status.INTERNAL,
  };
  return { code: codes[error.type], details: error.message };
}
