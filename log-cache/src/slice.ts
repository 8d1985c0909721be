/**
 * When long work has done enough for now, so that others are served: after SLICE_MS.
 *
 * Hot: asked for each envelope that is looked at. The clock is asked once for LOOKS_MAX of them, or
 * after WORK_MAX of matching (see Pattern).
 */

const SLICE_MS = 4;
const LOOKS_MAX = 256;
const WORK_MAX = 50_000;

export class Slice {
  #overMs = 0;
  #looks = 0;
  #work = 0;

  begin(): void {
    this.#overMs = performance.now() + SLICE_MS;
  }

  /** `work` is what matching has cost in all. */
  isOver(work: number): boolean {
    this.#looks += 1;
    if (this.#looks < LOOKS_MAX && work - this.#work < WORK_MAX) return false;
    this.#looks = 0;
    this.#work = work;
    return performance.now() >= this.#overMs;
  }
}
