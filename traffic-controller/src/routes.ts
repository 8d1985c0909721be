/**
 * The front door: which path leads where.
 *
 *     /firehose/:id, /apps/:guid/stream   websockets                     websocket-doors.ts
 *     /apps/:guid/recentlogs              the log cache, as v1           recent-envelopes.ts
 *     /apps/:guid/containermetrics
 *     /set-cookie                         a cookie for browsers          set-cookie.ts
 *     /api/v1/…, /v1/…                    Log Cache over all Dopplers    @standpipe/log-cache
 *     /v2/read                            the gateway's event stream     http-proxy.ts
 *     /                                   says what there is
 *     everything else                     UAA and Cloud Controller       http-proxy.ts
 *
 * A path that is not in its shortest form is redirected, outside /api, where it may hold a source
 * id. What is not set is Go's 404, and so is what neighbours alone may ask of Cloud Controller. A
 * request for an upgrade that no door gives is served as if it had not asked, as HTTP wants it. What
 * is refused is counted by its status.
 */

import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type AccessLog, type Clock, koaApp, type Log, type Metrics } from '@standpipe/plumbing';
import type Koa from 'koa';
import type { Access } from './auth.ts';
import { doorOf } from './firehose.ts';
import type { HttpProxy } from './http-proxy.ts';
import { countRefused, type RecentName } from './metrics.ts';
import { cleanPath, encodePath, splitTarget, type Target } from './paths.ts';
import type { RecentEnvelopes } from './recent-envelopes.ts';
import {
  answer,
  BAD_REQUEST,
  bare,
  NO_HANDSHAKE,
  NOT_FOUND,
  READ_FORBIDDEN,
  type Refusal,
  type Reply,
} from './refusal.ts';
import { setCookie } from './set-cookie.ts';
import { responseOn, type WebsocketDoors } from './websocket-doors.ts';

export interface FrontDoorOptions {
  readonly doors: WebsocketDoors;
  readonly access: Access;
  readonly accessLog: AccessLog | undefined;
  readonly recent: RecentEnvelopes;
  /** Log Cache's routes; they answer below /api/v1 and /v1, and know who may ask. */
  readonly logCache: Koa.Middleware;
  /** Who serves /v2/read. */
  readonly logStream: HttpProxy | undefined;
  /** Who serves what we don't. */
  readonly platform: HttpProxy | undefined;
  readonly systemDomain: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
}

export interface FrontDoor {
  readonly app: Koa;
  readonly onUpgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
}

const PAGE = `Standpipe, Traffic Controller

websocket  /firehose/SUBSCRIPTION      everything; ?filter-type=logs or metrics
           /apps/GUID/stream           one app
HTTP       /apps/GUID/recentlogs       its recent logs, as multipart/x-protobuf
           /apps/GUID/containermetrics what its instances use
           /api/v1/info
           /api/v1/meta                sources that Log Cache holds
           /api/v1/read/SOURCE         its recent envelopes
           /api/v1/tail/SOURCE         its envelopes as they come, as server-sent events
           /api/v1/query?query=PROMQL  and query_range, labels, series, as Prometheus has them
           /v2/read?log                server-sent events, if a gateway is set
           /set-cookie
`;

/** Paths that are ours whether or not something stands there. */
const OURS = /^\/(firehose|apps|api|v1|set-cookie)(\/|$)/;

/** What Cloud Controller tells nobody but a drain's neighbours, who come to it by mutual TLS. */
const NEIGHBOURS_ONLY = /^\/internal\/.*syslog_drain/i;

const RECENT = /^\/apps\/([^/]+)\/(recentlogs|containermetrics)$/;

export function frontDoor(options: FrontDoorOptions): FrontDoor {
  const app = koaApp(options.log, options.metrics);
  app.use(async (ctx, next) => {
    options.accessLog?.write(ctx.req, options.clock.now());
    const target = splitTarget(ctx.req.url ?? '');
    if (target === undefined) reply(ctx, BAD_REQUEST);
    else await route(ctx, target, { ...options, next });
    if (ctx.respond !== false && ctx.status >= 400) countRefused(options.metrics, ctx.status);
  });
  app.use((ctx) => reply(ctx, NOT_FOUND));

  const plain = app.callback();
  return {
    app,
    onUpgrade: (request, socket, head) => {
      const target = splitTarget(request.url ?? '');
      const door = target && doorOf(target.path, target.query);
      if (door === undefined || cleanPath(target?.path ?? '') !== target?.path) {
        socket.on('error', () => undefined); // A client that breaks off is no error.
        const response = responseOn(socket, request);
        if (hasBody(request)) {
          countRefused(options.metrics, BAD_REQUEST.status);
          answer(response, BAD_REQUEST); // Node reads no body there any more.
        } else {
          void plain(request, response);
        }
        return;
      }
      options.accessLog?.write(request, options.clock.now());
      options.doors.enter(request, socket, head, door).catch((error: unknown) => {
        options.log.limited('upgrade', 'error', { error }, 'a websocket could not be opened');
        socket.destroy();
      });
    },
  };
}

type RouteOptions = FrontDoorOptions & { readonly next: Koa.Next };

async function route(ctx: Koa.Context, target: Target, options: RouteOptions): Promise<void> {
  const { path, query } = target;
  if (/^\/(api|v1)\//.test(path)) {
    await options.logCache(ctx, options.next);
    return;
  }
  const clean = cleanPath(path);
  if (clean !== path) {
    reply(ctx, { ...bare(301), headers: { Location: `${encodePath(clean)}${query}` } });
    return;
  }
  const door = doorOf(path, query);
  const [, appId, recent] = RECENT.exec(path) ?? [];
  if (door !== undefined) {
    reply(ctx, (await options.doors.refusal(ctx.req, door)) ?? NO_HANDSHAKE);
  } else if (appId !== undefined) {
    // The expression names no other.
    await replyRecent(ctx, { name: recent as RecentName, appId, query }, options);
  } else if (path === '/set-cookie') {
    reply(ctx, await setCookie(ctx.req, query, options.systemDomain));
  } else if (path === '/v2/read' && options.logStream !== undefined) {
    await readStream(ctx, target, { ...options, logStream: options.logStream });
  } else if (path === '/' && wantsPage(ctx, options)) {
    ctx.body = PAGE;
  } else if (options.platform && !OURS.test(path) && !NEIGHBOURS_ONLY.test(path)) {
    ctx.respond = false; // What is answered goes past Koa.
    await options.platform.serve(ctx.req, ctx.res, target.raw);
  } else {
    await options.next();
  }
}

/** Browsers; API clients get what Cloud Controller has there, if it is set. */
function wantsPage(ctx: Koa.Context, { platform }: FrontDoorOptions): boolean {
  return platform === undefined || ctx.get('Accept').includes('text/html');
}

async function replyRecent(
  ctx: Koa.Context,
  asked: { readonly name: RecentName; readonly appId: string; readonly query: string },
  { doors, recent }: FrontDoorOptions,
): Promise<void> {
  ctx.set('Access-Control-Allow-Origin', ctx.get('Origin'));
  ctx.set('Access-Control-Allow-Credentials', 'true');
  const refusal = await doors.denial(ctx.req, { name: 'stream', id: asked.appId });
  reply(ctx, refusal ?? (await recent.answer(asked.name, asked.appId, asked.query)));
}

async function readStream(
  ctx: Koa.Context,
  { query, raw }: Target,
  { access, logStream }: { readonly access: Access; readonly logStream: HttpProxy },
): Promise<void> {
  const sourceIds = new URLSearchParams(query).getAll('source_id');
  if (!(await access.mayRead(ctx.req.headers, sourceIds))) {
    reply(ctx, READ_FORBIDDEN);
    return;
  }
  ctx.respond = false; // What is answered goes past Koa.
  await logStream.serve(ctx.req, ctx.res, raw);
}

function hasBody({ headers }: IncomingMessage): boolean {
  return (headers['content-length'] ?? '0') !== '0' || headers['transfer-encoding'] !== undefined;
}

function reply(ctx: Koa.Context, { status, headers, body }: Reply | Refusal): void {
  ctx.body = body.length === 0 ? null : body;
  ctx.status = status;
  ctx.set(headers);
}
