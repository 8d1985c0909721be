/**
 * One `loggregator.v2.Ingress/Sender` stream to an agent, written to one envelope at a time.
 *
 * Nothing acknowledges an envelope on such a stream. `write` says yes when the connection took it,
 * and no when the stream ended before that. So what an agent had not read when it died is lost,
 * and the envelope that was on its way to the connection may be, for grpc-js calls back for a
 * write that failed just as for one that worked; nothing is ever sent twice.
 */

import { type Client, type ClientWritableStream, status as Status } from '@grpc/grpc-js';
import { ingressService } from '@standpipe/protos';

export class AgentStream {
  readonly #call: ClientWritableStream<Buffer>;
  readonly #ended: Promise<void>;
  readonly #stuckMs: number;
  #isEnding = false;
  #mistake = '';
  /** Settles the write that waits for the connection. */
  #settle: ((isTaken: boolean) => void) | undefined;

  /** It is broken off when the connection has not taken an envelope for `stuckMs`. */
  constructor(client: Client, stuckMs: number) {
    this.#stuckMs = stuckMs;
    const { path, requestSerialize, responseDeserialize } = ingressService.sender;
    this.#call = client.makeClientStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      () => undefined, // The status says the same, and more.
    );
    this.#call.on('error', () => undefined); // A status always follows.
    this.#ended = new Promise((resolve) => {
      this.#call.once('status', ({ code, details }) => {
        this.#isEnding = true;
        this.#mistake = `${Status[code]}: ${details}`;
        this.#settle?.(false);
        resolve();
      });
    });
  }

  /** Whether nothing can be written any more. */
  get isEnding(): boolean {
    return this.#isEnding;
  }

  /** How the stream ended; empty while it has not. */
  get mistake(): string {
    return this.#mistake;
  }

  /** Whether the connection took the envelope. Wait for it before the next. */
  async write(envelope: Buffer): Promise<boolean> {
    if (this.#isEnding) return false;
    const limit = setTimeout(() => this.cancel(), this.#stuckMs);
    const isTaken = await new Promise<boolean>((resolve) => {
      this.#settle = resolve;
      this.#call.write(envelope, (error?: Error | null) => resolve(!error));
    });
    clearTimeout(limit);
    return isTaken;
  }

  /** Ends the stream; resolves when the agent has, which an agent may never do. */
  end(): Promise<void> {
    if (!this.#isEnding) this.#call.end();
    this.#isEnding = true;
    return this.#ended;
  }

  /** Breaks the stream off. */
  cancel(): void {
    this.#isEnding = true;
    this.#call.cancel();
  }
}
