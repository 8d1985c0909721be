/**
 * Reads with `contains`, `matches` or `tag` from a node that may not know them.
 *
 * One of ours applies them before its limit, and says so. The original's passes over what it doesn't
 * know and answers with anything: then its history is read page by page and filtered here, up to
 * PAGES_MAX pages, for each costs such a node some 25 CPU-ms. What lies beyond them is not searched,
 * nor, descending, what lies before 1970, and the answer is said not to be whole.
 */

import {
  Batch,
  BatchBuilder,
  joinTime,
  nowNanoseconds,
  type PackedBatch,
  scanBatch,
} from '@standpipe/protos';
import type { LogCacheClient, ReadOptions } from './client.ts';
import { asksForMore, rowOf } from './envelope-filter.ts';
import { checkReadBytes } from './message-limit.ts';
import { type Query, queryOf, type ReadRequest } from './reader.ts';

const PAGES_MAX = 10;
const PAGE_COUNT = 1000;

export interface SearchResult {
  readonly batch: PackedBatch;
  /** False, when there may be more that should have been in the answer. */
  readonly isWhole: boolean;
  /** Nodes that whoever was asked could not ask, as ZONE/INDEX. */
  readonly unreachable: readonly string[];
}

/** What a node has in its own store, if `local` is asked for, else what it gets for any client. */
export async function readFrom(
  client: Pick<LogCacheClient, 'ask'>,
  request: ReadRequest,
  options: ReadOptions,
): Promise<SearchResult> {
  const { batch, filtered, unreachable } = await client.ask(request, options);
  if (filtered || !asksForMore(request)) return { batch, isWhole: true, unreachable };

  const query = queryOf(request, nowNanoseconds());
  const search = new PagedSearch(query);
  let page: ReadRequest = {
    ...request,
    contains: '',
    matches: '',
    tags: [],
    limit: BigInt(query.limit),
  };
  let found = batch;
  for (let pages = 1; ; pages += 1) {
    const next = search.take(found, page);
    if (next === undefined) return { batch: search.result(), isWhole: true, unreachable };
    // An end of 0 is now, so what came before it can't be asked for.
    const isLast = pages === PAGES_MAX || (page.descending && next.endTime === 0n);
    if (isLast) return { batch: search.result(), isWhole: false, unreachable };
    page = next;
    ({ batch: found } = await client.ask(page, options));
  }
}

class PagedSearch {
  readonly #query: Query;
  readonly #into = new BatchBuilder();
  readonly #page = new Batch();

  constructor(query: Query) {
    this.#query = query;
  }

  result(): PackedBatch {
    return this.#into.take();
  }

  /** Takes from a page what passes; returns what to ask for next, or nothing when all is found. */
  take(found: PackedBatch, asked: ReadRequest): ReadRequest | undefined {
    const { filter, limit, descending } = this.#query;
    const page = this.#page;
    scanBatch(found.bytes, page); // The client has scanned it before.
    filter.restart();
    let last: bigint | undefined;
    for (let index = 0; index < page.count; index += 1) {
      const time = page.timestamp(index);
      if (this.#into.count >= limit && time !== last) return undefined;
      if (!filter.select(rowOf(page, index), this.#into)) continue;
      last = time;
      checkReadBytes(this.#into.byteLength);
    }
    if (page.count < asked.limit) return undefined;
    const end = joinTime(page.timeHigh[page.count - 1] ?? 0, page.timeLow[page.count - 1] ?? 0);
    if (descending && end <= asked.startTime) return undefined;
    const bounds = descending ? { endTime: end } : { startTime: end + 1n };
    return { ...asked, ...bounds, limit: BigInt(PAGE_COUNT) };
  }
}
