/**
 * The connection to one Doppler, shared by the streams of all consumers.
 *
 *     connecting ──▶ ready: every stream has a call ──▶ lost ──▶ connecting …
 *
 * While there is no connection the streams wait, and gRPC's channel tries again by itself (0.2 s
 * to 3 s apart): one attempt for the Doppler, however many consumers there are. A call that ends
 * while the connection stands is opened again at once if it had lived a second. Else it waits by the
 * ladder of Loggregator v107.0.21 (1 ms, ten times as long each time), which all streams of the
 * Doppler share and which ends at LADDER_MAX_MS where the original's ends at 100 s. That a call
 * brought something proves nothing: a Doppler that ends each call after one message would be called
 * without a pause.
 *
 * A Doppler that is no longer listed is retired: its open streams are served until they end.
 */

import {
  type Client,
  type ServiceError,
  connectivityState as State,
  status as Status,
} from '@grpc/grpc-js';
import { Backoff, type Clock, type Log } from '@standpipe/plumbing';
import { dopplerService } from '@standpipe/protos';
import type { CallEnd, DopplerStream } from './doppler-stream.ts';

const LADDER_FIRST_MS = 1;
const LADDER_FACTOR = 10;
const LADDER_MAX_MS = 10_000;

/** A call that lived this long has proven itself. */
const STEADY_MS = 1000;

/** How long a call may take to tell why there is no connection: a Doppler that is back tells nothing. */
const WHY_LIMIT_MS = 1000;

export interface DopplerLinkOptions {
  readonly address: string;
  readonly client: Client;
  readonly clock: Clock;
  readonly log: Log;
  /** Called when it is retired and the last of its calls has ended. */
  readonly onRetired: () => void;
}

export class DopplerLink implements Disposable {
  readonly address: string;
  readonly #client: Client;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #onRetired: () => void;
  readonly #streams = new Set<DopplerStream>();
  readonly #backoff = new Backoff({
    firstMs: LADDER_FIRST_MS,
    maxMs: LADDER_MAX_MS,
    factor: LADDER_FACTOR,
  });
  readonly #stop = new AbortController();
  #ready = false;
  #retired = false;
  #climbing = false;

  constructor(options: DopplerLinkOptions) {
    this.address = options.address;
    this.#client = options.client;
    this.#clock = options.clock;
    this.#log = options.log;
    this.#onRetired = options.onRetired;
    this.#watch(State.IDLE);
    this.#client.getChannel().getConnectivityState(true);
  }

  /** Whether the connection stands. */
  get ready(): boolean {
    return this.#ready;
  }

  /** Whether it is listed no more. */
  get retired(): boolean {
    return this.#retired;
  }

  /** Whether no stream has a call. */
  get idle(): boolean {
    for (const stream of this.#streams) if (stream.open) return false;
    return true;
  }

  add(stream: DopplerStream): void {
    this.#streams.add(stream);
    if (this.#ready) this.#start(stream);
  }

  remove(stream: DopplerStream): void {
    this.#streams.delete(stream);
    stream.close();
  }

  /** Opens nothing anew from now on; or, if it is listed again, does. */
  retire(retired: boolean): void {
    this.#retired = retired;
    if (retired) return;
    this.#client.getChannel().getConnectivityState(true);
    this.#startAll();
  }

  [Symbol.dispose](): void {
    this.#stop.abort();
    for (const stream of this.#streams) this.remove(stream);
    this.#client.close();
  }

  /** Follows the channel's state, and has it connect whenever it isn't. */
  #watch(known: State): void {
    const channel = this.#client.getChannel();
    channel.watchConnectivityState(known, Number.POSITIVE_INFINITY, () => {
      if (this.#stop.signal.aborted) return;
      const state = channel.getConnectivityState(!this.#retired);
      this.#onState(state);
      this.#watch(state);
    });
  }

  #onState(state: State): void {
    const wasReady = this.#ready;
    this.#ready = state === State.READY;
    if (this.#ready) {
      this.#tell('info', 'connected to a Doppler');
      this.#startAll();
      return;
    }
    if (wasReady) this.#tell('warn', 'lost the connection to a Doppler');
    if (state === State.TRANSIENT_FAILURE) this.#tellWhy();
  }

  #tell(level: 'info' | 'warn', text: string): void {
    this.#log.limited(`${text} ${this.address}`, level, { doppler: this.address }, text);
  }

  #startAll(streams: Iterable<DopplerStream> = this.#streams): void {
    if (!this.#ready || this.#retired) return;
    for (const stream of streams) if (!stream.open) this.#start(stream);
  }

  #start(stream: DopplerStream): void {
    stream.start(this.#client, this.#clock.now(), (end) => this.#onEnd(stream, end));
  }

  #onEnd(stream: DopplerStream, end: CallEnd): void {
    if (this.#retired) {
      if (this.idle) this.#onRetired();
      return;
    }
    const doppler = this.address;
    const reason = end.error?.details ?? 'the Doppler ended it';
    this.#log.limited(`stream ${doppler}`, 'warn', { doppler, reason }, 'a subscription ended');

    if (this.#clock.now() - end.openedAtMs >= STEADY_MS) {
      this.#backoff.reset();
      // A turn later, so that a connection that broke is known to be broken.
      setImmediate(() => {
        if (this.#retired && this.idle) this.#onRetired();
        else if (this.#streams.has(stream)) this.#startAll([stream]);
      });
      return;
    }
    if (!this.#climbing) void this.#climb();
  }

  /** Waits one rung of the ladder, then opens all that is not open. */
  async #climb(): Promise<void> {
    this.#climbing = true;
    await this.#clock.sleep(this.#backoff.next(), this.#stop.signal);
    this.#climbing = false;
    this.#startAll();
  }

  /** The channel's state has no reason with it, but a call on it ends at once and brings one. */
  #tellWhy(): void {
    const doppler = this.address;
    const { path, requestSerialize, responseDeserialize } = dopplerService.batchSubscribe;
    const call = this.#client.makeServerStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      Buffer.alloc(0),
      { deadline: Date.now() + WHY_LIMIT_MS },
    );
    call.on('metadata', () => call.cancel()); // It has just come back: #onState hears of that.
    call.on('error', ({ code, details }: ServiceError) => {
      if (code === Status.CANCELLED || code === Status.DEADLINE_EXCEEDED) return;
      const reason = { doppler, reason: details };
      this.#log.limited(`connect ${doppler}`, 'warn', reason, 'a Doppler can not be reached');
    });
    call.resume();
  }
}
