/** Which of the numbered lines have arrived, and how often: each must, exactly once. */

import { loggregator, type PackedBatch } from '@standpipe/protos';
import { numberOf } from '@standpipe/protos/testing';

export class Numbers {
  readonly #seen = new Map<number, number>();

  /** Notes a number; anything else (undefined) is not one of ours. */
  add(number: number | undefined): void {
    if (number !== undefined) this.#seen.set(number, (this.#seen.get(number) ?? 0) + 1);
  }

  /** Notes the numbered logs of an encoded batch. */
  addBatch(bytes: PackedBatch['bytes']): void {
    for (const { log } of loggregator.v2.EnvelopeBatch.decode(bytes).batch) {
      this.add(numberOf(log?.payload));
    }
  }

  /** Notes all that another has seen, once. */
  addSeen(other: Numbers): void {
    for (const number of other.#seen.keys()) if (!this.#seen.has(number)) this.add(number);
  }

  /** How many different numbers have arrived. */
  get size(): number {
    return this.#seen.size;
  }

  /** Whether a number like this has arrived. */
  hasAny(isOne: (number: number) => boolean): boolean {
    for (const number of this.#seen.keys()) if (isOne(number)) return true;
    return false;
  }

  /** The numbers that arrived more than once. */
  repeated(): number[] {
    return [...this.#seen].filter(([, times]) => times > 1).map(([number]) => number);
  }

  /** Of the numbers from 0 up to `count`, those that have not arrived. */
  missing(count: number): number[] {
    return Array.from({ length: count }, (_, number) => number).filter((n) => !this.#seen.has(n));
  }
}
