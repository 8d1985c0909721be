/**
 * The tails of this node's store: who follows which source, and how its envelopes are counted.
 *
 *     put ──▶ store
 *         └─▶ hub ──▶ source a: arrivals ──▶ tail, tail
 *                └──▶ source b: arrivals    (nobody now; remembered for ten minutes)
 *
 * Only sources that are tailed, or were a short while ago, are looked for: with none, a put costs
 * one comparison. A source's arrivals are remembered after its last tail has left, so that a reader
 * who comes back misses nothing.
 *
 * Hot: a look-up for each envelope, while there are tails.
 */

import { randomBytes } from 'node:crypto';
import { status } from '@grpc/grpc-js';
import type { Counter, Metrics } from '@standpipe/plumbing';
import { type Batch, ByteMap, nowNanoseconds } from '@standpipe/protos';
import { tailDropped, tailsGauge, tailsRefused } from '../metrics.ts';
import { ReadError } from '../read-error.ts';
import type { Store } from '../store.ts';
import { Turns } from '../turns.ts';
import { Arrivals } from './arrivals.ts';
import { LocalTail } from './local-tail.ts';
import type { Tail, TailRequest } from './tail.ts';

const TAILS_MAX = 1000;
const SOURCES_MAX = 500;
/** How long a source is remembered that nobody tails. */
const IDLE_MS = 10 * 60_000;

interface Tailed {
  readonly id: string;
  /** Names the count of arrivals: it is begun anew when the source was forgotten. */
  readonly run: string;
  readonly arrivals: Arrivals;
  readonly tails: Set<LocalTail>;
  /** Runs while nobody tails it. */
  idle: NodeJS.Timeout | undefined;
  /** Its rows in the batch that is being put. */
  readonly rows: number[];
}

export class TailHub implements Disposable {
  readonly #store: Store;
  readonly #dropped: Counter;
  readonly #refused: Counter;
  readonly #turns = new Turns();
  readonly #bySource = new ByteMap<Tailed>();
  /** The same once more, the longest idle first. */
  readonly #idle = new Set<Tailed>();
  readonly #tails = new Set<LocalTail>();

  constructor({ store, metrics }: { readonly store: Store; readonly metrics: Metrics }) {
    this.#store = store;
    this.#dropped = tailDropped(metrics);
    this.#refused = tailsRefused(metrics, 'node');
    tailsGauge(metrics, () => this.#tails.size);
  }

  /** Begins a tail. Throws a ReadError for a bad request, and when there are too many. */
  open(request: TailRequest): Tail {
    if (this.#tails.size >= TAILS_MAX) throw this.#tooMany('tails', TAILS_MAX);
    const tailed = this.#tailedOf(request.read.sourceId);
    try {
      const tail = new LocalTail({
        store: this.#store,
        turns: this.#turns,
        request,
        arrivals: tailed.arrivals,
        run: tailed.run,
        now: nowNanoseconds(),
        onDrop: (count) => this.#dropped.add(count),
        onClose: (closed) => this.#leave(tailed, closed),
      });
      this.#enter(tailed, tail);
      return tail;
    } catch (error) {
      if (tailed.tails.size === 0) this.#rest(tailed);
      throw error;
    }
  }

  /** Tells of a batch that was put into the store just now: of those with a 1 in `mine`, if given. */
  put(batch: Batch, mine?: Uint8Array): void {
    if (this.#bySource.size === 0) return;
    const touched: Tailed[] = [];
    for (let index = 0; index < batch.count; index += 1) {
      if (mine !== undefined && mine[index] !== 1) continue;
      // The columns are read below the batch's count.
      const tailed = this.#bySource.get(
        batch.bytes,
        batch.sourceStart[index] as number,
        batch.sourceEnd[index] as number,
        batch.sourceHash[index] as number,
      );
      if (tailed === undefined) continue;
      tailed.arrivals.add(batch.timeHigh[index] as number, batch.timeLow[index] as number);
      if (tailed.rows.length === 0) touched.push(tailed);
      tailed.rows.push(index);
    }
    for (const { tails, rows } of touched) {
      for (const tail of tails) tail.offer(batch, rows);
      rows.length = 0;
    }
  }

  [Symbol.dispose](): void {
    for (const tail of this.#tails) tail.close();
    for (const tailed of this.#idle) this.#forget(tailed);
  }

  #tailedOf(id: string): Tailed {
    const known = this.#bySource.getString(id);
    if (known !== undefined) return known;
    if (this.#bySource.size >= SOURCES_MAX) {
      const [longest] = this.#idle;
      if (longest === undefined) throw this.#tooMany('sources that are tailed', SOURCES_MAX);
      this.#forget(longest);
    }
    const run = randomBytes(6).toString('base64url');
    const tails = new Set<LocalTail>();
    const tailed = { id, run, arrivals: new Arrivals(), tails, idle: undefined, rows: [] };
    this.#bySource.setString(id, tailed);
    return tailed;
  }

  #enter(tailed: Tailed, tail: LocalTail): void {
    clearTimeout(tailed.idle);
    this.#idle.delete(tailed);
    tailed.tails.add(tail);
    this.#tails.add(tail);
  }

  #leave(tailed: Tailed, tail: LocalTail): void {
    if (!this.#tails.delete(tail)) return;
    tailed.tails.delete(tail);
    if (tailed.tails.size === 0) this.#rest(tailed);
  }

  #rest(tailed: Tailed): void {
    clearTimeout(tailed.idle);
    tailed.idle = setTimeout(() => this.#forget(tailed), IDLE_MS).unref();
    this.#idle.delete(tailed);
    this.#idle.add(tailed);
  }

  #forget(tailed: Tailed): void {
    clearTimeout(tailed.idle);
    this.#idle.delete(tailed);
    this.#bySource.deleteString(tailed.id);
  }

  #tooMany(what: string, most: number): ReadError {
    this.#refused.add(1);
    return new ReadError(status.RESOURCE_EXHAUSTED, `there are ${most} ${what} already`);
  }
}
