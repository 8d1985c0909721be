/**
 * How much of what was read is on its way to clients over HTTP.
 *
 * What a client does not take is kept for it, for minutes if it takes a little now and then, and an
 * answer may have many MiB. So there are at most BYTES_MAX of them all: one that is too much is
 * refused with RESOURCE_EXHAUSTED, which is 429 and on which clients ask for less, and counted. The
 * only one is let through, whatever its size.
 */

import { status } from '@grpc/grpc-js';
import type { Counter, Metrics } from '@standpipe/plumbing';
import type { Context } from 'koa';
import { readsRefused } from '../metrics.ts';
import { ReadError } from '../read-error.ts';

const BYTES_MAX = 256 * 2 ** 20;
const TOO_MUCH = 'too much is on its way to those who read slowly: ask for less, or later';

export class AnswersInFlight {
  readonly #maxBytes: number;
  readonly #refused: Counter | undefined;
  #byteLength = 0;

  constructor(metrics: Metrics | undefined, maxBytes: number = BYTES_MAX) {
    this.#maxBytes = maxBytes;
    this.#refused = metrics && readsRefused(metrics);
  }

  /** Begins a request; gives what is to be called with the size of its answer, and may refuse it. */
  begin({ res }: Context): (byteLength: number) => void {
    let held = 0;
    let isClosed = false;
    res.once('close', () => {
      this.#byteLength -= held;
      isClosed = true;
    });
    return (byteLength) => {
      if (isClosed) return;
      if (this.#byteLength > 0 && this.#byteLength + byteLength > this.#maxBytes) {
        this.#refused?.add(1);
        throw new ReadError(status.RESOURCE_EXHAUSTED, TOO_MUCH);
      }
      this.#byteLength += byteLength;
      held += byteLength;
    };
  }
}
