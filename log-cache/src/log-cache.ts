/**
 * A node of the log cache, for a process that has envelopes: store, forwarding and readers as one.
 *
 *     put ──▶ owner? ──▶ store                      this shard owns it
 *                 └───▶ forwarder ──▶ other shards   of this zone
 *
 * When its zone has one shard there is no hashing at all. Disposing sends on what waits, closes the
 * connections to other nodes, and leaves the store to the garbage collector.
 *
 * Hot: `put` is called for each batch; in a zone of several shards it costs one look-up per source
 * that differs from the envelope before.
 */

import type { GrpcService, Log, Metrics, Tls } from '@standpipe/plumbing';
import { type Batch, ShardOwners, type Zone } from '@standpipe/protos';
import { LogCacheClient } from './client.ts';
import { ClusterReader, type ClusterReaderOptions } from './cluster.ts';
import { CacheForwarder } from './forwarder.ts';
import { LocalReader } from './local-reader.ts';
import type { Reader } from './reader.ts';
import { logCacheServices } from './service.ts';
import { Store } from './store.ts';

export interface LogCacheOptions {
  /** All Dopplers; none means that this node is alone. */
  readonly zones: readonly Zone[];
  /** The zone of this node, and its index there. */
  readonly zone: string;
  readonly index: number;
  readonly tls: Tls | undefined;
  readonly metrics: Metrics;
  readonly log: Log;
  readonly memoryLimitBytes?: number;
  readonly maxPerSource?: number;
  readonly maxSources?: number;
}

export interface LogCache extends AsyncDisposable {
  readonly store: Store;
  /** Stores what this node owns of a scanned batch, and sends the rest to its owners. */
  put(batch: Batch): void;
  /** What to give to listenGrpc. */
  readonly services: readonly GrpcService[];
  /** Reads over all nodes. */
  readonly reader: Reader;
}

/** A node that is not in its own list of nodes. */
export class MembershipError extends Error {
  override readonly name = 'MembershipError';
}

export function createLogCache(options: LogCacheOptions): LogCache {
  const { metrics, log, tls } = options;
  const { zones, own } = membership(options);
  const store = new Store(options);
  const local = new LocalReader({ store, metrics });

  const clients = new Map<string, LogCacheClient>();
  for (const { name, addresses } of zones) {
    for (const [index, address] of addresses.entries()) {
      if (name === own.name && index === options.index) continue;
      clients.set(address, new LogCacheClient({ address, tls }));
    }
  }
  const self = { zone: own.name, index: options.index, reader: local };
  const reader = new ClusterReader({ zones, tls, log, self, clients });
  const forwarder = new CacheForwarder({ peers: peersOf(own, clients), metrics, log });
  const divider = new Divider({ store, forwarder, zone: own, index: options.index });

  const keep = (batch: Batch): void => store.put(batch);
  const put = (batch: Batch): void => divider.put(batch);
  return {
    store,
    put,
    reader,
    services: logCacheServices({ keep, put, local, cluster: reader, metrics }),
    async [Symbol.asyncDispose](): Promise<void> {
      await forwarder[Symbol.asyncDispose]();
      await reader[Symbol.asyncDispose]();
      for (const client of clients.values()) await client[Symbol.asyncDispose]();
    },
  };
}

/** A reader of all nodes for a process that is none of them: the front door. */
export function createClusterReader(
  options: Omit<ClusterReaderOptions, 'self' | 'clients'>,
): Reader & AsyncDisposable {
  return new ClusterReader(options);
}

function membership({ zones, zone, index }: LogCacheOptions): {
  zones: readonly Zone[];
  own: Zone;
} {
  if (zones.length === 0) {
    const own = { name: zone, addresses: ['here'] };
    if (index !== 0) throw new MembershipError(`a node alone has the index 0, not ${index}`);
    return { zones: [own], own };
  }
  const own = zones.find(({ name }) => name === zone);
  if (own === undefined) {
    const names = zones.map(({ name }) => name).join(', ');
    throw new MembershipError(`zone ${zone} is not among the zones of the shards: ${names}`);
  }
  if (own.addresses[index] === undefined) {
    const count = own.addresses.length;
    throw new MembershipError(`zone ${zone} has ${count} shards, so there is no index ${index}`);
  }
  return { zones, own };
}

function peersOf(
  zone: Zone,
  clients: ReadonlyMap<string, LogCacheClient>,
): Map<number, LogCacheClient> {
  const peers = new Map<number, LogCacheClient>();
  for (const [index, address] of zone.addresses.entries()) {
    const client = clients.get(address);
    if (client) peers.set(index, client);
  }
  return peers;
}

/** Divides batches between the own store and the other shards of the zone. */
class Divider {
  readonly #store: Store;
  readonly #forwarder: CacheForwarder;
  readonly #owners: ShardOwners;
  readonly #index: number;
  /** A 1 for each envelope that is ours; grows to the largest batch. */
  #mine = new Uint8Array(128);

  constructor(options: {
    readonly store: Store;
    readonly forwarder: CacheForwarder;
    readonly zone: Zone;
    readonly index: number;
  }) {
    this.#store = options.store;
    this.#forwarder = options.forwarder;
    this.#owners = new ShardOwners({ shards: options.zone.addresses.length });
    this.#index = options.index;
  }

  put(batch: Batch): void {
    if (this.#owners.shards === 1) {
      this.#store.put(batch);
      return;
    }
    if (batch.count > this.#mine.length) this.#mine = new Uint8Array(batch.count);
    let foreign = 0;
    for (let index = 0; index < batch.count; index += 1) {
      const owner = this.#ownerOf(batch, index);
      const isMine = owner === this.#index;
      this.#mine[index] = isMine ? 1 : 0;
      if (isMine) continue;
      foreign += 1;
      this.#forwarder.add(owner, batch, index);
    }
    if (foreign === 0) this.#store.put(batch);
    else if (foreign < batch.count) this.#store.put(batch, this.#mine);
  }

  #ownerOf(batch: Batch, index: number): number {
    // Below the batch's count.
    const start = batch.sourceStart[index] as number;
    const end = batch.sourceEnd[index] as number;
    return this.#owners.of(batch.bytes, start, end, batch.sourceHash[index] as number);
  }
}
