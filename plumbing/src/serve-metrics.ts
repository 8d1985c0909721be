/**
 * GET /metrics and GET /health on 127.0.0.1, for Prometheus and for whoever looks after the
 * process. It has no access control but mutual TLS, if that is asked for, so it listens nowhere else.
 *
 * A process lives as long as it answers, `/health` and `/health/live`. It is ready, `/health/ready`,
 * while it serves: neither before all of it listens nor once it drains.
 */

import Router from 'koa-router';
import { listenHttp } from './http.ts';
import { koaApp } from './koa-app.ts';
import { type LifecycleState, lifecycleState } from './lifecycle.ts';
import type { Log } from './log.ts';
import type { Metrics } from './metrics.ts';
import type { Tls } from './tls.ts';

const DRAIN_MS = 500;

export interface MetricsListener extends AsyncDisposable {
  readonly port: number;
}

export async function serveMetrics(
  metrics: Metrics,
  options: {
    readonly port: number;
    /** Undefined: plain HTTP. */
    readonly tls?: Tls | undefined;
    readonly log: Log;
    /** Default: the state of this process. */
    readonly state?: () => LifecycleState;
  },
): Promise<MetricsListener> {
  const state = options.state ?? lifecycleState;
  const router = new Router();
  router.get(['/health', '/health/live'], (ctx) => {
    ctx.body = { status: 'ok' };
  });
  router.get('/health/ready', (ctx) => {
    ctx.status = state() === 'ready' ? 200 : 503;
    ctx.body = { status: state() };
  });
  router.get('/metrics', async (ctx) => {
    ctx.type = 'text/plain; version=0.0.4; charset=utf-8';
    ctx.body = await metrics.text();
  });

  const app = koaApp(options.log);
  app.use(router.routes()).use(router.allowedMethods());
  return listenHttp({
    address: `127.0.0.1:${options.port}`,
    tls: options.tls,
    app,
    log: options.log,
    kind: 'metrics',
    drainMs: DRAIN_MS,
  });
}
