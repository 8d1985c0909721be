/**
 * The front door: which path leads where.
 *
 *     /firehose/:id, /apps/:guid/stream   websockets                     websocket-doors.ts
 *     /set-cookie                         a cookie for browsers          set-cookie.ts
 *     /api/v1/…                           Log Cache over all Dopplers    @standpipe/log-cache
 *     /v2/read                            the gateway's event stream     log-stream-proxy.ts
 *     /                                   says what there is
 *
 * A path that is not in its shortest form is redirected, outside /api, where it may hold a source
 * id; everything else is Go's 404. A request for an upgrade that no door gives is served as if it
 * had not asked, as HTTP wants it.
 */

import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type Clock, koaApp, type Log, type Metrics } from '@standpipe/plumbing';
import type Koa from 'koa';
import type { AccessLog } from './access-log.ts';
import type { Access } from './auth.ts';
import { doorOf } from './firehose.ts';
import { type LogStreamProxy, READ_FORBIDDEN } from './log-stream-proxy.ts';
import { cleanPath, encodePath, splitTarget } from './paths.ts';
import { BAD_PATH, bare, NO_HANDSHAKE, NOT_FOUND, type Refusal } from './refusal.ts';
import { setCookie } from './set-cookie.ts';
import { responseOn, type WebsocketDoors } from './websocket-doors.ts';

export interface FrontDoorOptions {
  readonly doors: WebsocketDoors;
  readonly access: Access;
  readonly accessLog: AccessLog | undefined;
  readonly logStream: LogStreamProxy | undefined;
  /** Log Cache's routes; they answer below /api/v1. */
  readonly logCache: Koa.Middleware;
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
HTTP       /api/v1/info
           /api/v1/meta                sources that Log Cache holds
           /api/v1/read/SOURCE         its recent envelopes
           /v2/read?log                server-sent events, if a gateway is set
           /set-cookie
`;

export function frontDoor(options: FrontDoorOptions): FrontDoor {
  const app = koaApp(options.log, options.metrics);
  app.use(async (ctx, next) => {
    options.accessLog?.write(ctx.req, options.clock.now());
    const target = splitTarget(ctx.req.url ?? '');
    if (target === undefined) reply(ctx, BAD_PATH);
    else await route(ctx, { ...target, next }, options);
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
        void plain(request, responseOn(socket, request));
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

async function route(
  ctx: Koa.Context,
  target: { readonly path: string; readonly query: string; readonly next: Koa.Next },
  options: FrontDoorOptions,
): Promise<void> {
  const { path, query, next } = target;
  if (path.startsWith('/api/')) {
    // Its router may match in other ways than we do here, so it is asked below /api only.
    if (!(await mayReadCache(ctx, path, options.access))) reply(ctx, bare(404));
    else await options.logCache(ctx, next);
    return;
  }
  const clean = cleanPath(path);
  if (clean !== path) {
    reply(ctx, { ...bare(301), headers: { Location: `${encodePath(clean)}${query}` } });
    return;
  }
  const door = doorOf(path, query);
  if (door !== undefined) {
    reply(ctx, (await options.doors.refusal(ctx.req, door)) ?? NO_HANDSHAKE);
  } else if (path === '/set-cookie') {
    reply(ctx, await setCookie(ctx.req, query, options.systemDomain));
  } else if (path === '/v2/read' && options.logStream !== undefined) {
    await readStream(ctx, query, { ...options, logStream: options.logStream });
  } else if (path === '/') {
    ctx.body = PAGE;
  } else {
    await next();
  }
}

async function readStream(
  ctx: Koa.Context,
  query: string,
  { access, logStream }: { readonly access: Access; readonly logStream: LogStreamProxy },
): Promise<void> {
  const sourceIds = new URLSearchParams(query).getAll('source_id');
  if (!(await access.mayRead(ctx.req.headers, sourceIds))) {
    reply(ctx, READ_FORBIDDEN);
    return;
  }
  ctx.respond = false; // What is answered goes past Koa.
  await logStream.serve(ctx.req, ctx.res);
}

/** `info` is for all; a source, for who may see it; the rest, for operators. */
function mayReadCache(ctx: Koa.Context, path: string, access: Access): Promise<boolean> {
  if (path === '/api/v1/info') return Promise.resolve(true);
  const sourceId = /^\/api\/v1\/read\/(.+)$/.exec(path)?.[1];
  return access.mayRead(ctx.req.headers, sourceId === undefined ? [] : [sourceId]);
}

function reply(ctx: Koa.Context, refusal: Refusal): void {
  ctx.body = refusal.body === '' ? null : refusal.body;
  ctx.status = refusal.status;
  ctx.set(refusal.headers);
}
