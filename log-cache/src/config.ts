/** All that can be set on a Log Cache that stands alone: the names of log-cache-release v3.2.0. */

import {
  Env,
  type EnvOptions,
  type ObservabilityConfig,
  type TlsFiles,
  type Zone,
} from '@standpipe/plumbing';
import {
  internalTlsSettings,
  metricsSettings,
  type NearAddress,
  nearUnlessSecure,
} from './process-settings.ts';
import { type PersistenceSettings, persistenceSettings } from './restart/settings.ts';
import { AS_THE_ORIGINAL, type StoreSettings, storeSettings } from './store-settings.ts';

export interface NodeConfig extends NearAddress {
  /** ADDR: where logcache.v1 is served. */
  readonly address: string;
  /** CA_PATH, CERT_PATH, KEY_PATH: mutual TLS there and towards other nodes; undefined is none. */
  readonly tls: TlsFiles | undefined;
  /** QUERY_TIMEOUT: how long a PromQL query may take. */
  readonly queryTimeoutMs: number;
  /** MEMORY_LIMIT_BYTES, or else MEMORY_LIMIT_PERCENT of what there is; MAX_PER_SOURCE and its like. */
  readonly store: StoreSettings;
  /** NODE_ADDRS: all nodes, in the order that decides who owns a source; empty: this one alone. */
  readonly zones: readonly Zone[];
  /** NODE_INDEX: which of them this is. */
  readonly nodeIndex: number;
  /** Where it is kept from one start to the next; undefined: nowhere. */
  readonly persistence: PersistenceSettings | undefined;
  readonly observability: ObservabilityConfig;
}

/** The original's are all in one. */
export const ZONE = 'nodes';

/** What the original does about its garbage, which ours has none of. */
const UNUSED: readonly string[] = ['TRUNCATION_INTERVAL', 'PRUNES_PER_GC', 'USE_RFC339'];

export function readConfig(
  vars: Readonly<NodeJS.ProcessEnv> = process.env,
  options: Pick<EnvOptions, 'log'> = {},
): NodeConfig {
  const env = new Env(vars, { ...options, exempt: UNUSED });
  const tls = internalTlsSettings(env);
  const addresses = env.addresses('NODE_ADDRS', { fallback: [] });
  const nodeIndex = env.count('NODE_INDEX', { fallback: 0, min: 0, max: 65_535 });
  const config: NodeConfig = {
    ...nearUnlessSecure(env.address('ADDR', { listen: true }), tls !== undefined),
    tls,
    queryTimeoutMs: env.duration('QUERY_TIMEOUT', { fallback: '10s', min: '10ms', max: '10m' }),
    store: storeSettings(env, AS_THE_ORIGINAL),
    zones: addresses.length === 0 ? [] : [{ name: ZONE, addresses }],
    nodeIndex,
    persistence: persistenceSettings(env),
    observability: metricsSettings(env, { port: 6060 }),
  };
  if (nodeIndex >= Math.max(1, addresses.length)) {
    env.mistake('NODE_INDEX', `is ${nodeIndex}, but there are ${addresses.length} NODE_ADDRS`);
  }
  for (const twice of new Set(addresses.filter((one, at) => addresses.indexOf(one) < at))) {
    env.warning('NODE_ADDRS', `names ${twice} more than once, so that it owns more than its share`);
  }
  env.done();
  return config;
}
