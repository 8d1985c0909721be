/**
 * The platform: a stand-in for UAA and Cloud Controller, so that a pipeline on one machine has
 * tokens, users and apps. It is for development: passwords stand in a file, and it listens on
 * loopback only.
 *
 *     client ──▶ front door ──┬──▶ UAA's part: tokens            ◀── file, read again when it changes
 *                             └──▶ Cloud Controller's: who may see which app
 *
 * The front door sends here whatever it doesn't serve itself, and asks here what a token is worth.
 * Nothing is kept but the key, if it has a file; what was revoked is forgotten at the end.
 */

import {
  type Clock,
  createLogger,
  type HttpListener,
  koaApp,
  type Log,
  listenHttp,
  Metrics,
  observability,
  systemClock,
  WatchedFile,
} from '@standpipe/plumbing';
import type { Context, Middleware } from 'koa';
import Router from 'koa-router';
import { ApiError, unknownRequest } from './api/api-error.ts';
import { internalRoutes } from './api/internal.ts';
import { rootRoutes } from './api/root.ts';
import { v2Routes } from './api/v2.ts';
import { v3Routes } from './api/v3.ts';
import type { Config } from './config.ts';
import type { PlatformContext } from './context.ts';
import { type PlatformMetrics, platformMetrics } from './metrics.ts';
import type { Model } from './model.ts';
import { ModelError, parseModel } from './model-file.ts';
import { originOf } from './origin.ts';
import { openSigningKey } from './signing-key.ts';
import { Tokens } from './tokens.ts';
import { answerUaaError, uaaRoutes } from './uaa/routes.ts';
import { UaaError } from './uaa/uaa-error.ts';

export interface Platform extends AsyncDisposable {
  /** `host:port` where it answers. */
  readonly address: string;
  readonly port: number;
  readonly metricsPort: number;
  readonly metrics: Metrics;
}

export async function startPlatform(
  config: Config,
  log: Log = createLogger('platform'),
  clock: Clock = systemClock,
): Promise<Platform> {
  log.warn(
    { file: config.file },
    'this platform is for development only: its passwords stand in a file',
  );
  const all = new Metrics({ origin: 'platform' });
  const metrics = platformMetrics(all);
  const key = await openSigningKey(config.keyFile);

  const refuseFile = (error: unknown): void => {
    metrics.fileErrors.add(1);
    const fields = { file: config.file, reason: error instanceof Error ? error.message : error };
    log.error(fields, 'the file cannot be used; what it said before stays');
  };

  let model: Model;
  const file = new WatchedFile({
    path: config.file,
    clock,
    onChange: (text) => {
      try {
        model = parseModel(text);
        log.info(sizeOf(model), 'the file was read again');
      } catch (error) {
        if (!(error instanceof ModelError)) throw error;
        refuseFile(error);
      }
    },
    onError: (error) => refuseFile(error),
  });
  model = parseModel(await file.read());

  const context: PlatformContext = {
    model: () => model,
    tokens: new Tokens({ model: () => model, key, clock, forgotten: metrics.revocationsForgotten }),
    key,
    metrics,
    originOf: (ctx) => config.url || originOf(ctx.headers, `http://${config.address}`),
  };
  const observed = await observability(config.observability, all, log);
  const app = koaApp(log, all);
  app.use(answerRefusals(metrics));
  app.use(refuseUnknown);
  const router = routerOf(context);
  app.use(router.routes());
  app.use(router.allowedMethods());
  let listener: HttpListener;
  try {
    listener = await listenHttp({ address: config.address, app, log, metrics: all });
  } catch (error) {
    await observed[Symbol.asyncDispose]();
    throw error;
  }
  file.watch();
  log.info({ address: listener.address, ...sizeOf(model) }, 'the platform answers');

  return {
    address: listener.address,
    port: listener.port,
    metricsPort: observed.port,
    metrics: all,
    async [Symbol.asyncDispose](): Promise<void> {
      await listener[Symbol.asyncDispose]();
      await file[Symbol.asyncDispose]();
      await observed[Symbol.asyncDispose]();
    },
  };
}

function sizeOf({ users, clients, spaces, apps }: Model): Record<string, number> {
  return {
    users: users.length,
    clients: clients.length,
    spaces: spaces.length,
    apps: apps.length,
  };
}

function routerOf(context: PlatformContext): Router {
  const router = new Router();
  rootRoutes(router, context);
  uaaRoutes(router, context);
  v3Routes(router, context);
  v2Routes(router, context);
  internalRoutes(router, context);
  return router;
}

/** In the words of the one that was asked, so that its clients understand. */
function answerRefusals(metrics: PlatformMetrics): Middleware {
  return async (ctx, next) => {
    try {
      await next();
    } catch (error) {
      if (error instanceof UaaError) {
        metrics.requestsRefused(error.error).add(1);
        answerUaaError(ctx, error);
      } else if (error instanceof ApiError) {
        metrics.requestsRefused(error.title).add(1);
        ctx.status = error.status;
        ctx.body = error.bodyFor(ctx.path);
      } else {
        throw error;
      }
    }
  };
}

/** Cloud Controller's paths are unknown in its words; all others are the application's to refuse. */
async function refuseUnknown(ctx: Context, next: () => Promise<unknown>): Promise<void> {
  await next();
  if (ctx.status === 405) {
    ctx.throw(405, 'method not allowed', { headers: { Allow: ctx.response.get('Allow') } });
  }
  const isUnknown = ctx.status === 404 && ctx.body === undefined;
  if (isUnknown && /^\/(?:v2|v3|internal)(?:\/|$)/.test(ctx.path)) throw unknownRequest();
}
