/**
 * Something that is asked for at most once a second: whoever comes meanwhile gets the same.
 *
 * For meta, which costs a look at every source: that all get the same map also lets its bytes be
 * written once (meta-bytes.ts).
 */

const AGE_MAX_MS = 1000;

export class Cached<T> {
  readonly #load: () => Promise<T>;
  readonly #now: () => number;
  #value: Promise<T> | undefined;
  #loadedAt = 0;

  constructor(load: () => Promise<T>, now: () => number) {
    this.#load = load;
    this.#now = now;
  }

  get(): Promise<T> {
    // Below zero when the clock was set back.
    const ageMs = this.#now() - this.#loadedAt;
    if (this.#value && ageMs >= 0 && ageMs < AGE_MAX_MS) return this.#value;
    const value = this.#load().catch((error: unknown) => {
      if (this.#value === value) this.#value = undefined; // A failure is not kept.
      throw error;
    });
    this.#value = value;
    this.#loadedAt = this.#now();
    return value;
  }
}
