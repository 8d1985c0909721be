/**
 * What may wait for all readers together.
 *
 * Each reader's queue has limits of its own, but hundreds of readers that stall at once would hold
 * gigabytes. When all together hold too much, those for which most waits drop the older half of it,
 * which they count; a reader that keeps up holds nothing and loses nothing.
 *
 * Costs an addition per batch, and a walk over all readers each time that a part of the limit has
 * come in.
 */

export interface Waiting {
  readonly waitingBytes: number;
  /** Drops the older half of what waits, and counts it. */
  dropHalf(): void;
}

/** It is added up each time that this part of the limit has come in. */
const CHECKS = 64;

export class Budget {
  readonly #maxBytes: number;
  readonly #members = new Set<Waiting>();
  #uncheckedBytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  add(member: Waiting): void {
    this.#members.add(member);
  }

  remove(member: Waiting): void {
    this.#members.delete(member);
  }

  /** Hears of what has come in for any of them. */
  spend(byteLength: number): void {
    this.#uncheckedBytes += byteLength;
    if (this.#uncheckedBytes < this.#maxBytes / CHECKS) return;
    this.#uncheckedBytes = 0;
    let waitingBytes = 0;
    for (const member of this.#members) waitingBytes += member.waitingBytes;
    if (waitingBytes > this.#maxBytes) this.#relieve(waitingBytes);
  }

  #relieve(waiting: number): void {
    let waitingBytes = waiting;
    const fullest = [...this.#members].sort((a, b) => b.waitingBytes - a.waitingBytes);
    for (const member of fullest) {
      if (waitingBytes <= this.#maxBytes) return;
      waitingBytes -= member.waitingBytes;
      member.dropHalf();
      waitingBytes += member.waitingBytes;
    }
  }
}
