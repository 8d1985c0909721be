/**
 * When long work has done enough for now, so that others are served: after SLICE_MS.
 *
 * A walk can be left only where the time changes, so a run of equal times may hold it for longer: for
 * RUN_MS_MAX, and then it is refused.
 *
 * Hot: asked for each envelope that is looked at. The clock is asked once for LOOKS_MAX of them, or
 * after WORK_MAX of matching (see Pattern).
 */

import { status } from '@grpc/grpc-js';
import { ReadError } from './read-error.ts';

/** What a slice gathers, more or less: a copy of more takes its time. */
export const SLICE_BYTES: number = 1024 * 1024;

const SLICE_MS = 4;
const RUN_MS_MAX = 1000;
const LOOKS_MAX = 256;
const WORK_MAX = 50_000;

export class Slice {
  readonly #sliceMs: number;
  #startMs = 0;
  /** As of the last time that the clock was asked. */
  #elapsedMs = 0;
  #looks = 0;
  #work = 0;

  constructor(sliceMs: number = SLICE_MS) {
    this.#sliceMs = sliceMs;
  }

  begin(): void {
    this.#startMs = performance.now();
    this.#elapsedMs = 0;
  }

  /** `work` is what matching has cost in all. */
  isOver(work: number): boolean {
    this.#looks += 1;
    if (this.#looks >= LOOKS_MAX || work - this.#work >= WORK_MAX) {
      this.#looks = 0;
      this.#work = work;
      this.#elapsedMs = performance.now() - this.#startMs;
    }
    return this.#elapsedMs >= this.#sliceMs;
  }

  /** Lets work that is over, but amid a run, go on for a while; throws a ReadError after that. */
  goOn(): void {
    if (this.#elapsedMs < RUN_MS_MAX) return;
    throw new ReadError(
      status.RESOURCE_EXHAUSTED,
      'the search takes too long: too many envelopes have one and the same time',
    );
  }
}
