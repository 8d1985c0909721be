/**
 * Reads a node's own store.
 *
 * A read costs a look at each envelope in the range until the limit is reached, and one copy of
 * what is returned. Nearly all are done in one turn of the event loop, and see the store as it is at
 * one moment. One that has long to look is done in slices of a few milliseconds, between which
 * envelopes are put and expire: it never gives one twice, nor leaves out one that was there all the
 * time. An answer that would not fit a message is refused with RESOURCE_EXHAUSTED, on which clients
 * ask for less; a single run of equal timestamps may be such an answer. So is a search that is not
 * over after SEARCH_MS_MAX, and an expression that takes too long. Whose asker has left is given up
 * at the end of its slice.
 */

import { status } from '@grpc/grpc-js';
import type { Counter, Metrics } from '@standpipe/plumbing';
import { BatchBuilder, nowNanoseconds, PackedBatch } from '@standpipe/protos';
import { AnswersInFlight } from './answers-in-flight.ts';
import type { Cursor } from './cursor.ts';
import { joined } from './joined.ts';
import { metaDraft } from './meta-info.ts';
import { MetaTable } from './meta-table.ts';
import { egressMetric } from './metrics.ts';
import { SlowFilterError } from './pattern.ts';
import { canceled } from './read-error.ts';
import {
  type MetaResult,
  type Query,
  queryOf,
  ReadError,
  type Reader,
  type ReadRequest,
  type ReadResult,
} from './reader.ts';
import { SLICE_BYTES, Slice } from './slice.ts';
import type { Store } from './store.ts';
import { Turns } from './turns.ts';
import type { Until } from './until.ts';
import { Walk } from './walk.ts';

/** Below the time that other nodes wait for an answer. */
const SEARCH_MS_MAX = 4000;
const TOO_LONG = 'the search takes too long: ask for a shorter time, or for less';

export const EMPTY_BATCH: PackedBatch = new PackedBatch(Buffer.alloc(0), 0);

export class LocalReader implements Reader {
  readonly #store: Store;
  readonly #egress: Counter;
  readonly #builder = new BatchBuilder();
  readonly #turns = new Turns();

  readonly #searchMs: number;
  readonly #sliceMs: number | undefined;
  readonly #answers: AnswersInFlight;

  constructor(options: {
    readonly store: Store;
    readonly metrics: Metrics;
    /** How long a search may take in all, others' turns included. Default 4 s. */
    readonly searchMs?: number;
    /** How long meta goes on before others are served. Default 4 ms. */
    readonly sliceMs?: number;
    /** Bounds what is gathered for all who read at a time. */
    readonly answers?: AnswersInFlight;
  }) {
    this.#store = options.store;
    this.#searchMs = options.searchMs ?? SEARCH_MS_MAX;
    this.#sliceMs = options.sliceMs;
    this.#answers = options.answers ?? new AnswersInFlight();
    this.#egress = egressMetric(options.metrics);
  }

  async read(request: ReadRequest, { gone }: Until = {}): Promise<ReadResult> {
    const query = queryOf(request, nowNanoseconds());
    const batch = await this.#gather(request.sourceId, query, gone);
    this.#egress.add(batch.count);
    return { batch, unreachable: [] };
  }

  async meta(_localOnly = true): Promise<MetaResult> {
    // Those that are there now: one that is forgotten in a pause may come anew, and is told once.
    const all = [...this.#store.sources];
    const sources = new MetaTable(all.length);
    const info = metaDraft();
    const slice = new Slice(this.#sliceMs);
    slice.begin();
    for (const source of all) {
      if (source.count > 0) sources.add(source.id, source.meta(info));
      if (!slice.isOver(0)) continue;
      await this.#turns.next();
      slice.begin();
    }
    return { sources, unreachable: [] };
  }

  async #gather(sourceId: string, query: Query, gone?: AbortSignal): Promise<PackedBatch> {
    const walk = new Walk(query);
    const overMs = performance.now() + this.#searchMs;
    const pieces: PackedBatch[] = [];
    using hold = this.#answers.begin();
    for (;;) {
      const cursor = this.#store.cursor(sourceId);
      if (cursor === undefined) break; // It is not known, or was forgotten meanwhile.
      const isOver = this.#walk(walk, cursor);
      const piece = this.#builder.take();
      pieces.push(piece);
      hold.resize(hold.byteLength + piece.byteLength);
      if (isOver) break;
      // What gives this much is no search that looks in vain, and is over when it has given enough.
      const isSearch = piece.byteLength < SLICE_BYTES;
      if (isSearch && performance.now() > overMs)
        throw new ReadError(status.RESOURCE_EXHAUSTED, TOO_LONG);
      await this.#turns.next();
      if (gone?.aborted) throw canceled();
    }
    const [first = EMPTY_BATCH, ...more] = pieces;
    if (more.length === 0) return first;
    const count = pieces.reduce((sum, piece) => sum + piece.count, 0);
    return new PackedBatch(await joined(pieces.map(({ bytes }) => bytes)), count);
  }

  #walk(walk: Walk, cursor: Cursor): boolean {
    try {
      return walk.go(cursor, this.#builder);
    } catch (error) {
      this.#builder.take(); // What it holds is nobody's answer.
      if (!(error instanceof SlowFilterError)) throw error;
      throw new ReadError(status.RESOURCE_EXHAUSTED, error.message, { cause: error });
    }
  }
}
