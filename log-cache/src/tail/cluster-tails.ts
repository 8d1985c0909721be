/**
 * Tails over all zones: the owner in each is followed, and what they give is one stream.
 *
 *     zone az1: owner ──┐
 *     zone az2: owner ──┴─▶ one chunk at a time ──▶ reader
 *
 * Nothing is put in order between zones: each envelope goes on as it comes. An owner that can't be
 * reached is said to be missing, and tried again and again; when it is back, its tail goes on at
 * the place where it broke off. When another becomes the owner, it is followed from the time on
 * that was reached, and that is a gap. Nothing waits here: while the reader does not take, neither
 * do we, and what is too much drops at the owner.
 */

import type { Log, Zone } from '@standpipe/plumbing';
import { ownerOf } from '@standpipe/protos';
import type { Clients } from '../clients.ts';
import type { Place as NodePlace } from '../cluster.ts';
import { ClusterTail, type Owner } from './cluster-tail.ts';
import type { TailHub } from './hub.ts';
import { LocalTails, NO_ZONE } from './local-tails.ts';
import type { Tails, ZoneChunk, ZonesRequest } from './tail.ts';

export interface ClusterTailsOptions {
  readonly clients: Clients;
  readonly log: Log;
  /** The tails of the node that this is part of; a front door has none. */
  readonly hub?: TailHub;
}

/** Some node. */
interface Member {
  readonly name: string;
  readonly address: string;
  readonly tails: Tails;
}

export class ClusterTails implements Tails, Disposable {
  readonly #clients: Clients;
  readonly #log: Log;
  readonly #local: Tails | undefined;
  readonly #open = new Map<ClusterTail, string>();
  #zones: ReadonlyMap<string, readonly Member[]> = new Map();
  #isClosed = false;

  constructor({ clients, log, hub }: ClusterTailsOptions) {
    this.#clients = clients;
    this.#log = log;
    this.#local = hub && new LocalTails(hub);
  }

  /** Says which nodes there are, and which of them this one is, if it is one and knows which. */
  follow(zones: readonly Zone[], own?: NodePlace): void {
    this.#zones = new Map(
      zones.map(({ name, addresses }) => [
        name,
        addresses.map((address, index) => {
          const isOwn = own?.zone === name && own.index === index;
          return this.#memberOf(`${encodeURIComponent(name)}/${index}`, address, isOwn);
        }),
      ]),
    );
    for (const [tail, sourceId] of this.#open) tail.follow(this.#ownersOf(sourceId));
  }

  async *tail(request: ZonesRequest, gone: AbortSignal): AsyncGenerator<ZoneChunk> {
    if (this.#isClosed) return;
    const { sourceId } = request.read;
    const tail = new ClusterTail({ request, log: this.#log });
    const close = (): void => tail.close();
    if (gone.aborted) close();
    gone.addEventListener('abort', close, { once: true });
    this.#open.set(tail, sourceId);
    tail.follow(this.#ownersOf(sourceId));
    try {
      yield* tail.chunks();
    } finally {
      gone.removeEventListener('abort', close);
      this.#open.delete(tail);
      tail.close();
    }
  }

  /** Ends all tails, and those that are opened from here on. */
  [Symbol.dispose](): void {
    this.#isClosed = true;
    for (const tail of this.#open.keys()) tail.close();
  }

  #ownersOf(sourceId: string): readonly Owner[] {
    const owners: Owner[] = [];
    for (const [zone, members] of this.#zones) {
      const member = members[ownerOf(sourceId, members.length)];
      if (member === undefined) continue;
      const { name, address, tails } = member;
      owners.push({
        zone,
        name,
        address,
        open: ({ place, ...request }, gone) => {
          const after = new Map(place === undefined ? [] : [[NO_ZONE, place]]);
          return tails.tail({ ...request, after }, gone);
        },
      });
    }
    return owners;
  }

  #memberOf(name: string, address: string, isOwn: boolean): Member {
    if (isOwn && this.#local !== undefined) return { name, address: 'here', tails: this.#local };
    const client = this.#clients.of(address);
    return {
      name,
      address,
      tails: { tail: (request, gone) => client.tail(request, { local: true, gone }) },
    };
  }
}
