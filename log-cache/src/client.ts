/**
 * A client of one Log Cache node, ours or the original's.
 *
 * Every call has a deadline, but for tails; a failure rejects with the gRPC ServiceError.
 */

import * as grpc from '@grpc/grpc-js';
import { dial, type Tls } from '@standpipe/plumbing';
import {
  Batch,
  logCacheEgressService,
  logCacheIngressService,
  PackedBatch,
  type RawMethod,
  scanBatch,
} from '@standpipe/protos';
import { LOCAL_KEY } from './local-key.ts';
import { LOG_CACHE_MESSAGE_BYTES } from './message-limit.ts';
import {
  encodeMetaRequest,
  encodeReadRequest,
  encodeSendRequest,
  MalformedError,
  readCarrier,
} from './messages.ts';
import { decodeMetaResponse } from './meta-message.ts';
import { missingIn } from './partial.ts';
import { Patience } from './patience.ts';
import type { Pace, Selected, Selection } from './promql/series.ts';
import { selectOver } from './promql/series-client.ts';
import type { MetaResult, ReadRequest } from './reader.ts';
import type { ZoneChunk, ZonesRequest } from './tail/tail.ts';
import { type TailCallOptions, tailOver } from './tail/tail-client.ts';
import { Turns } from './turns.ts';
import type { Until } from './until.ts';

/** The name that a Log Cache's certificate carries. */
const SERVER_NAME = 'log-cache';
/**
 * Above the time that a search may take, and so far below the 5 s that clients commonly have that
 * what the others gave still reaches them.
 */
export const READ_DEADLINE_MS = 4400;
/** Of that: as long as a query of five seconds waits for an owner, and a little less. */
const LONG_PART = 0.8;
/** What a node has that has just let somebody wait for all that time. */
export const SUSPECTED_MS = 500;
const SEND_DEADLINE_MS = 3000;
const NOTHING: Buffer = Buffer.alloc(0);

interface NodeAnswer {
  readonly batch: PackedBatch;
  readonly filtered: boolean;
  readonly unreachable: readonly string[];
}

export interface LogCacheClientOptions {
  readonly address: string;
  readonly tls: Tls | undefined;
  /** How long a call that reads may take. Default 4.4 s. */
  readonly readDeadlineMs?: number | undefined;
  /** The same, of a node that has just used up all of it in vain. Default ½ s. */
  readonly suspectedMs?: number;
  readonly sendDeadlineMs?: number;
  /** For reading large answers beside other clients. */
  readonly turns?: Turns;
}

export interface ReadOptions extends Until {
  /** Read the node's own store only. */
  readonly local: boolean;
}

interface Call {
  readonly method: RawMethod;
  readonly request: Buffer;
  readonly metadata?: grpc.Metadata;
  readonly limitMs: number;
  readonly gone?: AbortSignal | undefined;
}

export class LogCacheClient implements AsyncDisposable {
  readonly #client: grpc.Client;
  readonly #readDeadlineMs: number;
  readonly #sendDeadlineMs: number;
  readonly #scanned = new Batch();
  readonly #patience: Patience;
  readonly #turns: Turns;

  constructor(options: LogCacheClientOptions) {
    const { address, tls, turns = new Turns() } = options;
    this.#turns = turns;
    this.#client = dial({
      address,
      tls,
      serverName: SERVER_NAME,
      messageBytesMax: LOG_CACHE_MESSAGE_BYTES,
    });
    this.#readDeadlineMs = options.readDeadlineMs ?? READ_DEADLINE_MS;
    this.#sendDeadlineMs = options.sendDeadlineMs ?? SEND_DEADLINE_MS;
    this.#patience = new Patience({
      longMs: this.#readDeadlineMs * LONG_PART,
      shortMs: options.suspectedMs ?? SUSPECTED_MS,
    });
  }

  /**
   * Has a batch stored: by the node itself, if `localOnly`, else by whoever owns it. Waits for the
   * connection, as far as the deadline lets it, so that a node that restarts loses nothing.
   */
  async send(batch: PackedBatch, options: { readonly localOnly: boolean }): Promise<void> {
    const metadata = new grpc.Metadata({ waitForReady: true });
    const request = encodeSendRequest(batch, options.localOnly);
    const { send } = logCacheIngressService;
    await this.#call({ method: send, request, metadata, limitMs: this.#sendDeadlineMs });
  }

  /** Whether there is a connection now. */
  get isConnected(): boolean {
    return this.#client.getChannel().getConnectivityState(false) === grpc.connectivityState.READY;
  }

  /** Whether the node can be reached within the time that a batch may take. */
  isReachable(): Promise<boolean> {
    return new Promise((resolve) => {
      const deadline = Date.now() + this.#sendDeadlineMs;
      this.#client.waitForReady(deadline, (error) => resolve(error === undefined));
    });
  }

  /** Reads from the node's own store, if `local`, else as the node answers any client. */
  async read(request: ReadRequest, options: ReadOptions): Promise<PackedBatch> {
    return (await this.ask(request, options)).batch;
  }

  /**
   * The same, whether the node has heeded the filters that the original's don't know, and which
   * nodes it could not ask.
   */
  async ask(request: ReadRequest, options: ReadOptions): Promise<NodeAnswer> {
    const { local, gone } = options;
    const metadata = new grpc.Metadata();
    if (local) metadata.set(LOCAL_KEY, 'true');
    const { response, unreachable } = await this.#call({
      method: logCacheEgressService.read,
      request: encodeReadRequest(request),
      metadata,
      limitMs: this.#limit(options),
      gone,
    });
    const { envelopes: bytes = Buffer.alloc(0), filtered } = readCarrier(response);
    const batch = this.#scanned;
    if (!scanBatch(bytes, batch)) throw new MalformedError(batch.mistake);
    return { batch: new PackedBatch(bytes, batch.count), filtered, unreachable };
  }

  async meta(localOnly: boolean, until: Until = {}): Promise<MetaResult> {
    const { response, unreachable } = await this.#call({
      method: logCacheEgressService.meta,
      request: encodeMetaRequest(localOnly),
      limitMs: this.#limit(until),
      gone: until.gone,
    });
    return { sources: await decodeMetaResponse(response, this.#turns), unreachable };
  }

  /** Gives what a source gets, as it comes. */
  tail(request: ZonesRequest, options: TailCallOptions): AsyncIterable<ZoneChunk> {
    return tailOver(this.#client, request, options);
  }

  /** Gives the series of the node's own store, if `local`, else of all; the original has no such call. */
  select(
    selection: Selection,
    pace: Pace,
    options: { readonly local: boolean },
  ): Promise<Selected> {
    return selectOver(this.#client, selection, pace, { ...options, patience: this.#patience });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client.close();
  }

  /** How long a call that reads may take now. */
  #limit({ deadlineMs = Number.POSITIVE_INFINITY }: Until): number {
    const leftMs = Math.max(0, deadlineMs - Date.now());
    return this.#patience.limit(Math.min(leftMs, this.#readDeadlineMs));
  }

  #call({
    method,
    request,
    metadata = new grpc.Metadata(),
    limitMs,
    gone,
  }: Call): Promise<{ readonly response: Buffer; readonly unreachable: readonly string[] }> {
    return new Promise((resolve, reject) => {
      let response = NOTHING;
      const call = this.#client.makeUnaryRequest(
        method.path,
        method.requestSerialize,
        method.responseDeserialize,
        request,
        metadata,
        { deadline: Date.now() + limitMs },
        (error, answered) => {
          gone?.removeEventListener('abort', cancel);
          if (error?.code === grpc.status.DEADLINE_EXCEEDED) this.#patience.ranOut(limitMs);
          else if (error?.code !== grpc.status.CANCELLED) this.#patience.answered();
          if (error !== null) reject(error);
          else response = answered ?? NOTHING;
        },
      );
      // Comes after the answer, and has the trailer.
      call.on('status', ({ metadata: trailer }) => {
        resolve({ response, unreachable: missingIn(trailer) });
      });
      const cancel = (): void => call.cancel();
      gone?.addEventListener('abort', cancel, { once: true });
      if (gone?.aborted) cancel();
    });
  }
}
