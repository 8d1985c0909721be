/** Members that a test changes. */

import type { Members, Zone } from './discovery.ts';

export class ManualMembers implements Members {
  #zones: readonly Zone[];
  readonly #listeners = new Set<(zones: readonly Zone[]) => void>();

  constructor(zones: readonly Zone[]) {
    this.#zones = zones;
  }

  get zones(): readonly Zone[] {
    return this.#zones;
  }

  get addresses(): readonly string[] {
    return this.#zones.flatMap(({ addresses }) => addresses);
  }

  /** How many listen. */
  get listeners(): number {
    return this.#listeners.size;
  }

  set(zones: readonly Zone[]): void {
    this.#zones = zones;
    for (const listener of this.#listeners) listener(zones);
  }

  onChange(listener: (zones: readonly Zone[]) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  [Symbol.dispose](): void {
    this.#listeners.clear();
  }
}
