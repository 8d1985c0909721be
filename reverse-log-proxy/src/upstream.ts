/**
 * The Dopplers that the proxy reads, and the streams that are open to them.
 *
 *     subscription ──▶ stream to Doppler 0   (over one of its few connections)
 *                  ──▶ stream to Doppler 1
 *                  ──▶ …
 *
 * Nobody sends an envelope to two Dopplers, so each reader has a stream to each of them. `follow`
 * says which there are: one that is new is added to every reader that is there, one that is known
 * is left alone, and one that is gone is served until its streams end.
 *
 * What a Doppler sends while a stream to it is down is lost, and counted nowhere: it has dropped
 * out of its subscriptions, and the Doppler keeps nothing for those who are not there.
 *
 * Nothing is held here: a batch goes to the reader's queue in the turn in which it came.
 */

import { Doppler, type DopplerOptions, type Stream } from './doppler.ts';

/** A reader's request, and its streams. */
interface Subscription {
  readonly request: Buffer;
  readonly onBatch: (bytes: Buffer) => void;
  readonly streams: Map<Doppler, Stream>;
}

export class Upstream implements Disposable {
  readonly #options: Omit<DopplerOptions, 'address'>;
  readonly #dopplers = new Map<string, Doppler>();
  readonly #subscriptions = new Set<Subscription>();

  constructor(options: Omit<DopplerOptions, 'address'>) {
    this.#options = options;
  }

  /** Says which Dopplers there are. */
  follow(addresses: readonly string[]): void {
    for (const doppler of this.#dopplers.values()) {
      doppler.isRetired = !addresses.includes(doppler.address);
    }
    for (const address of addresses) {
      if (this.#dopplers.has(address)) continue;
      this.#dopplers.set(address, new Doppler({ address, ...this.#options }));
    }
    for (const subscription of this.#subscriptions) this.#join(subscription);
    this.#forgetRetired();
  }

  /**
   * Opens a stream to every Doppler with an encoded EgressBatchRequest, those included that come
   * later. `onBatch` hears of each message until what is returned is disposed of; the Dopplers are
   * told at once then.
   */
  subscribe(request: Buffer, onBatch: (bytes: Buffer) => void): Disposable {
    const subscription: Subscription = { request, onBatch, streams: new Map() };
    this.#subscriptions.add(subscription);
    this.#join(subscription);
    return {
      [Symbol.dispose]: () => {
        this.#subscriptions.delete(subscription);
        for (const stream of subscription.streams.values()) stream[Symbol.dispose]();
        subscription.streams.clear();
        this.#forgetRetired();
      },
    };
  }

  /** Closes the connections. Subscriptions must have been disposed of. */
  [Symbol.dispose](): void {
    for (const doppler of this.#dopplers.values()) doppler[Symbol.dispose]();
    this.#dopplers.clear();
  }

  /** Gives a subscription a stream from each Doppler that it has none from. */
  #join({ request, onBatch, streams }: Subscription): void {
    for (const doppler of this.#dopplers.values()) {
      if (doppler.isRetired || streams.has(doppler)) continue;
      const stream = doppler.open(request, onBatch, () => {
        streams.delete(doppler);
        this.#forgetRetired();
      });
      streams.set(doppler, stream);
    }
  }

  #forgetRetired(): void {
    const served = new Set([...this.#subscriptions].flatMap(({ streams }) => [...streams.keys()]));
    for (const [address, doppler] of this.#dopplers) {
      if (!doppler.isRetired || served.has(doppler)) continue;
      this.#dopplers.delete(address);
      doppler[Symbol.dispose]();
    }
  }
}
