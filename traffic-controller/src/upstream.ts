/**
 * All Dopplers, as one source of v1 envelopes.
 *
 *     Doppler 0 ══ one connection ══▶ ┌──────────┐ ──▶ consumer a     each consumer has one stream
 *     Doppler 1 ══ one connection ══▶ │ Upstream │ ──▶ consumer b     from every Doppler
 *                                     └──────────┘
 *
 * A Doppler holds only the envelopes that were sent to it, so a consumer reads from all. Nothing
 * is kept here and nothing dropped: a subscription that is paused leaves what comes to gRPC's flow
 * control, and so to the Doppler, which drops and counts.
 */

import type { Client } from '@grpc/grpc-js';
import type { Clock, Log } from '@standpipe/plumbing';
import { DopplerLink } from './doppler-link.ts';
import { DopplerStream, type DopplerStreamOptions } from './doppler-stream.ts';

export interface UpstreamOptions {
  readonly dial: (address: string) => Client;
  readonly clock: Clock;
  readonly log: Log;
}

/** What one consumer gets. Disposing of it cancels its streams at once. */
export interface Subscription extends Disposable {
  /** Reads no more, until `resume`. */
  pause(): void;
  resume(): void;
}

export class Upstream implements Disposable {
  readonly #options: UpstreamOptions;
  readonly #links = new Map<string, DopplerLink>();
  readonly #subscriptions = new Set<Fan>();

  constructor(options: UpstreamOptions) {
    this.#options = options;
  }

  /** How many Dopplers are connected. */
  get connected(): number {
    let connected = 0;
    for (const link of this.#links.values()) if (link.ready) connected += 1;
    return connected;
  }

  /**
   * Says which Dopplers there are. Those that are new are added to every subscription, those that
   * are known are left alone, and those that are gone are served until their streams end.
   */
  follow(addresses: readonly string[]): void {
    for (const link of this.#links.values()) {
      const retired = !addresses.includes(link.address);
      if (retired !== link.retired) link.retire(retired);
    }
    for (const address of addresses) {
      if (this.#links.has(address)) continue;
      const { clock, log, dial } = this.#options;
      const onRetired = (): void => this.#forgetRetired();
      const link = new DopplerLink({ address, client: dial(address), clock, log, onRetired });
      this.#links.set(address, link);
    }
    for (const fan of this.#subscriptions) this.#join(fan);
    this.#forgetRetired();
  }

  /** Subscribes to every Doppler, those included that come later. */
  subscribe(options: DopplerStreamOptions): Subscription {
    const fan: Fan = { options, streams: new Map(), paused: false };
    this.#subscriptions.add(fan);
    this.#join(fan);
    return {
      pause: () => {
        fan.paused = true;
        for (const stream of fan.streams.values()) stream.pause();
      },
      resume: () => {
        fan.paused = false;
        for (const stream of fan.streams.values()) stream.resume();
      },
      [Symbol.dispose]: () => {
        this.#subscriptions.delete(fan);
        for (const [link, stream] of fan.streams) link.remove(stream);
        fan.streams.clear();
        this.#forgetRetired();
      },
    };
  }

  [Symbol.dispose](): void {
    for (const link of this.#links.values()) link[Symbol.dispose]();
    this.#links.clear();
    this.#subscriptions.clear();
  }

  /** Gives a subscription a stream from each Doppler that it has none from. */
  #join(fan: Fan): void {
    for (const link of this.#links.values()) {
      if (link.retired || fan.streams.has(link)) continue;
      const stream = new DopplerStream(fan.options);
      if (fan.paused) stream.pause();
      fan.streams.set(link, stream);
      link.add(stream);
    }
  }

  #forgetRetired(): void {
    for (const [address, link] of this.#links) {
      if (!link.retired || !link.idle) continue;
      link[Symbol.dispose]();
      this.#links.delete(address);
      for (const fan of this.#subscriptions) fan.streams.delete(link);
    }
  }
}

/** A subscription and its streams. */
interface Fan {
  readonly options: DopplerStreamOptions;
  readonly streams: Map<DopplerLink, DopplerStream>;
  paused: boolean;
}
