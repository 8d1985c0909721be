/**
 * Tails through one Log Cache node of ours, which follows whoever owns the source in each zone.
 *
 * A node that goes away is said to be missing, by its address, and tried again and again; when it is
 * back the tail goes on at the places that it had come to. What the node tells, gaps and who is missing
 * behind it, is passed on. The original's nodes have no tails: such a one is UNIMPLEMENTED.
 */

import { setTimeout as wait } from 'node:timers/promises';
import { status } from '@grpc/grpc-js';
import { Backoff, type Log } from '@standpipe/plumbing';
import { nowNanoseconds, PackedBatch } from '@standpipe/protos';
import type { LogCacheClient } from '../client.ts';
import { MalformedError } from '../messages.ts';
import { ReadError } from '../read-error.ts';
import { isServiceError, reasonOf, refusalOf } from '../refusals.ts';
import type { Place, Tails, ZoneChunk, ZonesRequest } from '../tail/tail.ts';

const RETRY = { firstMs: 100, maxMs: 3000 };
const NOTHING = new PackedBatch(Buffer.alloc(0), 0);
const NO_TAILS = 'the log cache behind this gateway has no tails';

export interface NodeTailsOptions {
  readonly client: Pick<LogCacheClient, 'tail'>;
  readonly address: string;
  readonly log: Log;
}

export class NodeTails implements Tails, Disposable {
  readonly #options: NodeTailsOptions;
  readonly #open = new Set<AbortController>();
  #isClosed = false;

  constructor(options: NodeTailsOptions) {
    this.#options = options;
  }

  async *tail(request: ZonesRequest, gone: AbortSignal): AsyncGenerator<ZoneChunk> {
    if (this.#isClosed || gone.aborted) return;
    const ending = new AbortController();
    const end = (): void => ending.abort();
    gone.addEventListener('abort', end, { once: true });
    this.#open.add(ending);
    try {
      yield* this.#follow(request, ending.signal);
    } finally {
      gone.removeEventListener('abort', end);
      this.#open.delete(ending);
      end();
    }
  }

  /** Ends all tails, and those that are opened from here on. */
  [Symbol.dispose](): void {
    this.#isClosed = true;
    for (const ending of this.#open) ending.abort();
  }

  async *#follow(request: ZonesRequest, ending: AbortSignal): AsyncGenerator<ZoneChunk> {
    const { address } = this.#options;
    const openedAt = nowNanoseconds();
    const after = new Map<string, Place>(request.after);
    const backoff = new Backoff(RETRY);
    let asked: ZonesRequest = { ...request, after };
    let isMissing = false;
    while (!ending.aborted) {
      for await (const chunk of this.#once(asked, ending)) {
        backoff.reset();
        // That it is back is told with the first that it gives.
        yield isMissing && chunk.missing === undefined ? { ...chunk, missing: [] } : chunk;
        isMissing = false;
        if (chunk.place !== undefined) after.set(chunk.zone, chunk.place);
      }
      if (ending.aborted) return;
      if (!isMissing) yield missing(address);
      isMissing = true;
      await wait(backoff.next(), undefined, { signal: ending }).catch(() => undefined);
      asked = sinceOpened(request, after, openedAt);
    }
  }

  /** What the node gives until it ends, or can't be reached. Rejects with its refusal. */
  async *#once(request: ZonesRequest, gone: AbortSignal): AsyncGenerator<ZoneChunk> {
    const { client, address, log } = this.#options;
    try {
      yield* client.tail(request, { local: false, gone });
    } catch (error) {
      const refusal = refusalOf(error);
      if (refusal !== undefined) throw refusal;
      if (!isServiceError(error) && !(error instanceof MalformedError)) throw error;
      if (isServiceError(error) && error.code === status.UNIMPLEMENTED) {
        throw new ReadError(status.UNIMPLEMENTED, NO_TAILS, { cause: error });
      }
      const reason = isServiceError(error) ? reasonOf(error) : error.message;
      log.limited('tail', 'warn', { address, reason }, 'a source can not be followed at the node');
    }
  }
}

/**
 * A tail that has come to no place yet is given what came since it was opened. Otherwise a zone whose
 * owner was missing all the time begins with what comes, as it would have when it was back.
 */
function sinceOpened(
  { read, backlog }: ZonesRequest,
  after: ReadonlyMap<string, Place>,
  openedAt: bigint,
): ZonesRequest {
  if (backlog || after.size > 0) return { read, backlog, after };
  return { read: { ...read, startTime: openedAt }, backlog: true, after };
}

function missing(address: string): ZoneChunk {
  return { zone: '', batch: NOTHING, place: undefined, gaps: [], missing: [address] };
}
