/**
 * One consumer's subscription to one Doppler: a `plumbing.Doppler/BatchSubscribe` call, and the
 * next one when that has ended.
 *
 * It holds what grpc-js holds for a reader that pauses: at most 16 messages, and 1 MiB in the
 * flow control window of this call alone, so a reader that stands still holds up no other on the
 * same connection. What a Doppler can't send it drops there, and counts.
 */

import type { Client, ClientReadableStream, ServiceError } from '@grpc/grpc-js';
import { dopplerService } from '@standpipe/protos';

export interface DopplerStreamOptions {
  /** An encoded SubscriptionRequest. */
  readonly request: Buffer;
  /** Takes an encoded BatchResponse. */
  readonly accept: (message: Buffer) => void;
}

/** How a call went that is over. */
export interface CallEnd {
  readonly openedAtMs: number;
  readonly error: ServiceError | undefined;
}

export class DopplerStream {
  readonly #request: Buffer;
  readonly #accept: (message: Buffer) => void;
  #call: ClientReadableStream<Buffer> | undefined;
  #paused = false;
  #closed = false;

  constructor(options: DopplerStreamOptions) {
    this.#request = options.request;
    this.#accept = options.accept;
  }

  /** Whether a call is open, or just being opened. */
  get open(): boolean {
    return this.#call !== undefined;
  }

  /** Opens a call. `onEnd` hears when it is over and all that came has been handed on. */
  start(client: Client, nowMs: number, onEnd: (end: CallEnd) => void): void {
    const { path, requestSerialize, responseDeserialize } = dopplerService.batchSubscribe;
    const call = client.makeServerStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      this.#request,
    );
    this.#call = call;
    let error: ServiceError | undefined;

    if (this.#paused) call.pause();
    call.on('data', (message: Buffer) => {
      if (!this.#closed) this.#accept(message);
    });
    call.on('error', (problem: ServiceError) => {
      error = problem;
    });
    call.on('end', () => {
      this.#call = undefined;
      if (!this.#closed) onEnd({ openedAtMs: nowMs, error });
    });
  }

  pause(): void {
    this.#paused = true;
    this.#call?.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#call?.resume();
  }

  /** Cancels the call at once: nothing is accepted after this. */
  close(): void {
    this.#closed = true;
    this.#call?.cancel();
    this.#call = undefined;
  }
}
