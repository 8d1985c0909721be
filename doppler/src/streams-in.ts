/**
 * The client streams that bring envelopes in, of v1 and v2 alike: each read message by message
 * until it ends, breaks, brings something that ends it, or the Doppler stops.
 */

import { type ServerReadableStream, type sendUnaryData, status } from '@grpc/grpc-js';

/** How a call ends; with no code, well. */
export interface Ending {
  readonly code: status;
  readonly details: string;
}

export interface StreamHandler {
  /** Takes one message. What it returns ends the call, and nothing more is read from it. */
  readonly onMessage: (bytes: Buffer) => Ending | undefined;
  /** How the call ends when the client has closed its half. */
  readonly onEnd: () => Ending | undefined;
}

const STOPPING: Ending = { code: status.UNAVAILABLE, details: 'the doppler is shutting down' };
const EMPTY = Buffer.alloc(0);

export class StreamsIn {
  readonly #open = new Set<(ending: Ending | undefined) => void>();
  #isClosed = false;

  serve(
    call: ServerReadableStream<Buffer, Buffer>,
    answer: sendUnaryData<Buffer>,
    { onMessage, onEnd }: StreamHandler,
  ): void {
    if (this.#isClosed) {
      answer(STOPPING);
      return;
    }
    let hasEnded = false;
    const end = (ending: Ending | undefined): void => {
      if (hasEnded) return;
      hasEnded = true;
      this.#open.delete(end);
      if (ending) answer(ending);
      else answer(null, EMPTY);
    };
    this.#open.add(end);
    call.on('data', (bytes: Buffer) => {
      if (hasEnded) return;
      const ending = onMessage(bytes);
      if (ending) end(ending);
    });
    call.on('end', () => end(onEnd()));
    // The client left or the connection broke: there is nobody to answer.
    call.on('cancelled', () => {
      hasEnded = true;
      this.#open.delete(end);
    });
  }

  /** Ends all streams with UNAVAILABLE, and answers new ones with it. */
  close(): void {
    this.#isClosed = true;
    for (const end of [...this.#open]) end(STOPPING);
  }
}
