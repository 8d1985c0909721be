/**
 * Sends envelopes to a `loggregator.v2.Ingress`, as a program that lives beside an agent does.
 *
 *     emit ──▶ [ lane: a bounded queue ] ──BatchSender──▶ metron agent
 *
 * `emit` never waits and never throws. While the agent is away, envelopes wait in the queue; when
 * it is full exactly the oldest are dropped, counted, and told to `onDrop`. At any time what was
 * emitted is `sent + dropped + waiting`, and of what was sent at most `unconfirmed` envelopes were
 * lost with streams that broke.
 */

import type { Log, Tls } from '@standpipe/plumbing';
import type { PackedBatch } from '@standpipe/protos';
import { IngressConnection } from './ingress-client-connection.ts';
import { IngressLane } from './ingress-client-lane.ts';

const MAX_COUNT_DEFAULT = 10_000;
const MAX_BYTES_DEFAULT = 16 * 1024 * 1024;

export interface IngressClientOptions {
  /** host:port of the agent. */
  readonly address: string;
  readonly tls: Tls | undefined;
  /** The name that the agent's certificate must hold. Default `metron`. */
  readonly serverName?: string;
  /** The most envelopes that may wait. Default 10 000. */
  readonly maxCount?: number;
  /** The most bytes that may wait. Default 16 MiB. */
  readonly maxBytes?: number;
  /** Hears how many envelopes were dropped. Must not throw. */
  readonly onDrop?: (count: number) => void;
  /** Hears how many envelopes the transport has taken. Must not throw. */
  readonly onSent?: (count: number) => void;
  /** Hears how many of those may have been lost with a stream that broke. Must not throw. */
  readonly onUnconfirmed?: (count: number) => void;
  readonly log: Log;
}

export class IngressClient implements AsyncDisposable {
  readonly #connection: IngressConnection;
  readonly #lane: IngressLane;
  #sent = 0;
  #dropped = 0;
  #unconfirmed = 0;

  constructor(options: IngressClientOptions) {
    const { address, tls, serverName = 'metron', log } = options;
    // The lane asks for its route only later, when there is a connection to ask.
    const connection = new IngressConnection({
      address,
      tls,
      serverName,
      log,
      onChange: () => this.#lane.rerouted(),
    });
    this.#connection = connection;
    this.#lane = new IngressLane({
      route: () => connection.client,
      maxCount: options.maxCount ?? MAX_COUNT_DEFAULT,
      maxBytes: options.maxBytes ?? MAX_BYTES_DEFAULT,
      onDrop: (count) => {
        this.#dropped += count;
        options.onDrop?.(count);
      },
      onSent: (count) => {
        this.#sent += count;
        options.onSent?.(count);
      },
      onUnconfirmed: (count) => {
        this.#unconfirmed += count;
        options.onUnconfirmed?.(count);
      },
      log,
    });
  }

  /** Envelopes that the transport has taken. */
  get sent(): number {
    return this.#sent;
  }

  /** Envelopes that were thrown away, because the queue was full or the client closed. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Of those sent, the most that may have been lost with a stream that broke. */
  get unconfirmed(): number {
    return this.#unconfirmed;
  }

  /** Envelopes that wait. */
  get waiting(): number {
    return this.#lane.waiting;
  }

  /** Whether there is a connection now. */
  get isConnected(): boolean {
    return this.#connection.client !== undefined;
  }

  /** Sends one encoded, bare Envelope; its bytes are copied. */
  emit(envelope: Uint8Array): void {
    this.#lane.builder.addBytes(envelope);
    this.#lane.added();
  }

  /** Sends a batch; its bytes are kept until they are sent. */
  emitBatch(batch: PackedBatch): void {
    this.#lane.put(batch);
  }

  /** Resolves when all that was emitted before has been handed to the transport, or dropped. */
  flush(): Promise<void> {
    return this.#lane.flush();
  }

  /** Takes no more in, sends what waits (for 3 s at most), and ends the stream and the connection. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#lane[Symbol.asyncDispose]();
    await this.#connection[Symbol.asyncDispose]();
  }
}
