/**
 * Both ways out for a process's metrics, and the three settings that every process has for them.
 */

import type { Env } from './env.ts';
import type { Log } from './log.ts';
import type { Metrics } from './metrics.ts';
import { pushMetrics } from './push-metrics.ts';
import { serveMetrics } from './serve-metrics.ts';

export interface ObservabilityConfig {
  /** Where GET /metrics and /health answer, on 127.0.0.1. 0 is any free port. */
  readonly metricsPort: number;
  /** `host:port` of a statsd injector, or '' to send to none. */
  readonly statsdAddress: string;
  /** How often metrics are sent there. */
  readonly metricsIntervalMs: number;
}

export interface Observability extends AsyncDisposable {
  /** Where /metrics answers. */
  readonly port: number;
}

/** METRICS_PORT, STATSD_ADDRESS and METRICS_INTERVAL. */
export function observabilitySettings(env: Env): ObservabilityConfig {
  return {
    metricsPort: env.count('METRICS_PORT', { fallback: 0, min: 0, max: 65_535 }),
    statsdAddress: env.address('STATSD_ADDRESS', { fallback: '' }),
    metricsIntervalMs: env.duration('METRICS_INTERVAL', {
      fallback: '5s',
      min: '100ms',
      max: '1h',
    }),
  };
}

export async function observability(
  config: ObservabilityConfig,
  metrics: Metrics,
  log: Log,
): Promise<Observability> {
  const listener = await serveMetrics(metrics, { port: config.metricsPort, log });
  if (config.statsdAddress === '') return listener;
  const pusher = pushMetrics(metrics, {
    address: config.statsdAddress,
    intervalMs: config.metricsIntervalMs,
    log,
  });
  return {
    port: listener.port,
    async [Symbol.asyncDispose](): Promise<void> {
      await pusher[Symbol.asyncDispose]();
      await listener[Symbol.asyncDispose]();
    },
  };
}
