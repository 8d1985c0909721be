/**
 * The reverse log proxy: v2 readers on one side, every Doppler on the other.
 *
 * It stops in the order of the data: first no more is read from Dopplers, then each reader is
 * given what waits for it and its stream ends with OK, then the connections close. Readers that
 * do not take what waits are cut by the listener's limit.
 */

import { emitMetrics } from '@standpipe/metric-emitter';
import {
  createLogger,
  type Log,
  listenGrpc,
  Metrics,
  observability,
  openMembers,
  readTls,
  systemClock,
} from '@standpipe/plumbing';
import type { Config } from './config.ts';
import { Egress } from './egress.ts';
import { proxyMetrics, UNVERSIONED } from './metrics.ts';
import { Upstream } from './upstream.ts';

export interface ReverseLogProxy extends AsyncDisposable {
  /** `host:port` where readers connect. */
  readonly address: string;
  readonly port: number;
  readonly metricsPort: number;
  readonly metrics: Metrics;
}

export async function startReverseLogProxy(
  config: Config,
  log: Log = createLogger('reverse-log-proxy'),
): Promise<ReverseLogProxy> {
  const tls = readTls(config.tls);
  const all = new Metrics({ origin: 'reverse_log_proxy' });
  const metrics = proxyMetrics(all);
  const clock = systemClock;
  const members = await openMembers(config.zones, { dns: config.dns, log, metrics: all });
  const upstream = new Upstream({ tls, metrics, log, clock });
  upstream.follow(members.addresses);
  members.onChange(() => upstream.follow(members.addresses));
  const egress = new Egress({ upstream, metrics, log, clock, maxStreams: config.maxEgressStreams });
  const listener = await listenGrpc({
    address: config.address,
    tls,
    services: (draining) => {
      draining.addEventListener('abort', () => egress.stop(), { once: true });
      return [egress.service];
    },
    log,
    metrics: all,
    maxConnections: config.maxConnections,
  });
  const stop = async (): Promise<void> => {
    members[Symbol.dispose]();
    await listener[Symbol.asyncDispose]();
    upstream[Symbol.dispose]();
  };

  try {
    const observed = await observability(config.observability, all, log);
    const emitter = emitMetrics(all, {
      agent: { address: config.agentAddress, tls },
      sourceId: config.metricSourceId,
      origin: 'loggregator.rlp',
      intervalMs: config.metricIntervalMs,
      log,
      unversioned: UNVERSIONED,
    });
    return {
      address: listener.address,
      port: listener.port,
      metricsPort: observed.port,
      metrics: all,
      async [Symbol.asyncDispose](): Promise<void> {
        await stop();
        await emitter[Symbol.asyncDispose]();
        await observed[Symbol.asyncDispose]();
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
