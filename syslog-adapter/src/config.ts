/**
 * The settings of the syslog adapter. Those that loggregator-agent-release v8.3.9 has keep its
 * names.
 *
 *     RLP_ADDRESS                              the reverse log proxy that logs are read from
 *     ADAPTER_CA_FILE, _CERT_FILE, _KEY_FILE   its identity there, and at the agent
 *     BINDINGS_FILE                            which app has which drains; watched
 *     ADAPTER_SHARD_ID                         adapters of one shard share the load of their drains
 *     AGENT_ADDRESS                            where notices of lost messages go; without it, nowhere
 *     BINDING_PER_APP_LIMIT                    drains of one app
 *     IDLE_DRAIN_TIMEOUT                       when the connection of a quiet drain is closed
 *     DEFAULT_DRAIN_METADATA                   whether tags go along, when the drain doesn't say
 *     DRAIN_BUFFER_SIZE                        envelopes that may wait for one drain
 */

import {
  Env,
  type ObservabilityConfig,
  observabilitySettings,
  type TlsFiles,
  tlsSettings,
} from '@standpipe/plumbing';

export interface Config {
  /** `host:port` of the reverse log proxy. */
  readonly rlpAddress: string;
  readonly tls: TlsFiles;
  readonly bindingsFile: string;
  /** Of several adapters with the same, each envelope goes to one. */
  readonly shardId: string;
  /** `host:port` of a v2 ingress, or '' for none. */
  readonly agentAddress: string;
  readonly bindingsPerApp: number;
  readonly idleMs: number;
  readonly metadata: boolean;
  /** Envelopes that may wait for one drain; the oldest drop. */
  readonly bufferSize: number;
  readonly observability: ObservabilityConfig;
}

export function readConfig(vars: Readonly<NodeJS.ProcessEnv> = process.env): Config {
  const env = new Env(vars);
  const config: Config = {
    rlpAddress: env.address('RLP_ADDRESS'),
    tls: tlsSettings(env, {
      ca: 'ADAPTER_CA_FILE',
      cert: 'ADAPTER_CERT_FILE',
      key: 'ADAPTER_KEY_FILE',
    }),
    bindingsFile: env.text('BINDINGS_FILE'),
    shardId: env.text('ADAPTER_SHARD_ID', { fallback: 'syslog-adapter' }),
    agentAddress: env.address('AGENT_ADDRESS', { fallback: '' }),
    bindingsPerApp: env.count('BINDING_PER_APP_LIMIT', { fallback: 5, min: 1, max: 1000 }),
    idleMs: env.duration('IDLE_DRAIN_TIMEOUT', { fallback: '10m', min: '1s', max: '24h' }),
    metadata: env.flag('DEFAULT_DRAIN_METADATA', { fallback: true }),
    bufferSize: env.count('DRAIN_BUFFER_SIZE', { fallback: 10_000, min: 1, max: 1_000_000 }),
    observability: observabilitySettings(env),
  };
  env.done();
  return config;
}
