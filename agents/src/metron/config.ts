/** All that can be set on a metron agent. */

import {
  Env,
  type ObservabilityConfig,
  observabilitySettings,
  shardSettings,
  type TlsFiles,
  tlsSettings,
  type Zone,
} from '@standpipe/plumbing';
import { TAG_KEYS_MAX } from '@standpipe/protos';
import type { V1Defaults } from './dropsonde.ts';

export interface MetronConfig extends ObservabilityConfig {
  /** Where programs of this machine send envelopes (gRPC); always on 127.0.0.1. 0 is any free port. */
  readonly port: number;
  /** Where dropsonde comes in (UDP), also on 127.0.0.1; undefined: it does not. */
  readonly udpPort?: number | undefined;
  /** What v1 envelopes get where they have none. */
  readonly v1Defaults?: V1Defaults;
  /** One certificate, for those who connect and for the Dopplers that it connects to. */
  readonly tls: TlsFiles;
  /** What each envelope is tagged with, where it has no tag of that name. */
  readonly tags: ReadonlyMap<string, string>;
  /** Throw log envelopes away. */
  readonly logsDisabled: boolean;
  /** The Dopplers of each zone, in the order that decides which of them owns a source. */
  readonly zones: readonly Zone[];
  /** The zone whose Dopplers are sent to as long as one of them answers. */
  readonly zone: string;
  /** There is but one address: open several connections to whatever stands behind it. */
  readonly isPool: boolean;
  /** Of a pool, the address that is looked up first; '' when there is none. */
  readonly addressWithZone: string;
  /** How long a Doppler may be away before another one gets what is its. */
  readonly failoverAfterMs: number;
  /** Envelopes, and bytes, that may wait for each Doppler before the oldest are dropped. */
  readonly egressBufferSize: number;
  readonly egressBufferBytes: number;
}

/** Settings of the original that mean nothing here; they may be set. */
const OF_THE_ORIGINAL: readonly string[] = [
  'AGENT_METRIC_SOURCE_ID',
  ...['AGENT_METRIC_BATCH_INTERVAL_MILLISECONDS', 'METRICS_CA_FILE_PATH', 'DEBUG_METRICS'],
  ...['METRICS_CERT_FILE_PATH', 'METRICS_KEY_FILE_PATH'],
];

const MIB = 1024 * 1024;

export function readConfig(vars: Readonly<NodeJS.ProcessEnv> = process.env): MetronConfig {
  const env = new Env(vars, { exempt: OF_THE_ORIGINAL });
  const zones = shardSettings(env);
  const isSharded = env.optional('DOPPLER_SHARDS') !== undefined;
  const config: MetronConfig = {
    port: env.count('AGENT_PORT', { fallback: 3458, min: 0, max: 65_535 }),
    udpPort: udpPort(env),
    v1Defaults: {
      deployment: env.text('AGENT_DEPLOYMENT', { fallback: '' }),
      job: env.text('AGENT_JOB', { fallback: '' }),
      index: env.text('AGENT_INDEX', { fallback: '' }),
      ip: env.text('AGENT_IP', { fallback: '' }),
    },
    tls: tlsSettings(env, {
      ca: 'AGENT_CA_FILE',
      cert: 'AGENT_CERT_FILE',
      key: 'AGENT_KEY_FILE',
      suites: 'AGENT_CIPHER_SUITES',
    }),
    tags: env.map('AGENT_TAGS'),
    logsDisabled: env.flag('LOGS_DISABLED'),
    zones,
    zone: ownZone(env, zones),
    isPool: !isSharded && zones[0]?.addresses.length === 1,
    addressWithZone: env.address('ROUTER_ADDR_WITH_AZ', { fallback: '' }),
    failoverAfterMs: env.duration('FAILOVER_AFTER', { fallback: '1s', min: '10ms', max: '1m' }),
    egressBufferSize: env.count('EGRESS_BUFFER_SIZE', {
      fallback: 50_000,
      min: 100,
      max: 5_000_000,
    }),
    egressBufferBytes: env.count('EGRESS_BUFFER_BYTES', {
      fallback: 32 * MIB,
      min: MIB,
      max: 4096 * MIB,
    }),
    ...observabilitySettings(env, { pprofPort: pprofName(env) }),
  };
  checkTags(env, config.tags);
  env.done();
  return config;
}

/** loggregator-agent-release v8.3.9 has the one name, agents of before its time the other. */
function pprofName(env: Env): string {
  return env.optional('AGENT_PPROF_PORT') === undefined ? 'PPROF_PORT' : 'AGENT_PPROF_PORT';
}

/** Only a port that is set is opened: a machine may have an agent for each zone, and one port. */
function udpPort(env: Env): number | undefined {
  const isDisabled = env.flag('AGENT_DISABLE_UDP');
  const port = env.count('AGENT_INCOMING_UDP_PORT', { fallback: 3457, min: 0, max: 65_535 });
  return isDisabled || env.optional('AGENT_INCOMING_UDP_PORT') === undefined ? undefined : port;
}

function ownZone(env: Env, zones: readonly Zone[]): string {
  const [only] = zones;
  const name = env.optional('AGENT_ZONE');
  if (name === undefined && only && zones.length === 1) return only.name;
  if (name === undefined || !zones.some((zone) => zone.name === name)) {
    const names = zones.map((zone) => zone.name).join(', ');
    if (zones.length > 0) env.mistake('AGENT_ZONE', `must be one of ${names}`);
    return '';
  }
  return name;
}

function checkTags(env: Env, tags: ReadonlyMap<string, string>): void {
  if (tags.size > TAG_KEYS_MAX) env.mistake('AGENT_TAGS', `has more than ${TAG_KEYS_MAX} tags`);
  for (const key of tags.keys()) {
    if (Buffer.byteLength(key) > 127) env.mistake('AGENT_TAGS', 'has a name longer than 127 bytes');
  }
}
