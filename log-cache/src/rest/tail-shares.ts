/**
 * How many tails one client has at this door.
 *
 * An owner gives a thousand of them in all. So that one client, who opens ever more, leaves some to
 * the others, each has SHARE_MAX here: one more is refused with RESOURCE_EXHAUSTED, which is 429,
 * and counted.
 */

import { status } from '@grpc/grpc-js';
import type { Counter, Metrics } from '@standpipe/plumbing';
import { tailsRefused } from '../metrics.ts';
import { ReadError } from '../read-error.ts';

const SHARE_MAX = 100;

export class TailShares {
  readonly #refused: Counter | undefined;
  readonly #byClient = new Map<string, number>();

  constructor(metrics?: Metrics) {
    this.#refused = metrics && tailsRefused(metrics, 'client');
  }

  /** How many clients have tails. */
  get size(): number {
    return this.#byClient.size;
  }

  /** Takes one for a client, until what is returned is disposed of. Throws a ReadError. */
  take(client: string): Disposable {
    const count = this.#byClient.get(client) ?? 0;
    if (count >= SHARE_MAX) {
      this.#refused?.add(1);
      throw new ReadError(status.RESOURCE_EXHAUSTED, `you have ${SHARE_MAX} tails already`);
    }
    this.#byClient.set(client, count + 1);
    return { [Symbol.dispose]: () => this.#give(client) };
  }

  #give(client: string): void {
    const count = this.#byClient.get(client) ?? 0;
    if (count > 1) this.#byClient.set(client, count - 1);
    else this.#byClient.delete(client);
  }
}
