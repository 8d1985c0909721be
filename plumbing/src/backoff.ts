/**
 * How long to wait before the next try, when the last ones failed.
 *
 * Each wait is `factor` times the one before, up to `maxMs`, less a random part: many clients of
 * one server that went away must not all come back at once.
 */

import assert from 'node:assert/strict';

export interface BackoffOptions {
  /** The first wait. */
  readonly firstMs: number;
  /** The longest wait. */
  readonly maxMs: number;
  /** How much longer each wait is than the one before. Default 2. */
  readonly factor?: number;
  /** How much of a wait is random, 0 to 1. Default 0.2: a wait of 1 s is 0.8 s to 1 s. */
  readonly jitter?: number;
  /** Gives numbers from 0 up to 1. Default Math.random. */
  readonly random?: () => number;
}

const DEFAULT_FACTOR = 2;
const DEFAULT_JITTER = 0.2;

export class Backoff {
  readonly #firstMs: number;
  readonly #maxMs: number;
  readonly #factor: number;
  readonly #jitter: number;
  readonly #random: () => number;
  #nextMs: number;

  constructor(options: BackoffOptions) {
    assert(options.firstMs > 0 && options.maxMs >= options.firstMs);
    this.#firstMs = options.firstMs;
    this.#maxMs = options.maxMs;
    this.#factor = options.factor ?? DEFAULT_FACTOR;
    this.#jitter = options.jitter ?? DEFAULT_JITTER;
    this.#random = options.random ?? Math.random;
    this.#nextMs = options.firstMs;
    assert(this.#factor >= 1 && this.#jitter >= 0 && this.#jitter <= 1);
  }

  /** How long to wait now, in milliseconds. */
  next(): number {
    const waitMs = this.#nextMs;
    this.#nextMs = Math.min(this.#maxMs, this.#nextMs * this.#factor);
    return Math.round(waitMs * (1 - this.#jitter * this.#random()));
  }

  /** After a success: the next wait is the first one again. */
  reset(): void {
    this.#nextMs = this.#firstMs;
  }
}
