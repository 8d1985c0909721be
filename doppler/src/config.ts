/**
 * All that can be set on a Doppler. Names that Loggregator v107.0.21 has are its own, so that an
 * existing deployment's settings carry over; those of its log cache are log-cache-release's.
 */

import {
  type PersistenceSettings,
  persistenceSettings,
  type RestSettings,
  restSettings,
  storeSettings,
} from '@standpipe/log-cache';
import {
  type DnsSettings,
  dnsSettings,
  Env,
  isLiteral,
  type ObservabilityConfig,
  observabilitySettings,
  type TlsFiles,
  tlsSettings,
  type Zone,
  zoneSettings,
} from '@standpipe/plumbing';
import { hasNames } from './place.ts';

export interface Config {
  /** Where agents send and subscribers connect: gRPC with mutual TLS, on every interface. */
  readonly grpcAddress: string;
  readonly tls: TlsFiles;
  /**
   * The original's ring between ingress and its router. It is read so that settings carry over,
   * and it changes nothing: a batch is routed before the next is read, so nothing waits there.
   */
  readonly ingressBufferSize: number;
  /** Envelopes that may wait for one v1 subscriber before the oldest are dropped. */
  readonly egressBufferSize: number;
  /** Envelopes that may wait for one v2 subscriber before the oldest are dropped. */
  readonly egressV2BufferSize: number;
  /** Bytes that may wait for one subscriber, v1 or v2, before the oldest are dropped. */
  readonly egressBufferBytes: number;
  /** Subscriptions at a time; one more is refused. */
  readonly maxSubscriptions: number;
  /** LOG_CACHE_HTTP_ADDR: where the log cache's REST API answers, and who may ask it. */
  readonly logCacheHttp: RestSettings;
  /** Envelopes that the log cache keeps of one source; the oldest go first. */
  readonly maxPerSource: number;
  /** What one source's envelopes in the log cache and their index may take. */
  readonly maxBytesPerSource: number;
  /** What all envelopes in the log cache and their indexes may take. */
  readonly memoryLimitBytes: number;
  /** Where the log cache is kept from one start to the next; undefined: nowhere. */
  readonly persistence?: PersistenceSettings | undefined;
  /** QUERY_TIMEOUT: how long a PromQL query may take. */
  readonly queryTimeoutMs: number;
  /** Every Doppler by zone, in the order that decides who owns a source; none: this one alone. */
  readonly zones: readonly Zone[];
  /** How names among them are looked up. */
  readonly dns?: DnsSettings;
  /** The zone of this Doppler, and its place in it, if all of that zone are IP addresses. */
  readonly zone: string;
  readonly nodeIndex: number;
  /** Its own address as the others know it, `IP:PORT`; empty: it finds that out. */
  readonly nodeAddress: string;
  /** AGENT_GRPC_ADDRESS: the agent that is sent this Doppler's own metrics; '' is none. */
  readonly agentAddress: string;
  /** ROUTER_METRIC_SOURCE_ID: their source id. */
  readonly metricSourceId: string;
  /** ROUTER_METRIC_BATCH_INTERVAL_MILLISECONDS: how often they are sent. */
  readonly metricIntervalMs: number;
  readonly observability: ObservabilityConfig;
}

const MEBIBYTE = 1024 * 1024;
const SIZE_MAX = 10_000_000;

export function readConfig(vars: Readonly<NodeJS.ProcessEnv> = process.env): Config {
  const env = new Env(vars);
  const size = (name: string, fallback: number): number =>
    env.count(name, { fallback, min: 1, max: SIZE_MAX });
  const port = env.count('ROUTER_PORT', { fallback: 0, min: 0, max: 65_535 });
  const host = env.text('ROUTER_HOST', { fallback: '0.0.0.0' });
  const config: Config = {
    grpcAddress: `${host}:${port}`,
    tls: tlsSettings(env, {
      ca: 'ROUTER_CA_FILE',
      cert: 'ROUTER_CERT_FILE',
      key: 'ROUTER_KEY_FILE',
      suites: 'ROUTER_CIPHER_SUITES',
    }),
    ingressBufferSize: env.count('INGRESS_BUFFER_SIZE', {
      fallback: 10_000,
      min: 0,
      max: SIZE_MAX,
    }),
    egressBufferSize: size('EGRESS_BUFFER_SIZE', 50_000),
    egressV2BufferSize: size('EGRESS_V2_BUFFER_SIZE', 50_000),
    maxSubscriptions: size('MAX_SUBSCRIPTIONS', 10_000),
    egressBufferBytes: env.count('EGRESS_BUFFER_BYTES', {
      fallback: 16 * MEBIBYTE,
      min: MEBIBYTE,
      max: 1024 * MEBIBYTE,
    }),
    logCacheHttp: restSettings(env, {
      address: 'LOG_CACHE_HTTP_ADDR',
      certificates: [{ cert: 'EXTERNAL_CERT', key: 'EXTERNAL_KEY' }],
    }),
    ...storeSettings(env),
    persistence: persistenceSettings(env),
    queryTimeoutMs: env.duration('QUERY_TIMEOUT', { fallback: '10s', min: '10ms', max: '10m' }),
    ...placeSettings(env),
    dns: dnsSettings(env),
    agentAddress: env.address('AGENT_GRPC_ADDRESS', { fallback: '' }),
    metricSourceId: env.text('ROUTER_METRIC_SOURCE_ID', { fallback: 'doppler' }),
    metricIntervalMs: env.count('ROUTER_METRIC_BATCH_INTERVAL_MILLISECONDS', {
      fallback: 5000,
      min: 100,
      max: 3_600_000,
    }),
    observability: observabilitySettings(env, { pprofPort: 'ROUTER_PPROF_PORT' }),
  };
  env.done();
  return config;
}

/** Where this Doppler stands among all. Without DOPPLER_SHARDS it stands alone. */
function placeSettings(env: Env): Pick<Config, 'zones' | 'zone' | 'nodeIndex' | 'nodeAddress'> {
  const zones = zoneSettings(env) ?? [];
  const [first] = zones;
  const zone = env.text('DOPPLER_ZONE', { fallback: first?.name ?? '' });
  const nodeIndex = env.count('NODE_INDEX', { fallback: 0, min: 0, max: 65_535 });
  const nodeAddress = env.address('NODE_ADDR', { fallback: '' });
  if (nodeAddress !== '' && !isLiteral(nodeAddress)) {
    env.mistake('NODE_ADDR', `is ${JSON.stringify(nodeAddress)}: it must be IP:PORT`);
  }
  if (zones.length === 0) return { zones, zone, nodeIndex: 0, nodeAddress };
  const own = zones.find(({ name }) => name === zone);
  if (!own) {
    env.mistake('DOPPLER_ZONE', `is ${JSON.stringify(zone)}, which DOPPLER_SHARDS does not name`);
  } else if (!hasNames(own) && nodeIndex >= own.addresses.length) {
    env.mistake('NODE_INDEX', `is ${nodeIndex}, but its zone has ${own.addresses.length} Dopplers`);
  }
  return { zones, zone, nodeIndex, nodeAddress };
}
