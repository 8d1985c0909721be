/**
 * A Log Cache that stands alone, in the place of one of log-cache-release's.
 *
 *     Send ──▶ owner? ──▶ store                  Read, Meta, PromQL ──▶ owners ──▶ answer
 *                 └───▶ other nodes
 *
 * Disposing of it takes nothing more in, ends the calls, and sends on what waits for other nodes.
 */

import {
  createLogger,
  type Log,
  listenGrpc,
  Metrics,
  observability,
  readTls,
  staticMembers,
} from '@standpipe/plumbing';
import { type NodeConfig, ZONE } from './config.ts';
import { createLogCache, type LogCache } from './log-cache.ts';
import { tellIfNear, tellIfUnnamed } from './process-settings.ts';

/** How long draining may take, but for writing the cache to its folder. */
const DRAIN_LIMIT_MS = 10_000;

export interface LogCacheNode extends AsyncDisposable {
  /** `host:port` as bound. */
  readonly address: string;
  readonly metricsPort: number;
  readonly drainLimitMs: number;
}

export async function startLogCache(
  config: NodeConfig,
  log: Log = createLogger('log-cache'),
  stop: AbortSignal = new AbortController().signal,
): Promise<LogCacheNode> {
  const metrics = new Metrics({ origin: 'log-cache' });
  const tls = config.tls && readTls(config.tls, { log, metrics });
  const opened: AsyncDisposable[] = [];
  const closeAll = async (): Promise<void> => {
    for (const one of opened.toReversed()) await one[Symbol.asyncDispose]();
  };
  try {
    const told = await observability(config.observability, metrics, log);
    opened.push(told);
    const cache = openCache(config, { tls, metrics, log });
    opened.push(cache);
    await cache.restore(stop);
    const { services } = cache;
    const grpc = await listenGrpc({ address: config.address, tls, services, log, metrics });
    tellIfNear(config, log);
    if (config.tls && tls) tellIfUnnamed(tls, config.tls.cert, log);
    return {
      address: grpc.address,
      metricsPort: told.port,
      drainLimitMs: DRAIN_LIMIT_MS + cache.saveTimeoutMs,
      async [Symbol.asyncDispose](): Promise<void> {
        cache.endTails();
        await grpc[Symbol.asyncDispose]();
        await closeAll();
      },
    };
  } catch (error) {
    await closeAll();
    throw error;
  }
}

function openCache(
  config: NodeConfig,
  given: Pick<Parameters<typeof createLogCache>[0], 'tls' | 'metrics' | 'log'>,
): LogCache {
  const { zones, nodeIndex: index, persistence } = config;
  const limits = { ...config.store, queryTimeoutMs: config.queryTimeoutMs };
  const members = staticMembers(zones);
  return createLogCache({ ...given, ...limits, members, zone: ZONE, index, persistence });
}
