/**
 * What a snapshot has, so that nothing of it is taken from the journal as well.
 *
 * A snapshot that is written while envelopes come in has each source in stretches of time, and of
 * each stretch what had been put by then: an envelope is in it if its ordinal is below the
 * stretch's. Sources that a snapshot does not know have nothing in it.
 *
 *     source a   up to t5: below 700 │ up to t9: below 950 │ later: below 1010
 */

import { type Batch, ByteMap, compareTime, hashBytes } from '@standpipe/protos';

/** All envelopes up to this time, inclusive, that came before this ordinal. */
interface Stretch {
  readonly timeHigh: number;
  readonly timeLow: number;
  readonly ordinal: number;
}

export class Coverage {
  readonly #sources = new ByteMap<Stretch[]>();
  #current: Stretch[] = [];
  /** From this ordinal on nothing is covered. */
  #end = 0;
  /** 1 for each envelope of a batch that is not covered; grows to the largest batch. */
  #missing = new Uint8Array(128);

  get end(): number {
    return this.#end;
  }

  /** The stretches that follow are of this source. */
  beginSource(bytes: Uint8Array, start: number, end: number): void {
    this.#current = [];
    this.#sources.set(bytes, start, end, hashBytes(bytes, start, end), this.#current);
  }

  /** Adds the source's next stretch, which goes on from the one before. */
  addStretch(stretch: Stretch): void {
    const { timeHigh, timeLow, ordinal } = stretch;
    this.#end = Math.max(this.#end, ordinal);
    const last = this.#current.at(-1);
    // Most are of the same moment: one stretch is as good as many.
    if (last?.ordinal === ordinal) this.#current.pop();
    this.#current.push({ timeHigh, timeLow, ordinal });
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
    for (const stretch of this.#sources.get(batch.bytes, start, end, hash) ?? []) {
      if (compareTime(timeHigh, timeLow, stretch.timeHigh, stretch.timeLow) > 0) continue;
      return ordinal < stretch.ordinal;
    }
    return false;
  }
}
