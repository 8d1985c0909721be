/**
 * One `BatchSender` stream, written one batch at a time.
 *
 * `write` resolves when the transport has taken the batch, so there is never more than one batch
 * between the queue and the socket; grpc-js would hand them on singly anyway. What a stream that
 * breaks may have lost is `unconfirmed`; nothing, once the peer has answered our end of it.
 */

import { type Client, type ClientWritableStream, Metadata, status as Status } from '@grpc/grpc-js';
import { type Clock, systemClock } from '@standpipe/plumbing';
import { ingressService, type PackedBatch } from '@standpipe/protos';
import { IngressWindow } from './ingress-client-window.ts';

/** How long the peer may take to answer the end of a stream. */
const FINISH_LIMIT_MS = 2_000;

export class IngressStream {
  readonly client: Client;
  readonly #clock: Clock = systemClock;
  readonly #window = new IngressWindow();
  readonly #call: ClientWritableStream<Buffer>;
  readonly #ended: Promise<void>;
  #hasEnded = false;
  #isConfirmed = false;
  #mistake = '';
  #written: (() => void) | undefined;

  /** `onEnd` is called when the stream has ended, whoever ended it. */
  constructor(client: Client, onEnd: () => void) {
    this.client = client;
    const { path, requestSerialize, responseDeserialize } = ingressService.batchSender;
    let end: () => void;
    this.#ended = new Promise((resolve) => {
      end = resolve;
    });
    this.#call = client.makeClientStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      new Metadata(),
      {},
      () => undefined, // The status says the same, and more.
    );
    this.#call.on('error', () => undefined); // A status always follows.
    this.#call.once('status', ({ code, details }) => {
      this.#hasEnded = true;
      // A Go server answers our end with its own reader's, so EOF is how it says yes.
      this.#isConfirmed = code === Status.OK || details === 'EOF';
      this.#mistake = this.#isConfirmed ? '' : `${Status[code]}: ${details}`;
      this.#written?.();
      end();
      onEnd();
    });
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Why the stream broke; empty if it has not. */
  get mistake(): string {
    return this.#mistake;
  }

  /** Resolves when the transport has taken the batch, or the stream has ended. */
  write(batch: PackedBatch): Promise<void> {
    this.#window.wrote(batch.count, batch.byteLength, this.#clock.now());
    return new Promise((resolve) => {
      if (this.#hasEnded) return resolve();
      this.#written = resolve;
      this.#call.write(batch.bytes, () => resolve());
    });
  }

  /** Breaks the stream off; a write that waits for the transport waits no longer. */
  cancel(): void {
    this.#call.cancel();
  }

  /** Ends the stream, and says of how many envelopes it is not known whether they were received. */
  async finish(): Promise<number> {
    if (!this.#hasEnded) {
      this.#call.end();
      const limit = setTimeout(() => this.#call.cancel(), FINISH_LIMIT_MS);
      await this.#ended;
      clearTimeout(limit);
    }
    return this.#isConfirmed ? 0 : this.#window.unconfirmed(this.#clock.now());
  }
}
