/**
 * What every process shows of itself: its metrics in both ways out, its health, and profiles; and
 * the settings that every process has for them.
 */

import type { Env } from './env.ts';
import type { Log } from './log.ts';
import type { Metrics } from './metrics.ts';
import { servePprof } from './pprof.ts';
import { pushMetrics } from './push-metrics.ts';
import { serveMetrics } from './serve-metrics.ts';
import { readTls, type TlsFiles } from './tls.ts';

export interface ObservabilityConfig {
  /** Where GET /metrics and /health answer, on 127.0.0.1. 0 is any free port. */
  readonly metricsPort: number;
  /** With these it is HTTPS there, and asks for a certificate of this authority. */
  readonly metricsTls?: TlsFiles | undefined;
  /** Where GET /debug/pprof/ answers, on 127.0.0.1. 0 is any free port, undefined is nowhere. */
  readonly pprofPort?: number | undefined;
  /** `host:port` of a statsd injector, or '' to send to none. */
  readonly statsdAddress: string;
  /** How often metrics are sent there. */
  readonly metricsIntervalMs: number;
}

export interface Observability extends AsyncDisposable {
  /** Where /metrics answers. */
  readonly port: number;
  /** Where /debug/pprof/ answers. */
  readonly pprofPort: number | undefined;
}

/** METRICS_PORT, STATSD_ADDRESS, METRICS_INTERVAL, and the port for profiles by its name. */
export function observabilitySettings(
  env: Env,
  options: {
    /** What the variable of the port for profiles is called. Default PPROF_PORT. */
    readonly pprofPort?: string;
    /** The port when it is not set. Default 0. */
    readonly pprofFallback?: number;
  } = {},
): ObservabilityConfig {
  const { pprofPort = 'PPROF_PORT', pprofFallback = 0 } = options;
  return {
    metricsPort: env.count('METRICS_PORT', { fallback: 0, min: 0, max: 65_535 }),
    pprofPort: env.count(pprofPort, { fallback: pprofFallback, min: 0, max: 65_535 }),
    statsdAddress: env.address('STATSD_ADDRESS', { fallback: '' }),
    metricsIntervalMs: env.duration('METRICS_INTERVAL', {
      fallback: '5s',
      min: '100ms',
      max: '1h',
    }),
  };
}

/** Opens it all. It is to be opened first and closed last, so that it shows the drain as well. */
export async function observability(
  config: ObservabilityConfig,
  metrics: Metrics,
  log: Log,
): Promise<Observability> {
  const { metricsPort, pprofPort, statsdAddress: address, metricsIntervalMs: intervalMs } = config;
  const tls = config.metricsTls && readTls(config.metricsTls);
  const listener = await serveMetrics(metrics, { port: metricsPort, tls, log });
  const opened: AsyncDisposable[] = [listener];
  const closeAll = async (): Promise<void> => {
    for (const part of opened.toReversed()) await part[Symbol.asyncDispose]();
  };
  try {
    const pprof = pprofPort === undefined ? undefined : await servePprof({ port: pprofPort, log });
    if (pprof) opened.push(pprof);
    if (address !== '') opened.push(pushMetrics(metrics, { address, intervalMs, log }));
    return { port: listener.port, pprofPort: pprof?.port, [Symbol.asyncDispose]: closeAll };
  } catch (error) {
    await closeAll();
    throw error;
  }
}
