/**
 * The way out of an agent: a lane for each Doppler of its zone, which all envelopes of the sources
 * that this Doppler owns take, in order.
 *
 *     laneOf(source) ─▶ lane 0 ─┐                ┌─▶ doppler 0
 *                       lane 1 ─┼─ DopplerRoutes ┼─▶ doppler 1 (and lane 0, while 0 is away)
 *                       lane 2 ─┘                └─▶ doppler 2
 *
 * Each lane has its own bounded queue, so a Doppler that is slow costs no other's envelopes. When
 * a queue is full the oldest of that lane are dropped and counted.
 *
 * Behind a single address, a pool, there are five connections as in loggregator-agent-release
 * v8.3.9, and sources are spread over them; each is given up after about 100,000 batches, so that
 * load finds its way to a new Doppler behind the same name.
 */

import { type Log, Rounds, readTls, type Tls, type Zone } from '@standpipe/plumbing';
import { ShardOwners } from '@standpipe/protos';
import { IngressConnection } from '../ingress-client-connection.ts';
import { IngressLane } from '../ingress-client-lane.ts';
import type { MetronConfig } from './config.ts';
import { DopplerRoutes } from './doppler-routes.ts';
import type { MetronMetrics } from './metrics.ts';
import { poolResolver } from './pool-resolver.ts';
import type { Owners } from './processor.ts';

const POOL_CONNECTIONS = 5;
const RENEW_AFTER_BATCHES = 100_000;
const RENEW_SPREAD = 1_000;

/** About what two messages hold. */
const BEHIND_COUNT = 2_000;

/** The name that a Doppler's certificate must hold. */
const SERVER_NAME = 'doppler';

export class Egress implements AsyncDisposable, Owners {
  readonly #lanes: readonly IngressLane[];
  readonly #owners: ShardOwners;
  readonly #routes: DopplerRoutes;
  readonly #rounds = new Rounds();

  constructor(config: MetronConfig, metrics: MetronMetrics, log: Log) {
    const { zone, otherZones } = splitZones(config);
    const tls = readTls(config.tls);
    this.#owners = new ShardOwners({ shards: zone.addresses.length });
    this.#routes = new DopplerRoutes({
      zone,
      otherZones,
      failoverAfterMs: config.failoverAfterMs,
      connect: (address, onChange) => connect(config, tls, address, onChange, log),
      onChange: () => {
        for (const lane of this.#lanes) lane.rerouted();
      },
    });
    this.#lanes = zone.addresses.map((_, shard) => this.#openLane(shard, config, metrics, log));
  }

  /** Connections to Dopplers that are up. */
  get connected(): number {
    return this.#routes.connected;
  }

  /** Envelopes that wait, for all Dopplers. */
  get waiting(): number {
    return this.#lanes.reduce((total, lane) => total + lane.waiting, 0);
  }

  /** Whether more waits than one turn of the event loop writes. */
  get isBehind(): boolean {
    return this.waiting > BEHIND_COUNT;
  }

  laneOf(bytes: Buffer, start: number, end: number, hash: number): IngressLane {
    return this.#lanes[this.#owners.of(bytes, start, end, hash)] as IngressLane; // A lane per shard.
  }

  /** Sends what waits, for 3 s at most, then ends streams and connections. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#lanes.map((lane) => lane[Symbol.asyncDispose]()));
    await this.#routes[Symbol.asyncDispose]();
  }

  #openLane(shard: number, config: MetronConfig, metrics: MetronMetrics, log: Log): IngressLane {
    let renewIn = renewAfter();
    return new IngressLane({
      route: () => this.#routes.route(shard),
      maxCount: config.egressBufferSize,
      maxBytes: config.egressBufferBytes,
      onDrop: (count) => {
        metrics.droppedEgress.add(count);
        log.limited('dropped', 'warn', { shard, count }, 'Dopplers take too few envelopes');
      },
      onSent: (count, bytes) => {
        metrics.egress.add(count);
        metrics.averageSize.add(count, bytes);
        renewIn -= 1;
        if (!config.isPool || renewIn > 0) return;
        renewIn = renewAfter();
        this.#routes.owner(shard)?.renew();
      },
      onUnconfirmed: (count) => metrics.unconfirmed.add(count),
      onStream: (change) => metrics.dopplerStreams.add(change),
      rounds: this.#rounds,
      log,
    });
  }
}

function splitZones(config: MetronConfig): { zone: Zone; otherZones: readonly Zone[] } {
  const zone = config.zones.find(({ name }) => name === config.zone);
  if (!zone) throw new Error(`there is no zone ${config.zone} to send to`);
  const otherZones = config.zones.filter((other) => other !== zone);
  const [address = ''] = zone.addresses;
  if (!config.isPool) return { zone, otherZones };
  const addresses = new Array<string>(POOL_CONNECTIONS).fill(address);
  return { zone: { name: zone.name, addresses }, otherZones };
}

function connect(
  config: MetronConfig,
  tls: Tls,
  address: string,
  onChange: () => void,
  log: Log,
): IngressConnection {
  const options = { address, tls, serverName: SERVER_NAME, onChange, log };
  if (!config.isPool) return new IngressConnection(options);
  return new IngressConnection({ ...options, resolve: poolResolver(config.addressWithZone) });
}

function renewAfter(): number {
  return RENEW_AFTER_BATCHES + Math.floor(Math.random() * RENEW_SPREAD);
}
