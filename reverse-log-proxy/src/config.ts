/**
 * The settings of the reverse log proxy, under the names of Loggregator v107.0.21.
 *
 *     RLP_PORT                             where readers connect; 0 is any free port
 *     RLP_HOST                             the interface to listen on; all of them, as the original
 *     RLP_CA_FILE, _CERT_FILE, _KEY_FILE   one identity, as a server and towards the Dopplers
 *     RLP_CIPHER_SUITES                    which of TLS 1.2's suites readers may speak
 *     RLP_PPROF_PORT                       profiles, on loopback
 *     MAX_EGRESS_STREAMS                   how many readers at a time
 *     DOPPLER_SHARDS or ROUTER_ADDRS       the Dopplers; every reader is given the streams of all
 *     AGENT_ADDR                           where its own metrics go, if an agent is there
 *     RLP_METRIC_SOURCE_ID                 their source id
 *     RLP_METRIC_EMITTER_INTERVAL          how often they are sent
 */

import {
  type DnsSettings,
  dnsSettings,
  Env,
  type ObservabilityConfig,
  observabilitySettings,
  shardSettings,
  type TlsFiles,
  tlsSettings,
  type Zone,
} from '@standpipe/plumbing';

export interface Config {
  /** `host:port` for readers. */
  readonly address: string;
  readonly tls: TlsFiles;
  /** Readers at a time; one more is refused with RESOURCE_EXHAUSTED. */
  readonly maxEgressStreams: number;
  /** Connections at a time; the original's number. More are refused, and counted. */
  readonly maxConnections: number;
  /** Of every Doppler in every zone: nothing is sent twice, so all must be read. */
  readonly zones: readonly Zone[];
  /** How names among them are looked up. */
  readonly dns?: DnsSettings;
  readonly agentAddress: string;
  readonly metricSourceId: string;
  readonly metricIntervalMs: number;
  readonly observability: ObservabilityConfig;
}

/**
 * In the original what is more waits without an answer. Refused, a reader hears of it at once and
 * tries another proxy.
 */
const CONNECTIONS_MAX = 500;

const PPROF_PORT = 6061;

export function readConfig(vars: Readonly<NodeJS.ProcessEnv> = process.env): Config {
  const env = new Env(vars);
  const host = env.text('RLP_HOST', { fallback: '0.0.0.0' });
  const port = env.count('RLP_PORT', { fallback: 0, min: 0, max: 65_535 });
  const config: Config = {
    address: host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`,
    tls: tlsSettings(env, {
      ca: 'RLP_CA_FILE',
      cert: 'RLP_CERT_FILE',
      key: 'RLP_KEY_FILE',
      suites: 'RLP_CIPHER_SUITES',
    }),
    maxEgressStreams: env.count('MAX_EGRESS_STREAMS', { fallback: 500, min: 1, max: 100_000 }),
    maxConnections: CONNECTIONS_MAX,
    zones: shardSettings(env),
    dns: dnsSettings(env),
    agentAddress: env.address('AGENT_ADDR', { fallback: 'localhost:3458' }),
    metricSourceId: env.text('RLP_METRIC_SOURCE_ID', { fallback: 'reverse_log_proxy' }),
    metricIntervalMs: env.duration('RLP_METRIC_EMITTER_INTERVAL', {
      fallback: '1m',
      min: '100ms',
      max: '1h',
    }),
    observability: observabilitySettings(env, {
      pprofPort: 'RLP_PPROF_PORT',
      pprofFallback: PPROF_PORT,
    }),
  };
  env.done();
  return config;
}
