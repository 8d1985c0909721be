/**
 * One Doppler, as the proxy reads it: a few connections, and a stream for each reader.
 *
 * A stream that ends is opened again for as long as its reader is there: at once, but when a Doppler
 * keeps ending streams that have only begun, after 1, 10, 100 ms and so on up to two seconds, all
 * readers together. Loggregator v107.0.21 waits up to 100 s, for each reader by itself; with one
 * wait per Doppler there is no need to be away that long. A connection that is lost comes back by
 * grpc-js's own back-off. A Doppler that is retired is not gone back to: a stream to it ends when
 * the Doppler ends it.
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

export interface DopplerOptions {
  readonly address: string;
  readonly tls: Tls;
  readonly metrics: ProxyMetrics;
  readonly log: Log;
  readonly clock: Clock;
}

export class Doppler implements Disposable {
  readonly address: string;
  readonly metrics: ProxyMetrics;
  readonly log: Log;
  readonly clock: Clock;
  /** Whether nobody is to go back to it. */
  isRetired = false;
  readonly #connections: readonly Connection[];
  readonly #backoff = new Backoff({ firstMs: 1, factor: 10, maxMs: 2000 });
  readonly #closing = new AbortController();
  #pause: Promise<void> | undefined;
  #next = 0;

  constructor({ address, tls, metrics, log, clock }: DopplerOptions) {
    this.address = address;
    this.metrics = metrics;
    this.log = log;
    this.clock = clock;
    this.#connections = Array.from(
      { length: CONNECTIONS_PER_DOPPLER },
      () => new Connection(address, tls),
    );
  }

  /** Opens a stream. `onLeft` hears when it has ended for good, before it was disposed of. */
  open(request: Buffer, onBatch: (bytes: Buffer) => void, onLeft: () => void): Stream {
    return new Stream({ doppler: this, request, onBatch, onLeft });
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

interface StreamOptions {
  readonly doppler: Doppler;
  readonly request: Buffer;
  readonly onBatch: (bytes: Buffer) => void;
  readonly onLeft: () => void;
}

/** One reader's stream to one Doppler, opened again and again until either is gone. */
export class Stream implements Disposable {
  readonly #options: StreamOptions;
  #call: grpc.ClientReadableStream<Buffer> | undefined;
  #isClosed = false;

  constructor(options: StreamOptions) {
    this.#options = options;
    void this.#run(); // Ends when this is disposed of; it does not reject.
  }

  [Symbol.dispose](): void {
    this.#isClosed = true;
    this.#call?.cancel();
  }

  async #run(): Promise<void> {
    const { doppler, onLeft } = this.#options;
    const connection = doppler.connection();
    while (!this.#isClosed && !doppler.isRetired) {
      await this.#tryOnce(connection);
      if (!this.#isClosed && !doppler.isRetired) await doppler.failed();
    }
    if (!this.#isClosed) onLeft();
  }

  /** Opens the stream, if there is a connection, and reads it to its end. */
  async #tryOnce(connection: Connection): Promise<void> {
    const { doppler } = this.#options;
    const { address, log, metrics } = doppler;
    const isReady = await connection.ready();
    if (this.#isClosed || doppler.isRetired) return;
    if (!isReady) {
      const fields = { doppler: address };
      log.limited(`unreachable ${address}`, 'warn', fields, 'a Doppler cannot be reached');
      return;
    }
    metrics.connects.add(1);
    const { error, isSteady } = await this.#read(connection.client);
    if (this.#isClosed) return;
    metrics.disconnects.add(1);
    const fields = { doppler: address, reason: error?.details ?? 'ended by the Doppler' };
    log.limited(`lost ${address}`, 'warn', fields, 'a stream from a Doppler ended');
    if (isSteady) doppler.succeeded();
  }

  /** Reads one stream to its end. */
  #read(client: grpc.Client): Promise<{ error?: grpc.ServiceError; isSteady: boolean }> {
    const { path, requestSerialize, responseDeserialize } = egressService.batchedReceiver;
    const { doppler, request, onBatch } = this.#options;
    const openedAt = doppler.clock.now();
    return new Promise((resolve) => {
      const end = (error?: grpc.ServiceError): void => {
        this.#call = undefined;
        const isSteady = doppler.clock.now() - openedAt >= STEADY_MS;
        resolve({ isSteady, ...(error === undefined ? {} : { error }) });
      };
      const call = client.makeServerStreamRequest(
        path,
        requestSerialize,
        responseDeserialize,
        request,
      );
      this.#call = call;
      call.on('data', (bytes: Buffer) => {
        if (!this.#isClosed) onBatch(bytes); // Else it had arrived when the reader left.
      });
      call.on('error', end);
      call.on('end', () => end());
    });
  }
}
