/**
 * A node of the log cache, for a process that has envelopes: store, forwarding and readers as one.
 *
 *     put ──▶ owner? ──▶ store                      this shard owns it
 *                 └───▶ forwarder ──▶ other shards   of this zone
 *
 * When its zone has one shard there is no hashing at all. A node that can't tell which of its
 * zone's shards it is keeps all that it is given, and asks the others for what it doesn't own as if
 * it were none of them. When the shards change, what is kept stays where it is and ages out.
 *
 * Disposing sends on what waits, closes the connections to other nodes, and saves the store, if it
 * has a data folder.
 *
 * Hot: `put` is called for each batch; in a zone of several shards it costs one look-up per source
 * that differs from the envelope before.
 */

import {
  type GrpcService,
  type Log,
  type Members,
  type Metrics,
  systemClock,
  type Tls,
  type Zone,
} from '@standpipe/plumbing';
import { type Batch, ShardOwners } from '@standpipe/protos';
import { AnswersInFlight } from './answers-in-flight.ts';
import { Clients } from './clients.ts';
import { ClusterReader } from './cluster.ts';
import { CacheForwarder } from './forwarder.ts';
import { LocalReader } from './local-reader.ts';
import { ClusterSeries } from './promql/cluster-series.ts';
import { LocalSeries } from './promql/local-series.ts';
import { SampleBudget } from './promql/pacer.ts';
import { QUERY_SAMPLES_MAX, QUERY_TIMEOUT_MS_DEFAULT, Querier } from './promql/querier.ts';
import type { Reader } from './reader.ts';
import { Persistence } from './restart/persistence.ts';
import type { PersistenceSettings } from './restart/settings.ts';
import { logCacheServices } from './service.ts';
import { Store } from './store.ts';
import { ClusterTails } from './tail/cluster-tails.ts';
import { TailHub } from './tail/hub.ts';
import { LocalTails } from './tail/local-tails.ts';
import type { Tails } from './tail/tail.ts';

export interface LogCacheOptions {
  /** All Dopplers; none means that this node is alone. The caller disposes of them afterwards. */
  readonly members: Members;
  /** The zone of this node, */
  readonly zone: string;
  /** and its index there; or what finds it among the zone's addresses, whenever they change. */
  readonly index: number | ((addresses: readonly string[]) => number | undefined);
  readonly tls: Tls | undefined;
  readonly metrics: Metrics;
  readonly log: Log;
  readonly memoryLimitBytes?: number;
  readonly maxPerSource?: number;
  readonly maxBytesPerSource?: number;
  readonly maxSources?: number;
  /** How long a PromQL query may take. */
  readonly queryTimeoutMs?: number;
  /** How long another node may take for its part of a read. Default 4.4 s. */
  readonly readDeadlineMs?: number;
  /** How many bytes of answers may be on their way at a time. Default 256 MiB. */
  readonly answersBytesMax?: number;
  /** Where it is kept from one process to the next; undefined: nowhere. */
  readonly persistence?: PersistenceSettings | undefined;
}

export interface LogCache extends AsyncDisposable {
  readonly store: Store;
  /** Stores what this node owns of a scanned batch, and sends the rest to its owners. */
  put(batch: Batch): void;
  /** Takes back what an earlier process had; to be called before anything is put. */
  restore(stop: AbortSignal): Promise<void>;
  /** How long saving may take, when it is disposed of. */
  readonly saveTimeoutMs: number;
  /** What to give to listenGrpc. */
  readonly services: readonly GrpcService[];
  /** Reads over all nodes. */
  readonly reader: Reader;
  /** Follows sources over all nodes. */
  readonly tails: Tails;
  /** Answers PromQL over all nodes. */
  readonly querier: Querier;
  /** Ends all tails, which otherwise last as long as their readers. */
  endTails(): void;
}

const NO_PLACE =
  'this node can not tell which of its zone it is: it keeps all that it is given and forwards nothing';

/** A node that is not in its own list of nodes. */
export class MembershipError extends Error {
  override readonly name = 'MembershipError';
}

export function createLogCache(options: LogCacheOptions): LogCache {
  const { members, metrics, log, tls } = options;
  const store = new Store(options);
  const answers = new AnswersInFlight(metrics, options.answersBytesMax);
  const local = new LocalReader({ store, metrics, answers });
  const clients = new Clients({ tls, readDeadlineMs: options.readDeadlineMs });
  const reader = new ClusterReader({ clients, log, local, answers });
  const localSeries = new LocalSeries(store, metrics);
  const series = new ClusterSeries({ clients, log, local: localSeries });
  const budget = new SampleBudget(QUERY_SAMPLES_MAX);
  const timeoutMs = options.queryTimeoutMs ?? QUERY_TIMEOUT_MS_DEFAULT;
  const querier = new Querier({ source: series, budget, timeoutMs, metrics });
  const forwarder = new CacheForwarder({ clients, metrics, log });
  const hub = new TailHub({ store, metrics });
  const tails = new ClusterTails({ clients, log, hub });
  const persistence = options.persistence && openPersistence(options, options.persistence, store);
  const kept: Kept = {
    put: (batch, mine) => {
      store.put(batch, mine);
      hub.put(batch, mine);
      persistence?.append(batch, mine);
    },
  };
  const divider = new Divider({ store: kept, forwarder });

  const follow = (): void => {
    const { zones, own, index } = membership(options);
    const fields = { zone: own.name, index, members: own.addresses };
    if (index === undefined) log.error(fields, NO_PLACE);
    else if (index !== options.index) log.info(fields, 'this node has its place in its zone');
    const place = index === undefined ? undefined : { zone: own.name, index };
    reader.follow(zones, place);
    tails.follow(zones, place);
    series.follow(zones, place);
    forwarder.follow(othersOf(own, index));
    divider.follow(own.addresses.length, index);
  };
  follow();
  const following = members.onChange(async (zones) => {
    follow();
    await forwarder.left();
    if (members.zones === zones) await clients.keep(addressesOf(members, reader)); // Else another round will.
  });

  const keep = (batch: Batch): void => kept.put(batch);
  const put = (batch: Batch): void => divider.put(batch);
  return {
    store,
    put,
    restore: async (stop) => persistence?.restore(stop),
    saveTimeoutMs: options.persistence?.saveTimeoutMs ?? 0,
    reader,
    tails,
    querier,
    endTails(): void {
      tails[Symbol.dispose]();
      hub[Symbol.dispose]();
    },
    services: logCacheServices({
      keep,
      put,
      local,
      cluster: reader,
      localTails: new LocalTails(hub),
      clusterTails: tails,
      querier,
      series: { local: localSeries, cluster: series, budget, timeoutMs },
      answers,
      metrics,
    }),
    async [Symbol.asyncDispose](): Promise<void> {
      this.endTails();
      following[Symbol.dispose]();
      await forwarder[Symbol.asyncDispose]();
      await clients[Symbol.asyncDispose]();
      await persistence?.[Symbol.asyncDispose]();
    },
  };
}

/** Where what this node owns is put: the store, the tails and, if there is one, the journal. */
type Kept = Pick<Store, 'put'>;

function openPersistence(
  { metrics, log }: LogCacheOptions,
  settings: PersistenceSettings,
  store: Store,
): Persistence {
  return new Persistence({ ...settings, store, metrics, log, clock: systemClock });
}

export interface ClusterReaderSettings {
  readonly members: Members;
  readonly tls: Tls | undefined;
  readonly metrics: Metrics;
  readonly log: Log;
  readonly queryTimeoutMs?: number;
}

/** What reads all nodes. */
export interface ClusterReading extends Reader, Tails, AsyncDisposable {
  readonly querier: Querier;
}

/** A reader of all nodes for a process that is none of them: the front door. */
export function createClusterReader(options: ClusterReaderSettings): ClusterReading {
  const { members, tls, log, metrics } = options;
  const clients = new Clients({ tls });
  const answers = new AnswersInFlight(metrics);
  const reader = new ClusterReader({ clients, log, answers });
  const tails = new ClusterTails({ clients, log });
  const series = new ClusterSeries({ clients, log });
  const budget = new SampleBudget(QUERY_SAMPLES_MAX);
  const timeoutMs = options.queryTimeoutMs ?? QUERY_TIMEOUT_MS_DEFAULT;
  reader.follow(members.zones);
  series.follow(members.zones);
  tails.follow(members.zones);
  const following = members.onChange((zones) => {
    reader.follow(zones);
    series.follow(zones);
    tails.follow(zones);
    void clients.keep(addressesOf(members, reader));
  });
  return {
    read: (request, until) => reader.read(request, until),
    meta: (localOnly) => reader.meta(localOnly),
    tail: (request, gone) => tails.tail(request, gone),
    querier: new Querier({ source: series, budget, timeoutMs, metrics }),
    async [Symbol.asyncDispose](): Promise<void> {
      tails[Symbol.dispose]();
      following[Symbol.dispose]();
      await clients[Symbol.asyncDispose]();
    },
  };
}

/** All that are asked. Names that were never resolved are, too: they may be, by the time of the call. */
function addressesOf({ zones }: Members, { formerAddresses }: ClusterReader): ReadonlySet<string> {
  return new Set([...zones.flatMap(({ addresses }) => addresses), ...formerAddresses]);
}

interface Membership {
  readonly zones: readonly Zone[];
  readonly own: Zone;
  /** Undefined: this node is none of its zone. */
  readonly index: number | undefined;
}

function membership({ members, zone, index }: LogCacheOptions): Membership {
  const { zones } = members;
  if (zones.length === 0) {
    const own = { name: zone, addresses: ['here'] };
    if (index !== 0) throw new MembershipError(`a node alone has the index 0, not ${index}`);
    return { zones: [own], own, index };
  }
  const own = zones.find(({ name }) => name === zone);
  if (own === undefined) {
    const names = zones.map(({ name }) => name).join(', ');
    throw new MembershipError(`zone ${zone} is not among the zones of the shards: ${names}`);
  }
  if (typeof index === 'function') return { zones, own, index: index(own.addresses) };
  if (own.addresses[index] === undefined) {
    const count = own.addresses.length;
    throw new MembershipError(`zone ${zone} has ${count} shards, so there is no index ${index}`);
  }
  return { zones, own, index };
}

/** The other shards of the zone by their index: none, for a node that doesn't know its own. */
function othersOf({ addresses }: Zone, own: number | undefined): Map<number, string> {
  if (own === undefined) return new Map();
  return new Map([...addresses.entries()].filter(([index]) => index !== own));
}

/** Divides batches between the own store and the other shards of the zone. */
class Divider {
  readonly #store: Kept;
  readonly #forwarder: CacheForwarder;
  #owners = new ShardOwners({ shards: 1 });
  #index = 0;
  /** A 1 for each envelope that is ours; grows to the largest batch. */
  #mine = new Uint8Array(128);

  constructor(options: { readonly store: Kept; readonly forwarder: CacheForwarder }) {
    this.#store = options.store;
    this.#forwarder = options.forwarder;
  }

  /** Says how many shards there are, and which of them is this; not knowing that, all is ours. */
  follow(shards: number, index: number | undefined): void {
    const divided = index === undefined ? 1 : shards;
    if (divided !== this.#owners.shards) this.#owners = new ShardOwners({ shards: divided });
    this.#index = index ?? 0;
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
