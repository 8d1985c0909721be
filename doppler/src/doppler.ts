/**
 * A Doppler: takes envelopes in, keeps the recent ones, and streams all of them to whoever asked.
 *
 *     gRPC   loggregator.v2 Ingress, Egress · plumbing Doppler, DopplerIngestor · logcache.v1
 *     HTTP   the log cache's REST API, if it has an address
 *     HTTP   /metrics and /health
 *
 * What the cache had when it was last stopped it takes back before it listens. Disposing drains: senders are told that it stops, subscribers get what waits for them and
 * their streams end, then the listeners close, and last the cache sends on what it holds for
 * others and saves what it keeps. A subscriber that takes nothing is cut off after five seconds; what it would have got
 * counts as dropped.
 */

import {
  createLogCache,
  type LogCache,
  type LogCacheOptions,
  listenRest,
} from '@standpipe/log-cache';
import { emitMetrics } from '@standpipe/metric-emitter';
import {
  createLogger,
  DRAIN_LIMIT_MS,
  type Labels,
  type Log,
  listenGrpc,
  Metrics,
  observability,
  openMembers,
  readTls,
} from '@standpipe/plumbing';
import type { Config } from './config.ts';
import { egressV1 } from './egress-v1.ts';
import { egressV2 } from './egress-v2.ts';
import { Ingress } from './ingress.ts';
import { IngressV1 } from './ingress-v1.ts';
import { type DopplerMetrics, dopplerMetrics, SLOW_CONSUMER_ALARM } from './metrics.ts';
import { placeOf } from './place.ts';
import { Router } from './router.ts';
import { SlowSubscribers } from './slow-subscribers.ts';
import { Subscriptions } from './subscription.ts';
import { V1Router } from './v1-router.ts';

export interface Doppler extends AsyncDisposable {
  readonly grpcPort: number;
  /** Where the log cache's REST API answers; undefined, when it does not. */
  readonly httpPort: number | undefined;
  readonly metricsPort: number;
  /** How long it may take to drain. */
  readonly drainLimitMs: number;
  /** Where profiles are served. */
  readonly pprofPort: number | undefined;
  /** What it has counted so far. */
  readonly counts: DopplerMetrics;
}

export async function startDoppler(
  config: Config,
  log: Log = createLogger('doppler'),
  stop: AbortSignal = new AbortController().signal,
): Promise<Doppler> {
  const tls = readTls(config.tls);
  const metrics = new Metrics({ origin: 'doppler', tags: tagsOf(config) });
  const members = await openMembers(config.zones, { dns: config.dns, log, metrics });
  const counts = dopplerMetrics(metrics);
  const cache = openCache(config, { members, tls, metrics, log });
  const v1 = new V1Router({ metrics: counts, log });
  const router = new Router({ cache, v1 });
  const ingress = new Ingress({ router, metrics: counts, log });
  const ingressV1 = new IngressV1({ router, v1, metrics: counts, log });
  const { egressBufferBytes, egressBufferSize, egressV2BufferSize } = config;
  const subscriptions = new Subscriptions({
    metrics: counts,
    slow: new SlowSubscribers({ metrics, log }),
    log,
    bufferBytes: egressBufferBytes,
    maxSubscriptions: config.maxSubscriptions,
  });

  const opened: AsyncDisposable[] = [cache];
  try {
    const told = await observability(config.observability, metrics, log);
    opened.unshift(told);
    const emitter = emitMetrics(metrics, {
      agent: { address: config.agentAddress, tls },
      sourceId: config.metricSourceId,
      origin: 'loggregator.doppler',
      intervalMs: config.metricIntervalMs,
      log,
      alarms: [SLOW_CONSUMER_ALARM],
    });
    opened.unshift(emitter);
    await cache.restore(stop);
    const { reader, tails, querier } = cache;
    const http = config.logCacheHttp.address
      ? await listenRest(config.logCacheHttp, { reader, tails, querier, log, metrics })
      : undefined;
    if (http) opened.unshift(http);
    const services = [
      ingress.service,
      ingressV1.service,
      egressV2({ router, subscriptions, bufferSize: egressV2BufferSize }),
      egressV1({ router: v1, subscriptions, bufferSize: egressBufferSize }),
      ...cache.services,
    ];
    const grpc = await listenGrpc({
      address: config.grpcAddress,
      tls,
      services,
      log,
      metrics,
    });
    return {
      grpcPort: grpc.port,
      httpPort: http?.port,
      metricsPort: told.port,
      drainLimitMs: DRAIN_LIMIT_MS + cache.saveTimeoutMs,
      pprofPort: told.pprofPort,
      counts,
      async [Symbol.asyncDispose](): Promise<void> {
        ingress.close();
        ingressV1.close();
        subscriptions.close();
        cache.endTails();
        await Promise.all([grpc[Symbol.asyncDispose](), http?.[Symbol.asyncDispose]()]);
        members[Symbol.dispose]();
        await cache[Symbol.asyncDispose]();
        await emitter[Symbol.asyncDispose]();
        await told[Symbol.asyncDispose]();
      },
    };
  } catch (error) {
    members[Symbol.dispose]();
    for (const one of opened) await one[Symbol.asyncDispose]();
    throw error;
  }
}

/** Where there are others, it must be told which of them this one is; by its index, if that stays. */
function tagsOf(config: Config): Labels {
  const { zones, zone } = config;
  const index = placeOf(config);
  if (zones.length === 0) return {};
  return typeof index === 'number' ? { zone, index: String(index) } : { zone };
}

function openCache(
  config: Config,
  given: Pick<LogCacheOptions, 'members' | 'tls' | 'metrics' | 'log'>,
): LogCache {
  const { zone, maxPerSource, maxBytesPerSource, memoryLimitBytes } = config;
  const { queryTimeoutMs, persistence } = config;
  const limits = { maxPerSource, maxBytesPerSource, memoryLimitBytes, queryTimeoutMs };
  return createLogCache({ ...given, ...limits, zone, index: placeOf(config), persistence });
}
