/**
 * What the adapter reads from the reverse log proxy: few streams for many drains.
 *
 * A selector names one app and one kind of envelope. A stream carries up to SELECTORS_MAX of them,
 * for the cost of a stream (a queue at the proxy, a stream to each Doppler) is not paid per drain;
 * envelopes find their drains by their source id when they arrive.
 *
 *     bindings grow     one more stream, for the new selectors only; nothing else is touched
 *     bindings shrink   the streams that have a selector too many are replaced
 *     many small ones   past STREAMS_MAX, the smallest is merged into the new one
 *
 * All streams of all adapters with one ADAPTER_SHARD_ID are members of one shard. Within a shard the
 * Dopplers give each envelope to one of those that have its selector, so:
 *
 *   - a stream is replaced without a gap and without doubles: for OVERLAP_MS after the new one has
 *     been accepted both are read, and share;
 *   - several adapters with the same bindings share the load of each drain. Adapters whose
 *     bindings differ must have different shard ids, or each loses what the other one gets.
 *
 * What is lost, and not counted: what is on its way in a stream that is replaced (milliseconds'
 * worth), and what is sent while the proxy is away, since nobody keeps it.
 */

import { setMaxListeners } from 'node:events';
import * as grpc from '@grpc/grpc-js';
import { Backoff, type Clock, type Log } from '@standpipe/plumbing';
import { egressService, Kind, loggregator } from '@standpipe/protos';
import type { DrainBinding } from './bindings.ts';

const { EgressBatchRequest } = loggregator.v2;

/** Well below what a Doppler takes, and a request of well below 1 MiB. */
const SELECTORS_MAX = 5000;
const STREAMS_MAX = 8;
const OVERLAP_MS = 1000;
/** A proxy that says nothing at first may be one of the original, which has nothing to say yet. */
const ACCEPT_LIMIT_MS = 2000;
/** After a stream that lasted this long, the next is opened soon. */
const STEADY_MS = 1000;

export interface SubscriptionOptions {
  readonly client: grpc.Client;
  readonly shardId: string;
  readonly log: Log;
  readonly clock: Clock;
  readonly onBatch: (bytes: Buffer) => void;
}

/** The selectors of a stream, each as `KIND SOURCE`. */
type Selectors = ReadonlySet<string>;

export class Subscriptions implements AsyncDisposable {
  readonly #options: SubscriptionOptions;
  readonly #stopping = new AbortController();
  readonly #retiring = new Set<Promise<void>>();
  #streams: Stream[] = [];

  constructor(options: SubscriptionOptions) {
    this.#options = options;
    setMaxListeners(0, this.#stopping.signal); // One for each change of the last seconds.
  }

  /** How many streams there are, those not counted that are being replaced. */
  get streamCount(): number {
    return this.#streams.length;
  }

  /** Reads what these drains want, and nothing else. */
  bind(bindings: readonly DrainBinding[]): void {
    const wanted = selectorsOf(bindings);
    const kept = this.#streams.filter(({ selectors }) => isWithin(selectors, wanted));
    const replaced = this.#streams.filter((stream) => !kept.includes(stream));
    const covered = new Set(kept.flatMap(({ selectors }) => [...selectors]));
    const missing = [...wanted].filter((selector) => !covered.has(selector));

    kept.sort((a, b) => b.selectors.size - a.selectors.size);
    while (missing.length > 0 && kept.length + streamsFor(missing.length) > STREAMS_MAX) {
      const smallest = kept.pop();
      if (smallest === undefined) break;
      replaced.push(smallest);
      missing.push(...smallest.selectors);
    }

    const opened: Stream[] = [];
    for (let at = 0; at < missing.length; at += SELECTORS_MAX) {
      opened.push(new Stream(new Set(missing.slice(at, at + SELECTORS_MAX)), this.#options));
    }
    this.#streams = [...kept, ...opened];
    if (replaced.length > 0) this.#retire(replaced, opened);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort();
    for (const stream of this.#streams) stream[Symbol.dispose]();
    this.#streams = [];
    await Promise.all(this.#retiring);
  }

  /** Closes streams once those that take their place have been accepted, and a little later. */
  #retire(replaced: readonly Stream[], opened: readonly Stream[]): void {
    const { clock } = this.#options;
    const retire = async (): Promise<void> => {
      if (opened.length > 0) {
        const limit = clock.sleep(ACCEPT_LIMIT_MS, this.#stopping.signal);
        await Promise.race([limit, Promise.all(opened.map((stream) => stream.accepted))]);
        await clock.sleep(OVERLAP_MS, this.#stopping.signal);
      }
      for (const stream of replaced) stream[Symbol.dispose]();
    };
    const retiring = retire().finally(() => this.#retiring.delete(retiring));
    this.#retiring.add(retiring);
  }
}

/** One stream from the proxy, opened again whenever it ends. */
class Stream implements Disposable {
  readonly selectors: Selectors;
  /** Resolves when the proxy has first answered. */
  readonly accepted: Promise<void>;
  readonly #options: SubscriptionOptions;
  readonly #request: Buffer;
  readonly #closing = new AbortController();
  readonly #backoff = new Backoff({ firstMs: 10, maxMs: 2000 });
  #call: grpc.ClientReadableStream<Buffer> | undefined;
  #accept: () => void = () => {};

  constructor(selectors: Selectors, options: SubscriptionOptions) {
    this.selectors = selectors;
    this.#options = options;
    this.#request = encodeRequest(selectors, options.shardId);
    this.accepted = new Promise((resolve) => {
      this.#accept = resolve;
    });
    void this.#run(); // Ends when this is disposed of; it does not reject.
  }

  [Symbol.dispose](): void {
    this.#closing.abort();
    this.#call?.cancel();
  }

  async #run(): Promise<void> {
    const { clock, log } = this.#options;
    const { signal } = this.#closing;
    while (!signal.aborted) {
      const openedAt = clock.now();
      const reason = await this.#read();
      if (signal.aborted) return;
      if (clock.now() - openedAt >= STEADY_MS) this.#backoff.reset();
      log.limited('stream', 'warn', { reason }, 'a stream from the reverse log proxy ended');
      await clock.sleep(this.#backoff.next(), signal);
    }
  }

  /** Reads one stream to its end, and says why it ended. */
  #read(): Promise<string> {
    const { client, onBatch } = this.#options;
    const { path, requestSerialize, responseDeserialize } = egressService.batchedReceiver;
    return new Promise((resolve) => {
      const metadata = new grpc.Metadata({ waitForReady: true });
      const call = client.makeServerStreamRequest(
        path,
        requestSerialize,
        responseDeserialize,
        this.#request,
        metadata,
      );
      this.#call = call;
      call.on('metadata', () => this.#accept());
      call.on('data', (bytes: Buffer) => {
        if (!this.#closing.signal.aborted) onBatch(bytes);
      });
      call.on('error', (error: grpc.ServiceError) => resolve(error.details));
      call.on('end', () => resolve('ended by the proxy'));
    });
  }
}

const KINDS = ['log', 'counter', 'gauge', 'timer', 'event'] as const;

function selectorsOf(bindings: readonly DrainBinding[]): Selectors {
  const selectors = new Set<string>();
  for (const { appId, kinds } of bindings) {
    for (const kind of KINDS) if (kinds & (1 << Kind[kind])) selectors.add(`${kind} ${appId}`);
  }
  return selectors;
}

function encodeRequest(selectors: Selectors, shardId: string): Buffer {
  const request = EgressBatchRequest.encode({
    shard_id: shardId,
    use_preferred_tags: true,
    selectors: [...selectors].map((selector) => {
      const blank = selector.indexOf(' ');
      return { source_id: selector.slice(blank + 1), [selector.slice(0, blank)]: {} };
    }),
  });
  return Buffer.from(request.finish());
}

function streamsFor(selectorCount: number): number {
  return Math.ceil(selectorCount / SELECTORS_MAX);
}

function isWithin(selectors: Selectors, others: Selectors): boolean {
  for (const selector of selectors) if (!others.has(selector)) return false;
  return true;
}
