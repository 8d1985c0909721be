/**
 * Whether an instance may log a line now, given how many bytes a second it may log.
 *
 * It may save up to a second's worth. A line longer than what is saved is admitted as long as
 * anything is, and the debt is paid off before the next: otherwise a line longer than a second's
 * worth would never pass.
 */

import { performance } from 'node:perf_hooks';

export class LogRate {
  readonly bytesPerSecond: number | undefined;
  readonly #now: () => number;
  #saved: number;
  #countedAt: number;

  /** Undefined is no limit; 0 admits nothing. `now` is in milliseconds. */
  constructor(bytesPerSecond: number | undefined, now: () => number = () => performance.now()) {
    this.bytesPerSecond = bytesPerSecond;
    this.#now = now;
    this.#saved = bytesPerSecond ?? 0;
    this.#countedAt = bytesPerSecond === undefined ? 0 : now();
  }

  admits(bytes: number): boolean {
    const rate = this.bytesPerSecond;
    if (rate === undefined) return true;
    const now = this.#now();
    this.#saved = Math.min(rate, this.#saved + ((now - this.#countedAt) / 1000) * rate);
    this.#countedAt = now;
    if (this.#saved <= 0) return false;
    this.#saved -= bytes;
    return true;
  }
}
