/**
 * Passes things from several who give to one who takes: each giver waits until its own was taken.
 *
 * So at most one thing for each giver stands here, and a slow taker holds all of them back.
 */

interface Offer<T> {
  readonly value: T;
  readonly taken: () => void;
}

export class Handoff<T> {
  readonly #offers: Offer<T>[] = [];
  #closed = false;
  #wake: (() => void) | undefined;

  /** Resolves when it was taken; at once, and for nothing, when this is closed. */
  give(value: T): Promise<void> {
    if (this.#closed) return Promise.resolve();
    return new Promise((taken) => {
      this.#offers.push({ value, taken });
      this.#wakeUp();
    });
  }

  /** The next thing; undefined when this is closed. */
  async take(): Promise<T | undefined> {
    while (this.#offers.length === 0 && !this.#closed) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const offer = this.#closed ? undefined : this.#offers.shift();
    offer?.taken();
    return offer?.value;
  }

  close(): void {
    this.#closed = true;
    for (const { taken } of this.#offers.splice(0)) taken();
    this.#wakeUp();
  }

  #wakeUp(): void {
    this.#wake?.();
    this.#wake = undefined;
  }
}
