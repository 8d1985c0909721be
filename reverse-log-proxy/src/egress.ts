/**
 * `loggregator.v2.Egress`: the door for those that read v2 envelopes of all Dopplers.
 *
 * A call is checked in the order of Loggregator v107.0.21: the size of its request, how many
 * streams there are, its selectors, how many readers the Dopplers already have. Whoever passes
 * becomes a Reader; whoever does not is refused with a status, and disturbs nobody.
 */

import { status } from '@grpc/grpc-js';
import type { Clock, GrpcService, Log } from '@standpipe/plumbing';
import { Batch, egressService } from '@standpipe/protos';
import { Budget } from './budget.ts';
import type { ProxyMetrics } from './metrics.ts';
import { type Call, Reader, type ReaderContext } from './reader.ts';
import { type ReaderRequest, RequestError, readRequest } from './request.ts';
import { ReaderTags } from './tags.ts';
import type { Upstream } from './upstream.ts';

/** The most that a request may take; gRPC's default, which the original leaves. */
const REQUEST_BYTES_MAX = 4 * 1024 * 1024;

/** The most that may wait for all readers together; each has a limit of its own besides. */
const WAITING_BYTES_MAX = 512 * 1024 * 1024;

/**
 * How long a stream stays open, when the proxy stops, after its last byte was written. The
 * connection closes with its last stream, and readers built on grpc-js lose what they hold then.
 */
const LINGER_MS = 500;

/** Readers that have streams to the Dopplers; the original has as many slots. */
const UPSTREAM_READERS_MAX = 2000;

export interface EgressOptions {
  readonly upstream: Upstream;
  readonly metrics: ProxyMetrics;
  readonly log: Log;
  readonly clock: Clock;
  readonly maxStreams: number;
}

export class Egress {
  readonly service: GrpcService;
  readonly #context: ReaderContext;
  readonly #clock: Clock;
  readonly #maxStreams: number;
  readonly #readers = new Set<Reader>();
  /** All calls, those included that are about to be refused. */
  #streams = 0;
  #isStopping = false;

  constructor({ upstream, metrics, log, clock, maxStreams }: EgressOptions) {
    const budget = new Budget(WAITING_BYTES_MAX);
    const tags = new ReaderTags();
    this.#context = { upstream, metrics, log, budget, batch: new Batch(), tags };
    this.#clock = clock;
    this.#maxStreams = maxStreams;
    const batchedReceiver = (call: Call): void => void this.#receive(call, true);
    const receiver = (call: Call): void => void this.#receive(call, false);
    this.service = { definition: egressService, implementation: { batchedReceiver, receiver } };
  }

  /** Takes no more readers; those that are there get what waits, and their streams end with OK. */
  stop(): void {
    this.#isStopping = true;
    for (const reader of this.#readers) reader.end();
  }

  async #receive(call: Call, isBatched: boolean): Promise<void> {
    const { subscriptions } = this.#context.metrics;
    this.#streams += 1;
    subscriptions.add(1);
    try {
      const request = this.#check(call, isBatched);
      if (request !== undefined) await this.#serve(call, request);
    } finally {
      this.#streams -= 1;
      subscriptions.add(-1);
    }
  }

  /** The request of a reader that will be served; a reader that won't be has been told so. */
  #check(call: Call, isBatched: boolean): ReaderRequest | undefined {
    const { length } = call.request;
    if (length > REQUEST_BYTES_MAX) {
      const details = `grpc: received message larger than max (${length} vs. ${REQUEST_BYTES_MAX})`;
      return refuse(call, status.RESOURCE_EXHAUSTED, details);
    }
    if (this.#isStopping) {
      return refuse(call, status.UNAVAILABLE, 'the reverse log proxy is shutting down');
    }
    if (this.#streams > this.#maxStreams) {
      this.#context.metrics.rejectedStreams.add(1);
      const details = `unable to create stream, max egress streams reached: ${this.#maxStreams}`;
      return refuse(call, status.RESOURCE_EXHAUSTED, details);
    }
    try {
      const request = readRequest(call.request, isBatched);
      if (this.#readers.size < UPSTREAM_READERS_MAX) return request;
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      const code = error.isMalformed ? status.INTERNAL : status.INVALID_ARGUMENT;
      return refuse(call, code, error.message);
    }
    return refuse(call, status.UNKNOWN, 'unable to setup subscription');
  }

  async #serve(call: Call, request: ReaderRequest): Promise<void> {
    const reader = new Reader(this.#context, call, request);
    this.#readers.add(reader);
    await reader.serve();
    this.#readers.delete(reader);
    if (this.#isStopping && !call.cancelled) await this.#clock.sleep(LINGER_MS);
    call.end();
  }
}

function refuse(call: Call, code: status, details: string): undefined {
  call.emit('error', { code, details });
}
