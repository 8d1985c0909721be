/** All that can be set on an executor. */

import {
  Env,
  type ObservabilityConfig,
  observabilitySettings,
  type TlsFiles,
  tlsSettings,
} from '@standpipe/plumbing';
import type { Cell } from './desired.ts';

export interface Config {
  /** EXECUTOR_APPS_FILE: which apps run (see apps-file.ts); read again when it changes. */
  readonly appsFile: string;
  /** AGENT_ADDRESS: the metron agent. */
  readonly agentAddress: string;
  /** EXECUTOR_CA_FILE, EXECUTOR_CERT_FILE, EXECUTOR_KEY_FILE: what proves us to the agent. */
  readonly tls: TlsFiles;
  /** EXECUTOR_CELL_INDEX and EXECUTOR_CELL_COUNT: which of how many cells that share the work. */
  readonly cell: Cell;
  /** CONTAINER_METRICS_INTERVAL: how often each instance is measured. */
  readonly containerMetricsIntervalMs: number;
  /** METRICS_PORT, PPROF_PORT, STATSD_ADDRESS and METRICS_INTERVAL. */
  readonly observability: ObservabilityConfig;
  /** The environment that instances get from us: ours, without our settings. */
  readonly inheritedEnv: Readonly<NodeJS.ProcessEnv>;
}

/** Settings of ours, and variables that speak of our own process; instances must not see them. */
const OUR_OWN =
  /^(EXECUTOR_.*|AGENT_ADDRESS|CONTAINER_METRICS_INTERVAL|METRICS_PORT|METRICS_INTERVAL|PPROF_PORT|STATSD_ADDRESS|LOG_LEVEL|EXIT_WITH_PARENT|PORT|NODE_CHANNEL_.*|NODE_UNIQUE_ID|INIT_CWD|npm_.*)$/;

export function readConfig(vars: Readonly<NodeJS.ProcessEnv> = process.env): Config {
  const env = new Env(vars);
  const count = env.count('EXECUTOR_CELL_COUNT', { fallback: 1, min: 1, max: 1000 });
  const index = env.count('EXECUTOR_CELL_INDEX', { fallback: 0, min: 0, max: 999 });
  if (index >= count) {
    env.mistake(
      'EXECUTOR_CELL_INDEX',
      `is ${index}: it must be below EXECUTOR_CELL_COUNT, ${count}`,
    );
  }
  const config: Config = {
    appsFile: env.text('EXECUTOR_APPS_FILE'),
    agentAddress: env.address('AGENT_ADDRESS', { fallback: '127.0.0.1:3458' }),
    tls: tlsSettings(env, {
      ca: 'EXECUTOR_CA_FILE',
      cert: 'EXECUTOR_CERT_FILE',
      key: 'EXECUTOR_KEY_FILE',
    }),
    cell: { index, count },
    containerMetricsIntervalMs: env.duration('CONTAINER_METRICS_INTERVAL', {
      fallback: '15s',
      min: '100ms',
      max: '1h',
    }),
    observability: observabilitySettings(env),
    inheritedEnv: Object.fromEntries(Object.entries(vars).filter(([name]) => !OUR_OWN.test(name))),
  };
  env.done(); // Throws one ConfigError that lists every mistake.
  return config;
}
