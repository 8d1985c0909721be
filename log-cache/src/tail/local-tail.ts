/**
 * One reader's tail of a source in this node's store.
 *
 *     backlog ──▶ replay ──▶ intake ──▶ reader
 *     older       missed     as it comes
 *
 * The reader takes what it can; what comes meanwhile waits in the intake from the beginning. So each
 * envelope is given once: by the backlog, if it came before the place where the tail goes on and
 * had not been given there; by the replay, if it came between then and now; by the intake, since.
 */

import { type Batch, BatchBuilder, PackedBatch } from '@standpipe/protos';
import { EnvelopeFilter } from '../envelope-filter.ts';
import type { Store } from '../store.ts';
import type { Turns } from '../turns.ts';
import type { Arrivals } from './arrivals.ts';
import { Backlog } from './backlog.ts';
import { Intake } from './intake.ts';
import { Replay } from './replay.ts';
import type { Chunk, Gap, GapReason, Place, Tail, TailRequest } from './tail.ts';

/** A chunk of more is given in pieces: one message may have 10 MiB. */
const PIECE_BYTES_MAX = 1024 * 1024;
/** So many different times are kept apart while a tail catches up; one that needs more gives up. */
const LATER_MAX = 100_000;
const NOTHING = new PackedBatch(Buffer.alloc(0), 0);
const MIN_TIME = -(2n ** 63n);

export interface LocalTailOptions {
  readonly store: Store;
  readonly turns: Turns;
  readonly request: TailRequest;
  /** The count of arrivals, and its name. */
  readonly arrivals: Arrivals;
  readonly run: string;
  /** Nanoseconds since 1970. */
  readonly now: bigint;
  readonly onDrop: (count: number) => void;
  readonly onClose: (tail: LocalTail) => void;
}

export class LocalTail implements Tail {
  readonly #options: LocalTailOptions;
  readonly #filter: EnvelopeFilter;
  readonly #start: bigint | undefined;
  readonly #builder = new BatchBuilder();
  readonly #intake: Intake;
  /** While it catches up: how many came later than what was given, by time. */
  readonly #later: Map<bigint, number>;
  #backlog: Backlog | undefined;
  #replay: Replay | undefined;
  #gaps: Gap[] = [];
  #arrival: number;
  #time: bigint;
  #error: unknown;

  /** Throws a ReadError that says what is wrong with the request. */
  constructor(options: LocalTailOptions) {
    const { request, run, arrivals, now, onDrop } = options;
    const { read, after } = request;
    this.#options = options;
    this.#filter = new EnvelopeFilter(read);
    this.#start = request.backlog ? read.startTime : undefined;
    this.#intake = new Intake({ filter: new EnvelopeFilter(read), start: this.#start, onDrop });

    const last = arrivals.next - 1;
    const known = after?.run === run && arrivals.knowsAfter(after.arrival) ? after : undefined;
    this.#arrival = known?.arrival ?? last;
    this.#time = after?.time ?? (this.#start === undefined ? now : this.#start - 1n);
    this.#later = arrivals.countFrom(this.#arrival + 1);
    this.#openBacklog(known);
    if (this.#arrival < last) this.#openReplay(last);
    if (after !== undefined && known === undefined) this.#addGap('unknown', undefined);
  }

  /** Takes those rows of a batch that are of this source; the last of them is the last arrival. */
  offer(batch: Batch, rows: readonly number[]): void {
    try {
      if (this.#isCatchingUp) for (const row of rows) this.#countLater(batch.timestamp(row));
      this.#intake.add(batch, rows, this.#options.arrivals.next - rows.length);
    } catch (error) {
      this.#error = error; // Whoever reads is told.
      this.close();
    }
  }

  close(): void {
    this.#intake.close();
    this.#options.onClose(this);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Chunk> {
    try {
      yield this.#chunk(NOTHING);
      while (!this.#intake.closed) {
        if (this.#isCatchingUp) {
          const chunk = this.#catchUp();
          if (chunk.batch.count > 0 || chunk.gaps.length > 0) yield* pieces(chunk);
          await this.#options.turns.next();
        } else {
          await this.#intake.whenReady();
          yield* pieces(this.#takeLive());
        }
      }
      if (this.#error !== undefined) throw this.#error;
    } finally {
      this.close();
    }
  }

  get #isCatchingUp(): boolean {
    return this.#backlog !== undefined || this.#replay !== undefined;
  }

  #openBacklog(known: Place | undefined): void {
    const { store, request } = this.#options;
    const { read, after } = request;
    let from = this.#start;
    if (known !== undefined) from = known.backlog;
    else if (after !== undefined) from = later(after.backlog ?? after.time + 1n, this.#start);
    if (from === undefined) return;
    this.#backlog = new Backlog({
      store,
      sourceId: read.sourceId,
      filter: this.#filter,
      later: this.#later,
      from,
      isKnown: known !== undefined && known.time >= (this.#start ?? MIN_TIME),
    });
  }

  #openReplay(last: number): void {
    const { store, request, arrivals } = this.#options;
    this.#replay = new Replay({
      store,
      sourceId: request.read.sourceId,
      filter: this.#filter,
      arrivals,
      later: this.#later,
      start: this.#start ?? MIN_TIME,
      first: this.#arrival + 1,
      last,
    });
  }

  #catchUp(): Chunk {
    try {
      if (this.#backlog !== undefined) this.#takeBacklog(this.#backlog);
      else if (this.#replay !== undefined) this.#takeReplay(this.#replay);
    } catch (error) {
      this.#error = error;
      this.close();
    }
    if (!this.#isCatchingUp) this.#later.clear();
    return this.#chunk(this.#builder.take());
  }

  #takeBacklog(backlog: Backlog): void {
    const isOver = backlog.take(this.#builder);
    if (backlog.hasLost) this.#addGap('expired', undefined);
    this.#passed(backlog.time);
    if (isOver) this.#backlog = undefined;
  }

  #takeReplay(replay: Replay): void {
    const isOver = replay.take(this.#builder);
    if (replay.expired > 0) this.#addGap('expired', replay.expired);
    this.#passed(replay.time);
    this.#arrival = replay.next - 1;
    if (isOver) this.#replay = undefined;
  }

  #takeLive(): Chunk {
    const dropped = this.#intake.takeDropped();
    if (dropped > 0) this.#addGap('slow', dropped);
    const arrived = this.#intake.take();
    if (arrived === undefined) return this.#chunk(NOTHING);
    this.#arrival = arrived.arrival;
    this.#passed(arrived.time);
    return this.#chunk(arrived.batch);
  }

  #chunk(batch: PackedBatch): Chunk {
    const gaps = this.#gaps;
    this.#gaps = [];
    const { run } = this.#options;
    const place = { run, arrival: this.#arrival, time: this.#time, backlog: this.#backlog?.at };
    return { batch, place, gaps };
  }

  #passed(time: bigint | undefined): void {
    if (time !== undefined && time > this.#time) this.#time = time;
  }

  #addGap(reason: GapReason, count: number | undefined): void {
    this.#gaps.push({ reason, count, after: this.#time });
  }

  /** A tail that has so much to keep apart is slower than what comes: it goes on from here. */
  #countLater(time: bigint): void {
    this.#later.set(time, (this.#later.get(time) ?? 0) + 1);
    if (this.#later.size <= LATER_MAX) return;
    if (this.#isCatchingUp) this.#addGap('slow', undefined);
    this.#backlog = undefined;
    this.#replay = undefined;
    this.#later.clear();
  }
}

/** The chunk itself, or as many as fit messages; the place is behind the last of them. */
function* pieces({ batch, place, gaps }: Chunk): Generator<Chunk> {
  if (batch.byteLength <= PIECE_BYTES_MAX || batch.count < 2) {
    yield { batch, place, gaps };
    return;
  }
  const half = batch.count >> 1;
  yield* pieces({ batch: batch.first(half), place: undefined, gaps });
  yield* pieces({ batch: batch.withoutFirst(half), place, gaps: [] });
}

function later(a: bigint, b: bigint | undefined): bigint {
  return b === undefined || a > b ? a : b;
}
