/**
 * The series of a node of the original's, which knows only `Read` and `Meta`.
 *
 *     sources, 8 side by side ──▶ pages of a thousand envelopes ──▶ one collector
 *
 * It is read page by page, as the original's own PromQL does: each next page from the last timestamp
 * plus one. A page that is too large for a message is asked for again, half as long, down to a single
 * envelope. All pages together have the time that one call for series would have: a node that is slow or
 * hangs fails with DEADLINE_EXCEEDED, while its asker still has time for what others gave. Of one that
 * fails nothing is kept, nor held.
 *
 * The samples count as those of any query; of the pages themselves eight are in memory, each of 50 MiB
 * at most and commonly of less than one.
 */

import { status } from '@grpc/grpc-js';
import { Batch, Kind, nowNanoseconds, scanBatch } from '@standpipe/protos';
import type { LogCacheClient } from '../client.ts';
import { type ReadRequest, readRequest } from '../reader.ts';
import { isServiceError } from '../refusals.ts';
import type { Until } from '../until.ts';
import { Collector } from './collector.ts';
import { METRIC_NAME, SOURCE_ID } from './names.ts';
import type { Pace, Selected, Selection } from './series.ts';
import { sourcesOf } from './sources.ts';
import { secondMsOf } from './whole-seconds.ts';

const PAGE_COUNT = 1000;
/** Most of a page's time is the way to the node, and the node's own. */
const SOURCES_AT_ONCE = 8;
const NANOSECONDS_PER_MS = 1_000_000n;
const INT64_MIN = -(2n ** 63n);
const KINDS = [Kind.log, Kind.counter, Kind.gauge, Kind.timer];

export type PagedClient = Pick<LogCacheClient, 'ask' | 'meta'>;

export interface PageOptions {
  readonly pace: Pace;
  /** Whether the node's own store is wanted, or what it gets for any client. */
  readonly local: boolean;
  /** When the node has had its time; milliseconds since 1970. */
  readonly deadlineMs: number;
}

/** Rejects with a QueryError, or with a ServiceError. The original's do not tell who is missing. */
export async function selectByPages(
  client: PagedClient,
  selection: Selection,
  options: PageOptions,
): Promise<Selected> {
  const { pace } = options;
  const end = new AbortController();
  const abort = (): void => end.abort();
  pace.signal.addEventListener('abort', abort, { once: true });
  if (pace.signal.aborted) abort();
  const reading = new PagedReading(client, selection, { ...options, gone: end.signal });
  let first: { readonly error: unknown } | undefined;
  const failWith = (error: unknown): void => {
    first ??= { error };
    abort(); // The others read in vain.
  };
  try {
    const ids = await reading.sourceIds();
    const readers = Array.from({ length: SOURCES_AT_ONCE }, () => reading.readAll(ids));
    await Promise.all(readers.map((reader) => reader.catch(failWith)));
  } catch (error) {
    failWith(error);
  } finally {
    pace.signal.removeEventListener('abort', abort);
  }
  if (first === undefined) return { series: await reading.take(), unreachable: [] };
  reading.release();
  throw first.error;
}

class PagedReading {
  readonly #client: PagedClient;
  readonly #selection: Selection;
  readonly #pace: Pace;
  readonly #how: Until & { readonly local: boolean };
  readonly #collector: Collector;
  readonly #page = new Batch();
  #held = 0;

  constructor(client: PagedClient, selection: Selection, options: PageOptions & Until) {
    const { pace, local, deadlineMs, gone } = options;
    this.#client = client;
    this.#selection = selection;
    this.#pace = pace;
    this.#how = { local, deadlineMs, gone };
    this.#collector = new Collector(selection);
  }

  /** Those that are to be read, for several readers to take turn by turn. */
  async sourceIds(): Promise<Iterable<string>> {
    const { local, ...until } = this.#how;
    const ids =
      sourcesOf(this.#selection) ?? (await this.#client.meta(local, until)).sources.keys();
    const matchers = this.#selection.matchers.filter(({ name }) => name === SOURCE_ID);
    return wanted(ids, (id) => matchers.every((matcher) => matcher.matches(id)));
  }

  async readAll(ids: Iterable<string>): Promise<void> {
    for (const id of ids) await this.#readSource(id);
  }

  async #readSource(sourceId: string): Promise<void> {
    const { startMs, endMs } = this.#selection;
    const { kinds, wantsLogs } = this.#collector;
    const end = nanosecondsOf(endMs) + 1000n * NANOSECONDS_PER_MS;
    const now = nowNanoseconds();
    const request = readRequest(sourceId, {
      endTime: end < now ? end : now,
      envelopeTypes: KINDS.filter((kind) => ((1 << kind) & kinds) !== 0),
      nameFilter: this.#nameFilter(),
    });
    let startTime = wantsLogs ? INT64_MIN : nanosecondsOf(startMs);
    let limit = PAGE_COUNT;
    while (startTime <= request.endTime) {
      const found = await this.#ask({ ...request, startTime, limit: BigInt(limit) });
      if (found === undefined) {
        limit = Math.ceil(limit / 2);
        continue;
      }
      const { count, lastTime } = this.#collect(found);
      await this.#pace.pause();
      if (count < limit) return;
      // A node orders what has one time by a time that it makes up: the last may be an older one.
      startTime = (lastTime < startTime ? startTime : lastTime) + 1n;
    }
  }

  /** The envelopes of a page; undefined, when it is to be a smaller one. */
  async #ask(request: ReadRequest): Promise<Buffer | undefined> {
    try {
      return (await this.#client.ask(request, this.#how)).batch.bytes;
    } catch (error) {
      const isTooLarge = isServiceError(error) && error.code === status.RESOURCE_EXHAUSTED;
      if (isTooLarge && request.limit > 1n) return undefined;
      throw error;
    }
  }

  /** Without a pause: the page is that of all readers. */
  #collect(envelopes: Buffer): { readonly count: number; readonly lastTime: bigint } {
    const page = this.#page;
    const collector = this.#collector;
    const before = collector.count;
    scanBatch(envelopes, page); // The client has scanned it before.
    for (let index = 0; index < page.count; index += 1) {
      // Below the count.
      const start = page.start[index] as number;
      const end = page.end[index] as number;
      const timeMs = secondMsOf(page.timeHigh[index] as number, page.timeLow[index] as number);
      if (timeMs > this.#selection.endMs) continue;
      collector.add(page.bytes, start, end, page.kind[index] as number, timeMs);
    }
    const samples = collector.count - before;
    this.#pace.hold(samples);
    this.#held += samples;
    const { count } = page;
    return { count, lastTime: count === 0 ? INT64_MIN : page.timestamp(count - 1) };
  }

  take(): ReturnType<Collector['take']> {
    return this.#collector.take(this.#pace);
  }

  /** Gives back what was collected and is not wanted; of a query that is over nothing is held. */
  release(): void {
    if (!this.#pace.signal.aborted) this.#pace.hold(-this.#held);
  }

  /** An expression that lets no name pass but those that sanitised are the wanted one. */
  #nameFilter(): string {
    const name = this.#selection.matchers.find(
      (matcher) => matcher.name === METRIC_NAME && matcher.op === '=',
    );
    if (name === undefined || this.#collector.wantsLogs) return '';
    return `^${name.value.replaceAll('_', '.')}$`;
  }
}

function* wanted(
  ids: Iterable<string>,
  isWanted: (id: string) => boolean,
): Generator<string, void, undefined> {
  for (const id of ids) if (isWanted(id)) yield id;
}

function nanosecondsOf(ms: number): bigint {
  const nanoseconds = BigInt(Math.floor(ms / 1000) * 1000) * NANOSECONDS_PER_MS;
  return nanoseconds < INT64_MIN ? INT64_MIN : nanoseconds;
}
