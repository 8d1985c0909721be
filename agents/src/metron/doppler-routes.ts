/**
 * Which Doppler gets what belongs to each shard of the agent's zone, now.
 *
 *     the owner answers                           the owner
 *     it has not answered for FAILOVER_AFTER      the next one of the zone that answers; it hands
 *                                                 the cache's copy on to the owner when it can
 *     none of the zone answers                    in the other zones, in their order, the Doppler
 *                                                 with the same index; if that one is away for as
 *                                                 long, the next that answers
 *     until then, and if none answers             nobody: the shard's envelopes wait in their lane
 *
 * Where zones are of one size, the same index owns the same sources; where they are not, the one
 * that gets them hands them on. As soon as the owner answers again, it is the owner. A Doppler that
 * is connected but reads nothing is noticed by its unanswered pings, after 35 s.
 *
 * The other zones are connected to only while none of our own answers. Nothing is lost here.
 */

import type { Client } from '@grpc/grpc-js';
import type { Zone } from '@standpipe/plumbing';
import type { IngressConnection } from '../ingress-client-connection.ts';

/** A timer may fire before the clock says that it is time. */
const TIMER_SLACK_MS = 5;

export interface DopplerRoutesOptions {
  /** The agent's own zone. */
  readonly zone: Zone;
  readonly otherZones: readonly Zone[];
  readonly failoverAfterMs: number;
  readonly connect: (address: string, onChange: () => void) => IngressConnection;
  /** Called when any shard's route may have changed. */
  readonly onChange: () => void;
}

export class DopplerRoutes implements AsyncDisposable {
  readonly #options: DopplerRoutesOptions;
  readonly #own: readonly IngressConnection[];
  readonly #timers = new Set<NodeJS.Timeout>();
  #others: readonly (readonly IngressConnection[])[] = [];
  #leaving: Promise<void>[] = [];
  #isDisposed = false;

  constructor(options: DopplerRoutesOptions) {
    this.#options = options;
    const { addresses } = options.zone;
    this.#own = addresses.map((address) => options.connect(address, () => this.#onChange()));
    this.#lookLater();
  }

  /** Connections that are up. */
  get connected(): number {
    let count = 0;
    for (const connection of this.#own) if (connection.client) count += 1;
    for (const zone of this.#others) for (const { client } of zone) if (client) count += 1;
    return count;
  }

  /** The connection to the owner of a shard, whether it is up or not. */
  owner(shard: number): IngressConnection | undefined {
    return this.#own[shard];
  }

  /** Where to send what belongs to the shard. */
  route(shard: number): Client | undefined {
    const owner = this.#own[shard];
    if (owner?.client) return owner.client;
    if (!owner || owner.downMs < this.#options.failoverAfterMs) return undefined;
    const neighbour = answering(this.#own, shard);
    if (neighbour) return neighbour;
    for (const zone of this.#others) {
      const sameIndex = zone[shard % zone.length];
      if (sameIndex?.client) return sameIndex.client;
      if (sameIndex && sameIndex.downMs < this.#options.failoverAfterMs) return undefined;
      const client = answering(zone, shard);
      if (client) return client;
    }
    return undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isDisposed = true;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#leaveOthers();
    for (const connection of this.#own) this.#leave(connection);
    await Promise.all(this.#leaving);
  }

  #onChange(): void {
    if (this.#isDisposed) return;
    if (this.#own.some(({ client }) => client)) this.#leaveOthers();
    this.#lookLater();
    this.#options.onChange();
  }

  /** Looks again when a Doppler that is away will have been away for too long. */
  #lookLater(): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      const { failoverAfterMs } = this.#options;
      if (this.#own.every(({ downMs }) => downMs >= failoverAfterMs)) this.#joinOthers();
      this.#options.onChange();
    }, this.#options.failoverAfterMs + TIMER_SLACK_MS);
    this.#timers.add(timer);
  }

  #joinOthers(): void {
    if (this.#others.length > 0) return;
    const { otherZones, connect } = this.#options;
    this.#others = otherZones.map(({ addresses }) =>
      addresses.map((address) => connect(address, () => this.#onChange())),
    );
    this.#lookLater();
  }

  #leaveOthers(): void {
    const others = this.#others.flat();
    this.#others = [];
    for (const connection of others) this.#leave(connection);
  }

  #leave(connection: IngressConnection): void {
    const left = connection[Symbol.asyncDispose]().then(() => {
      this.#leaving = this.#leaving.filter((other) => other !== left);
    });
    this.#leaving.push(left);
  }
}

/** The first client that is there, from the one with this index on and round. */
function answering(zone: readonly IngressConnection[], index: number): Client | undefined {
  for (let step = 0; step < zone.length; step += 1) {
    const client = zone[(index + step) % zone.length]?.client;
    if (client) return client;
  }
  return undefined;
}
