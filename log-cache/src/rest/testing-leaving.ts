/** A client who leaves while others are asked what it may see, and how its request goes on then. */

import { EventEmitter, once } from 'node:events';
import http from 'node:http';
import { koaApp, listenHttp } from '@standpipe/plumbing';
import type { ExecutionContext } from 'ava';
import type { Middleware } from 'koa';
import { silent } from '../testing-cluster.ts';

/** Resolves when the routes have done what they do for one who has left. */
export async function leaveWhileAsked(
  t: ExecutionContext,
  path: string,
  routes: Middleware,
): Promise<void> {
  const log = silent();
  const asked = new EventEmitter();
  const app = koaApp(log)
    .use(async (ctx, next) => {
      const closed = once(ctx.res, 'close');
      asked.emit('asked');
      await closed;
      await next();
      asked.emit('over');
    })
    .use(routes);
  const listener = await listenHttp({ address: '127.0.0.1:0', app, log, drainMs: 0 });
  t.teardown(() => listener[Symbol.asyncDispose]());
  const whenAsked = once(asked, 'asked');
  const whenOver = once(asked, 'over');
  const request = http.get({ port: listener.port, path, agent: false });
  request.on('error', () => undefined);
  await whenAsked;
  request.destroy();
  await whenOver;
}
