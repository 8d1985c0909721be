/**
 * Reads a node's own store.
 *
 * A read is done in one turn of the event loop, so it sees the store as it is at one moment. It
 * costs a look at each envelope in the range until the limit is reached, and one copy of what is
 * returned. An answer that would not fit a message is refused with RESOURCE_EXHAUSTED, on which
 * clients ask for less; a single run of equal timestamps may be such an answer. So is a name filter
 * that takes longer than a second.
 */

import { status } from '@grpc/grpc-js';
import { type Counter, MAX_MESSAGE_BYTES, type Metrics } from '@standpipe/plumbing';
import { BatchBuilder, compareTime, nowNanoseconds, PackedBatch } from '@standpipe/protos';
import type { Cursor } from './cursor.ts';
import { egressMetric } from './metrics.ts';
import { SlowFilterError } from './name-filter.ts';
import {
  type MetaResult,
  type Query,
  queryOf,
  ReadError,
  type Reader,
  type ReadRequest,
  type ReadResult,
} from './reader.ts';
import type { Store } from './store.ts';

/** What a response's own framing needs at most. */
const FRAMING_BYTES = 16;
const READ_BYTES_MAX = MAX_MESSAGE_BYTES - FRAMING_BYTES;

export const EMPTY_BATCH: PackedBatch = new PackedBatch(Buffer.alloc(0), 0);

export class LocalReader implements Reader {
  readonly #store: Store;
  readonly #egress: Counter;
  readonly #builder = new BatchBuilder();

  constructor(options: { readonly store: Store; readonly metrics: Metrics }) {
    this.#store = options.store;
    this.#egress = egressMetric(options.metrics);
  }

  // Async, so that what is wrong with a request rejects, as it does over a cluster.
  async read(request: ReadRequest): Promise<ReadResult> {
    const query = queryOf(request, nowNanoseconds());
    const cursor = this.#store.cursor(request.sourceId);
    if (cursor === undefined) return { batch: EMPTY_BATCH, unreachable: [] };
    const batch = this.#gatherWithin(cursor, query);
    this.#egress.add(batch.count);
    return { batch, unreachable: [] };
  }

  async meta(_localOnly = true): Promise<MetaResult> {
    return { sources: this.#store.meta(), unreachable: [] };
  }

  #gatherWithin(cursor: Cursor, query: Query): PackedBatch {
    try {
      return this.#gather(cursor, query);
    } catch (error) {
      this.#builder.take(); // What it holds is nobody's answer.
      if (!(error instanceof SlowFilterError)) throw error;
      throw new ReadError(status.RESOURCE_EXHAUSTED, error.message, { cause: error });
    }
  }

  #gather(cursor: Cursor, query: Query): PackedBatch {
    const builder = this.#builder;
    const { descending } = query;
    const from = descending ? query.end : query.start;
    let lastHigh = 0;
    let lastLow = 0;

    cursor.seek(from.high, from.low);
    while (descending ? cursor.previous() : cursor.next()) {
      const { timeHigh, timeLow } = cursor;
      if (isOutside(query, timeHigh, timeLow)) break;
      const isSameTime = timeHigh === lastHigh && timeLow === lastLow;
      if (builder.count >= query.limit && !isSameTime) break;
      if (!this.#select(cursor, query)) continue;
      lastHigh = timeHigh;
      lastLow = timeLow;
      if (builder.byteLength > READ_BYTES_MAX) throw tooLarge(builder.byteLength);
    }
    return builder.take();
  }

  #select(cursor: Cursor, { kinds, names }: Query): boolean {
    if (((1 << cursor.kind) & kinds) === 0) return false;
    if (names !== undefined) return names.select(cursor.bytes, cursor, this.#builder);
    this.#builder.addSlice(cursor.bytes, cursor.start, cursor.end);
    return true;
  }
}

function isOutside({ start, end, descending }: Query, high: number, low: number): boolean {
  if (descending) return compareTime(high, low, start.high, start.low) < 0;
  return compareTime(high, low, end.high, end.low) >= 0;
}

function tooLarge(byteLength: number): ReadError {
  return new ReadError(
    status.RESOURCE_EXHAUSTED,
    `grpc: received message larger than max (${byteLength} vs. ${READ_BYTES_MAX})`,
  );
}
