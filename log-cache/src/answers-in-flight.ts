/**
 * How much of what was read is held until others have taken it.
 *
 *     store ──▶ gathered ──┐
 *     another node's ──────┴─▶ waits for other zones ──▶ written ──▶ waits for its client ──▶ gone
 *     ├── a hold ─────────┤├── another ───────────────┤├── another ───────────────────────┤
 *
 * What a client does not take is kept for it, for minutes if it takes a little now and then, and an
 * answer may have 50 MiB. So there are at most BYTES_MAX of them all: one that is too much is refused
 * with RESOURCE_EXHAUSTED, which is 429 over HTTP and on which clients ask for less, and counted. The
 * only one is let through, whatever its size. What is made into something else counts once, though
 * for a while there are both.
 */

import { status } from '@grpc/grpc-js';
import type { Counter, Metrics } from '@standpipe/plumbing';
import { readsRefused } from './metrics.ts';
import { type Carrier, onceClosed } from './once-closed.ts';
import { ReadError } from './read-error.ts';

const BYTES_MAX = 256 * 2 ** 20;
const TOO_MUCH = 'too much is on its way to those who read slowly: ask for less, or later';

/** What one answer holds. */
export interface Hold extends Disposable {
  readonly byteLength: number;
  /** Says how much it is by now. Throws a ReadError, if that is too much. */
  resize(byteLength: number): void;
}

export class AnswersInFlight {
  readonly #maxBytes: number;
  readonly #refused: Counter | undefined;
  #byteLength = 0;

  constructor(metrics?: Metrics, maxBytes: number = BYTES_MAX) {
    this.#maxBytes = maxBytes;
    this.#refused = metrics && readsRefused(metrics);
  }

  /** How much all hold together. */
  get byteLength(): number {
    return this.#byteLength;
  }

  /** Begins an answer, which holds nothing yet. */
  begin(): Hold {
    let held = 0;
    let isOver = false;
    return {
      get byteLength(): number {
        return held;
      },
      resize: (byteLength) => {
        if (isOver) return;
        const others = this.#byteLength - held;
        if (others > 0 && byteLength > held && others + byteLength > this.#maxBytes) {
          this.#refused?.add(1);
          throw new ReadError(status.RESOURCE_EXHAUSTED, TOO_MUCH);
        }
        this.#byteLength = others + byteLength;
        held = byteLength;
      },
      [Symbol.dispose]: () => {
        if (!isOver) this.#byteLength -= held;
        isOver = true;
      },
    };
  }

  /** The same, until what carries it to its client has closed. */
  beginWith(carrier: Carrier): Hold {
    const hold = this.begin();
    onceClosed(carrier, () => hold[Symbol.dispose]());
    return hold;
  }
}
