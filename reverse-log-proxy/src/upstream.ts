/**
 * The Dopplers that the proxy reads, and the streams that are open to them.
 *
 *     subscription ──▶ stream to Doppler 0   (over one of its few connections)
 *                  ──▶ stream to Doppler 1
 *                  ──▶ …
 *
 * Nobody sends an envelope to two Dopplers, so each reader has a stream to each of them. A stream
 * that ends is opened again for as long as its reader is there: at once, but when a Doppler keeps
 * ending streams that have only begun, after 1, 10, 100 ms and so on up to two seconds, all
 * readers together. Loggregator v107.0.21 waits up to 100 s, for each reader by itself; with one
 * wait per Doppler there is no need to be away that long. A connection that is lost comes back by
 * grpc-js's own back-off.
 *
 * What a Doppler sends while a stream to it is down is lost, and counted nowhere: it has dropped
 * out of its subscriptions, and the Doppler keeps nothing for those who are not there.
 *
 * Nothing is held here: a batch goes to the reader's queue in the turn in which it came.
 */

import type * as grpc from '@grpc/grpc-js';
import { Backoff, type Clock, dial, type Log, type Tls } from '@standpipe/plumbing';
import { egressService } from '@standpipe/protos';
import type { ProxyMetrics } from './metrics.ts';

/** Streams of different readers share few connections, so that a stalled one blocks few others. */
const CONNECTIONS_PER_DOPPLER = 4;

/**
 * How long one attempt to connect is waited for before it is told in the log. Closing a client does
 * not end such a wait, so it must be shorter than a process may take to drain.
 */
const CONNECT_LIMIT_MS = 1000;

/** A stream that lasted this long was a good one, whatever it brought. */
const STEADY_MS = 1000;

const SERVER_NAME = 'doppler';

export interface UpstreamOptions {
  readonly addresses: readonly string[];
  readonly tls: Tls;
  readonly metrics: ProxyMetrics;
  readonly log: Log;
  readonly clock: Clock;
}

export class Upstream implements Disposable {
  readonly #dopplers: readonly Doppler[];

  constructor(options: UpstreamOptions) {
    this.#dopplers = options.addresses.map((address) => new Doppler(address, options));
  }

  /**
   * Opens a stream to every Doppler with an encoded EgressBatchRequest. `onBatch` hears of each
   * message until what is returned is disposed of; the Dopplers are told at once then.
   */
  subscribe(request: Buffer, onBatch: (bytes: Buffer) => void): Disposable {
    const streams = this.#dopplers.map((doppler) => doppler.open(request, onBatch));
    return {
      [Symbol.dispose]: () => {
        for (const stream of streams) stream[Symbol.dispose]();
      },
    };
  }

  /** Closes the connections. Subscriptions must have been disposed of. */
  [Symbol.dispose](): void {
    for (const doppler of this.#dopplers) doppler[Symbol.dispose]();
  }
}

class Doppler implements Disposable {
  readonly address: string;
  readonly metrics: ProxyMetrics;
  readonly log: Log;
  readonly clock: Clock;
  readonly #connections: readonly Connection[];
  readonly #backoff = new Backoff({ firstMs: 1, factor: 10, maxMs: 2000 });
  readonly #closing = new AbortController();
  #pause: Promise<void> | undefined;
  #next = 0;

  constructor(address: string, { tls, metrics, log, clock }: UpstreamOptions) {
    this.address = address;
    this.metrics = metrics;
    this.log = log;
    this.clock = clock;
    this.#connections = Array.from(
      { length: CONNECTIONS_PER_DOPPLER },
      () => new Connection(address, tls),
    );
  }

  open(request: Buffer, onBatch: (bytes: Buffer) => void): Disposable {
    return new Stream(this, request, onBatch);
  }

  /** The connections in turn. They connect when they are first used. */
  connection(): Connection {
    const connection = this.#connections[this.#next] as Connection; // Kept below their number.
    this.#next = (this.#next + 1) % this.#connections.length;
    return connection;
  }

  succeeded(): void {
    this.#backoff.reset();
  }

  /** Waits before the next try. Whoever fails during a wait waits for its end, no longer. */
  failed(): Promise<void> {
    this.#pause ??= this.clock.sleep(this.#backoff.next(), this.#closing.signal).finally(() => {
      this.#pause = undefined;
    });
    return this.#pause;
  }

  [Symbol.dispose](): void {
    this.#closing.abort();
    for (const connection of this.#connections) connection.client.close();
  }
}

/** One connection to a Doppler. */
class Connection {
  readonly client: grpc.Client;
  #ready: Promise<boolean> | undefined;

  constructor(address: string, tls: Tls) {
    this.client = dial({ address, tls, serverName: SERVER_NAME });
  }

  /** Whether it is connected, after waiting for that. Many streams wait as one. */
  ready(): Promise<boolean> {
    this.#ready ??= new Promise((resolve) => {
      this.client.waitForReady(Date.now() + CONNECT_LIMIT_MS, (error) => {
        this.#ready = undefined;
        resolve(error === undefined);
      });
    });
    return this.#ready;
  }
}

/** One reader's stream to one Doppler, opened again and again until the reader leaves. */
class Stream implements Disposable {
  readonly #doppler: Doppler;
  readonly #request: Buffer;
  readonly #onBatch: (bytes: Buffer) => void;
  #call: grpc.ClientReadableStream<Buffer> | undefined;
  #isClosed = false;

  constructor(doppler: Doppler, request: Buffer, onBatch: (bytes: Buffer) => void) {
    this.#doppler = doppler;
    this.#request = request;
    this.#onBatch = onBatch;
    void this.#run(); // Ends when this is disposed of; it does not reject.
  }

  [Symbol.dispose](): void {
    this.#isClosed = true;
    this.#call?.cancel();
  }

  async #run(): Promise<void> {
    const { address, log, metrics } = this.#doppler;
    const connection = this.#doppler.connection();
    while (!this.#isClosed) {
      if (!(await connection.ready())) {
        if (this.#isClosed) return;
        log.limited(
          `unreachable ${address}`,
          'warn',
          { doppler: address },
          'a Doppler cannot be reached',
        );
        await this.#doppler.failed();
        continue;
      }
      if (this.#isClosed) return;

      metrics.connects.add(1);
      const { error, isSteady } = await this.#read(connection.client);
      if (this.#isClosed) return;
      metrics.disconnects.add(1);
      const fields = { doppler: address, reason: error?.details ?? 'ended by the Doppler' };
      log.limited(
        `lost ${address}`,
        'warn',
        fields,
        'a stream from a Doppler ended; opening another',
      );
      if (isSteady) this.#doppler.succeeded();
      await this.#doppler.failed();
    }
  }

  /** Reads one stream to its end. */
  #read(client: grpc.Client): Promise<{ error?: grpc.ServiceError; isSteady: boolean }> {
    const { path, requestSerialize, responseDeserialize } = egressService.batchedReceiver;
    const openedAt = this.#doppler.clock.now();
    return new Promise((resolve) => {
      const end = (error?: grpc.ServiceError): void => {
        this.#call = undefined;
        const isSteady = this.#doppler.clock.now() - openedAt >= STEADY_MS;
        resolve({ isSteady, ...(error === undefined ? {} : { error }) });
      };
      const call = client.makeServerStreamRequest(
        path,
        requestSerialize,
        responseDeserialize,
        this.#request,
      );
      this.#call = call;
      call.on('data', (bytes: Buffer) => {
        if (!this.#isClosed) this.#onBatch(bytes); // Else it had arrived when the reader left.
      });
      call.on('error', end);
      call.on('end', () => end());
    });
  }
}
