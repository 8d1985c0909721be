/**
 * The gateway: server-sent events for HTTP clients, over one connection to the reverse log proxy.
 *
 *     client ──HTTP──▶ ReadRoute ──gRPC──▶ reverse log proxy
 *                         └──▶ UAA and Cloud Controller, if there is access control
 *
 * When it stops, it takes no more clients and ends the streams of those that are there.
 */

import type { Writable } from 'node:stream';
import {
  createLogger,
  dial,
  koaApp,
  type Log,
  listenHttp,
  Metrics,
  observability,
  readKeyPair,
  readTls,
} from '@standpipe/plumbing';
import { CloudAccess, openAccess } from './access.ts';
import { AccessLog } from './access-log.ts';
import type { GatewayConfig } from './config.ts';
import { gatewayMetrics } from './metrics.ts';
import { ReadRoute } from './read.ts';
import { SseContext } from './sse.ts';

export interface Gateway extends AsyncDisposable {
  /** `host:port` where clients read. */
  readonly address: string;
  readonly port: number;
  readonly metricsPort: number;
  readonly metrics: Metrics;
}

export async function startGateway(
  config: GatewayConfig,
  log: Log = createLogger('rlp-gateway'),
  /** Where the access log goes. */
  out: Writable = process.stdout,
): Promise<Gateway> {
  const tls = readTls(config.tls);
  const https = config.https && readKeyPair(config.https);
  const all = new Metrics({ origin: 'reverse_log_proxy_gateway' });
  const metrics = gatewayMetrics(all);
  const access = config.access
    ? new CloudAccess({ config: config.access, metrics, log })
    : openAccess;
  const client = dial({ address: config.proxyAddress, tls, serverName: config.proxyName });
  const { heartbeatMs, stallMs, proxyWaitMs, streamTimeoutMs: timeoutMs } = config;
  const context = new SseContext({ metrics, log, heartbeatMs, timeoutMs, stallMs });
  const route = new ReadRoute({ access, client, context, proxyWaitMs, metrics, log });
  const accessLog = new AccessLog(out, log);

  const app = koaApp(log, all);
  app.use(async (ctx) => {
    const arrival = { at: new Date(), host: ctx.ip };
    accessLog.note(ctx, arrival, await route.handle(ctx));
  });
  const listener = await listenHttp({
    address: config.address,
    tls: https,
    http2: true,
    app,
    log,
    metrics: all,
  });
  listener.draining.addEventListener('abort', () => route.endAll(), { once: true });
  const stop = async (): Promise<void> => {
    await listener[Symbol.asyncDispose]();
    client.close();
    access[Symbol.dispose]();
    accessLog[Symbol.dispose]();
  };

  try {
    const observed = await observability(config.observability, all, log);
    return {
      address: listener.address,
      port: listener.port,
      metricsPort: observed.port,
      metrics: all,
      async [Symbol.asyncDispose](): Promise<void> {
        await stop();
        await observed[Symbol.asyncDispose]();
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
