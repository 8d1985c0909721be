/**
 * What a snapshot has, so that nothing of it is taken from the journal as well.
 *
 * A snapshot that is written while envelopes come in has each source in stretches of time, and of
 * each stretch what had been put by then: an envelope is in it if its ordinal is below the
 * stretch's. Sources that a snapshot does not know have nothing in it; nor have those that it leaves
 * to the journal, of which it says how many had been put: what is not found there had expired.
 *
 *     source a   up to t5: below 700 │ up to t9: below 950 │ later: below 1010
 *     source b   left: 2300 below 960
 */

import { type Batch, ByteMap, compareTime, hashBytes } from '@standpipe/protos';

/** All envelopes up to this time, inclusive, that came before this ordinal. */
interface Stretch {
  readonly timeHigh: number;
  readonly timeLow: number;
  readonly ordinal: number;
}

/** A source whose envelopes the snapshot leaves to the journal. */
export interface LeftSource {
  readonly id: string;
  /** How many of its envelopes had been put below this ordinal, */
  readonly ordinal: number;
  readonly total: number;
  /** and how many of those were found. */
  found: number;
}

interface Covered {
  readonly stretches: Stretch[];
  left: LeftSource | undefined;
}

export class Coverage {
  readonly #sources = new ByteMap<Covered>();
  readonly #left: LeftSource[] = [];
  #current: Covered = { stretches: [], left: undefined };
  /** From this ordinal on nothing is covered. */
  #end = 0;
  /** 1 for each envelope of a batch that is not covered; grows to the largest batch. */
  #missing = new Uint8Array(128);

  get end(): number {
    return this.#end;
  }

  /** The sources that are left to the journal. */
  get left(): readonly LeftSource[] {
    return this.#left;
  }

  /** What follows is of this source. */
  beginSource(bytes: Uint8Array, start: number, end: number): void {
    this.#current = { stretches: [], left: undefined };
    this.#sources.set(bytes, start, end, hashBytes(bytes, start, end), this.#current);
  }

  /** Adds the source's next stretch, which goes on from the one before. */
  addStretch(stretch: Stretch): void {
    const { timeHigh, timeLow, ordinal } = stretch;
    this.#end = Math.max(this.#end, ordinal);
    const { stretches } = this.#current;
    // Most are of the same moment: one stretch is as good as many.
    if (stretches.at(-1)?.ordinal === ordinal) stretches.pop();
    stretches.push({ timeHigh, timeLow, ordinal });
  }

  /** Leaves the source to the journal. */
  leave(source: Omit<LeftSource, 'found'>): void {
    this.#end = Math.max(this.#end, source.ordinal);
    this.#current.left = { ...source, found: 0 };
    this.#left.push(this.#current.left);
  }

  /**
   * Marks what is not covered of a batch whose first envelope has this ordinal: undefined is all of
   * it. The marks hold until the next call.
   */
  missing(batch: Batch, ordinal: number): Uint8Array | undefined {
    if (ordinal >= this.#end) return undefined;
    if (batch.count > this.#missing.length) this.#missing = new Uint8Array(batch.count);
    for (let index = 0; index < batch.count; index += 1) {
      this.#missing[index] = this.#has(batch, index, ordinal + index) ? 0 : 1;
    }
    return this.#missing;
  }

  #has(batch: Batch, index: number, ordinal: number): boolean {
    // Below the batch's count.
    const start = batch.sourceStart[index] as number;
    const end = batch.sourceEnd[index] as number;
    const hash = batch.sourceHash[index] as number;
    const timeHigh = batch.timeHigh[index] as number;
    const timeLow = batch.timeLow[index] as number;
    const covered = this.#sources.get(batch.bytes, start, end, hash);
    if (covered === undefined) return false;
    if (covered.left !== undefined) {
      if (ordinal < covered.left.ordinal) covered.left.found += 1;
      return false;
    }
    for (const stretch of covered.stretches) {
      if (compareTime(timeHigh, timeLow, stretch.timeHigh, stretch.timeLow) > 0) continue;
      return ordinal < stretch.ordinal;
    }
    return false;
  }
}
