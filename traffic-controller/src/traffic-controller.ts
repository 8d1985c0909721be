/**
 * The Traffic Controller: the way out for people and v1 nozzles.
 *
 *     Dopplers ══ gRPC ══▶ upstream ──▶ consumers ══ websockets ══▶ nozzles
 *              ══ gRPC ══▶ log cache's cluster reader ══ HTTP ══▶ cf logs, cf tail, …
 *
 * It keeps nothing, and waits for nobody: it listens and serves while no Doppler can be reached.
 * When it ends it takes nobody new in, cancels its subscriptions, sends what waits, and closes
 * each websocket with 1001, all within seconds.
 *
 * Things are closed in the opposite order of their opening: the proxy and the consumers before
 * the upstream, the metrics last.
 */

import {
  CLOUD_CONTROLLER_BYTES_MAX,
  createClusterReader,
  type Guard,
  logCacheRoutes,
  openLogCacheAccess,
} from '@standpipe/log-cache';
import { AgentEvents, emitMetrics } from '@standpipe/metric-emitter';
import {
  AccessLog,
  type Clock,
  createLogger,
  dial,
  type Log,
  listenHttp,
  type Members,
  Metrics,
  Outgoing,
  observability,
  openMembers,
  readAuthorities,
  readKeyPair,
  readTls,
  systemClock,
  type Tls,
} from '@standpipe/plumbing';
import { type Access, CloudFoundryAccess, OPEN_ACCESS } from './auth.ts';
import type { AccessControl, Config } from './config.ts';
import { CONSUMER_LIMITS, type ConsumerLimits } from './consumer.ts';
import { Consumers } from './consumers.ts';
import { HttpProxy } from './http-proxy.ts';
import {
  countRefused,
  recentMetrics,
  trafficControllerGauges,
  trafficControllerMetrics,
} from './metrics.ts';
import { RecentEnvelopes } from './recent-envelopes.ts';
import { NO_GATEWAY, NO_PLATFORM, type Refusal } from './refusal.ts';
import { frontDoor } from './routes.ts';
import { SlowConsumerEvents } from './slow-consumer-event.ts';
import { Upstream } from './upstream.ts';
import { WebsocketDoors } from './websocket-doors.ts';

/** The source id of its own metrics and events. */
const SOURCE_ID = 'traffic_controller';

const MAX_CONSUMERS = 2000;

/** Requests at a time to each server that others' paths are handed to. */
const PROXIED_MAX = 500;

/** How long consumers may take to get what waits for them, at the end. */
const DRAIN_MS = 3000;

/** What a test may want otherwise. */
export interface Overrides {
  readonly clock?: Clock;
  readonly log?: Log;
  readonly limits?: Partial<ConsumerLimits>;
  readonly maxConsumers?: number;
  readonly drainMs?: number;
}

export interface TrafficController extends AsyncDisposable {
  /** `host:port` of the front door, as bound. */
  readonly address: string;
  readonly port: number;
  /** Where /metrics answers. */
  readonly metricsPort: number;
  readonly metrics: Metrics;
}

export async function startTrafficController(
  config: Config,
  overrides: Overrides = {},
): Promise<TrafficController> {
  const opened: (AsyncDisposable | Disposable)[] = [];
  try {
    return await open(config, overrides, opened);
  } catch (error) {
    await closeAll(opened);
    throw error;
  }
}

async function open(
  config: Config,
  overrides: Overrides,
  opened: (AsyncDisposable | Disposable)[],
): Promise<TrafficController> {
  const clock = overrides.clock ?? systemClock;
  const log = overrides.log ?? createLogger('traffic-controller');
  const keep = <T extends AsyncDisposable | Disposable>(resource: T): T => {
    opened.push(resource);
    return resource;
  };
  const metrics = new Metrics({ origin: 'traffic_controller' });
  const tls = readTls(config.routerTls, { log, metrics });

  const observed = keep(await observability(config.observability, metrics, log));
  const events = tellAgent(config, { tls, metrics, log }, keep);
  const upstream = keep(new Upstream({ dial: (address) => dialDoppler(address, tls), clock, log }));
  const members = keep(await openMembers(config.zones, { dns: config.dns, log, metrics }));
  const { queryTimeoutMs } = config;
  const reader = keep(createClusterReader({ members, tls, log, metrics, queryTimeoutMs }));
  const consumers = keep(
    new Consumers({
      clock,
      maxConsumers: overrides.maxConsumers ?? MAX_CONSUMERS,
      drainMs: overrides.drainMs ?? DRAIN_MS,
    }),
  );
  const { access, guard } = judgesOf(config.accessControl, { log, metrics }, keep);
  const doors = new WebsocketDoors({
    access,
    upstream,
    consumers,
    limits: { ...CONSUMER_LIMITS, ...overrides.limits },
    metrics: trafficControllerMetrics(metrics),
    clock,
    log,
    onSlow: (peer) => events.send(peer),
    onRefused: (status) => countRefused(metrics, status),
  });
  trafficControllerGauges(metrics, {
    consumers: (door) => consumers.count(door),
    dopplers: () => upstream.connected,
  });

  const { querier } = reader;
  const served = { tails: reader, querier, metaDialect: 'auth-proxy', metrics } as const;
  const logCache = logCacheRoutes(reader, served);
  const { app, onUpgrade } = frontDoor({
    doors,
    access,
    accessLog: await accessLogOf(config, { log, metrics }, keep),
    recent: new RecentEnvelopes({ reader, metrics: recentMetrics(metrics), clock }),
    logCache: guard?.before(logCache) ?? logCache,
    logStream: proxyTo(config.logStreamAddress, NO_GATEWAY, keep),
    platform: proxyTo(config.platformAddress, NO_PLATFORM, keep),
    systemDomain: config.systemDomain,
    clock,
    log,
    metrics,
  });
  const listener = await listenHttp({
    address: config.listenAddress,
    tls: config.certificate && readKeyPair(config.certificate, { log, metrics }),
    app,
    log,
    metrics,
    kind: 'ws',
    http2: true,
    onUpgrade,
  });
  keep(followed(members, upstream));

  return {
    address: listener.address,
    port: listener.port,
    metricsPort: observed.port,
    metrics,
    async [Symbol.asyncDispose](): Promise<void> {
      const closed = listener[Symbol.asyncDispose](); // Nobody new, from here on.
      await closeAll(opened);
      await closed;
    },
  };
}

function followed(members: Members, upstream: Upstream): Disposable {
  upstream.follow(members.addresses);
  return members.onChange(() => upstream.follow(members.addresses));
}

function proxyTo(
  address: string,
  unavailable: Refusal,
  keep: <T extends Disposable>(resource: T) => T,
): HttpProxy | undefined {
  if (address === '') return undefined;
  return keep(new HttpProxy({ address, unavailable, maxRequests: PROXIED_MAX }));
}

function dialDoppler(address: string, tls: Tls): ReturnType<typeof dial> {
  return dial({ address, tls, serverName: 'doppler' });
}

/** What the agent is told: its own metrics, and who was too slow. */
function tellAgent(
  { agentAddress: address, metricIntervalMs: intervalMs }: Config,
  { tls, metrics, log }: { readonly tls: Tls; readonly metrics: Metrics; readonly log: Log },
  keep: <T extends AsyncDisposable | Disposable>(resource: T) => T,
): SlowConsumerEvents {
  const agent = { agent: { address, tls }, sourceId: SOURCE_ID, log };
  keep(emitMetrics(metrics, { ...agent, origin: 'loggregator.trafficcontroller', intervalMs }));
  return new SlowConsumerEvents({ agentEvents: keep(new AgentEvents({ ...agent, metrics })), log });
}

/** Who judges requests: at our own doors, and before Log Cache's routes. */
interface Judges {
  readonly access: Access;
  readonly guard: Guard | undefined;
}

function judgesOf(
  config: AccessControl | undefined,
  report: { readonly log: Log; readonly metrics: Metrics },
  keep: <T extends AsyncDisposable | Disposable>(resource: T) => T,
): Judges {
  if (config === undefined) return { access: OPEN_ACCESS, guard: undefined };
  const { skipVerify, uaaCaFile, uaaClient, uaaSecret, apiTls, apiServerName } = config;
  const uaa = keep(
    new Outgoing({
      url: config.uaaUrl,
      skipVerify,
      tls: uaaCaFile ? readAuthorities(uaaCaFile, report) : undefined,
    }),
  );
  const cloudController = keep(
    new Outgoing({
      url: config.apiUrl,
      skipVerify,
      serverName: apiServerName,
      tls: apiTls && readTls(apiTls, report),
      maxBytes: CLOUD_CONTROLLER_BYTES_MAX,
    }),
  );
  const asked = { uaa, uaaClient, uaaSecret, cloudController, log: report.log };
  const { guard } = keep(
    openLogCacheAccess({ ...asked, takesCookies: true, metrics: report.metrics }),
  );
  return { access: new CloudFoundryAccess(asked), guard };
}

async function accessLogOf(
  { accessLogFile: file, ip }: Config,
  report: { readonly log: Log; readonly metrics: Metrics },
  keep: <T extends AsyncDisposable>(resource: T) => T,
): Promise<AccessLog | undefined> {
  if (file === '') return undefined;
  return keep(
    await AccessLog.open({ file, product: 'loggregator_trafficcontroller', ip, ...report }),
  );
}

/** The last that was opened is closed first. */
async function closeAll(opened: readonly (AsyncDisposable | Disposable)[]): Promise<void> {
  for (const resource of opened.toReversed()) {
    if (Symbol.asyncDispose in resource) await resource[Symbol.asyncDispose]();
    else resource[Symbol.dispose]();
  }
}
