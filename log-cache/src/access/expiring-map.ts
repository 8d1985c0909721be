/**
 * A map whose entries are good for a while, and of which there are only so many: one more takes the
 * place of the oldest, and `onEvict` hears of it.
 */

import type { Clock } from '@standpipe/plumbing';

export interface ExpiringMapOptions {
  readonly max: number;
  readonly ageMs: number;
  readonly clock: Clock;
  readonly onEvict: () => void;
}

interface Entry<V> {
  readonly value: V;
  readonly until: number;
}

export class ExpiringMap<V> {
  readonly #options: ExpiringMapOptions;
  /** In the order of their ends, for all are good for the same time. */
  readonly #entries = new Map<string, Entry<V>>();

  constructor(options: ExpiringMapOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: string): V | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    if (entry.until > this.#options.clock.now()) return entry.value;
    this.#entries.delete(key);
    return undefined;
  }

  set(key: string, value: V): void {
    const { clock, ageMs, max, onEvict } = this.#options;
    const now = clock.now();
    this.#entries.delete(key);
    this.#entries.set(key, { value, until: now + ageMs });
    for (const [oldest, { until }] of this.#entries) {
      const isOver = until <= now;
      if (!isOver && this.#entries.size <= max) return;
      this.#entries.delete(oldest);
      if (!isOver) onEvict();
    }
  }

  delete(key: string): void {
    this.#entries.delete(key);
  }
}
