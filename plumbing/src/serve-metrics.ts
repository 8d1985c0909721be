/**
 * GET /metrics and GET /health on 127.0.0.1, for Prometheus and for whoever looks after the
 * process. It is plain HTTP and has no access control, so it listens nowhere else.
 */

import Router from 'koa-router';
import { koaApp, listenHttp } from './http.ts';
import type { Log } from './log.ts';
import type { Metrics } from './metrics.ts';

const DRAIN_MS = 500;

export interface MetricsListener extends AsyncDisposable {
  readonly port: number;
}

export async function serveMetrics(
  metrics: Metrics,
  options: { readonly port: number; readonly log: Log },
): Promise<MetricsListener> {
  const router = new Router();
  router.get('/health', (ctx) => {
    ctx.body = { status: 'ok' };
  });
  router.get('/metrics', async (ctx) => {
    ctx.type = 'text/plain; version=0.0.4; charset=utf-8';
    ctx.body = await metrics.text();
  });

  const app = koaApp(options.log);
  app.use(router.routes()).use(router.allowedMethods());
  return listenHttp({
    address: `127.0.0.1:${options.port}`,
    app,
    log: options.log,
    kind: 'metrics',
    drainMs: DRAIN_MS,
  });
}
