/**
 * The Koa application at the front of our HTTP servers.
 *
 * An error below 500 is the caller's, who is told what it was; anything else is ours: the caller
 * gets a plain 500 (or its own status and, if it says `expose`, its message) and the log gets the
 * error. A client that goes away in the middle of an answer is no error.
 */

import Koa from 'koa';
import { countRefused } from './http-refused.ts';
import type { Log } from './log.ts';
import type { Metrics } from './metrics.ts';

/** A Koa application that answers errors as said above, and counts them if it has metrics. */
export function koaApp(log: Log, metrics?: Metrics): Koa {
  const app = new Koa();
  app.silent = true;
  app.on('error', (error: Error & { code?: string }) => {
    if (GONE.has(error.code ?? '')) return;
    log.limited('http-stream', 'warn', { error }, 'an answer could not be finished');
  });
  app.use(async (ctx, next) => {
    try {
      await next();
      const answered = ctx.body !== undefined || ctx.respond === false || ctx.headerSent;
      if (ctx.status === 404 && !answered) ctx.throw(404, 'not found');
    } catch (error) {
      answerError(ctx, error, log);
      if (metrics) countRefused(metrics, ctx.status);
    }
  });
  return app;
}

/** What a vanished client looks like. */
const GONE: ReadonlySet<string> = new Set([
  'ERR_STREAM_PREMATURE_CLOSE',
  'ERR_STREAM_DESTROYED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
]);

/** What spoke of an answer that will not be given now. */
const STALE_HEADERS = ['Content-Encoding', 'ETag', 'Last-Modified', 'Cache-Control'];

function answerError(ctx: Koa.Context, error: unknown, log: Log): void {
  const status = statusOf(error);
  if (status >= 500) {
    const fields = { error, method: ctx.method, path: ctx.path };
    log.limited('http-500', 'error', fields, 'a request failed');
  }
  if (ctx.headerSent) {
    ctx.res.destroy();
    return;
  }
  for (const header of STALE_HEADERS) ctx.remove(header);
  ctx.status = status;
  if (error instanceof Error && 'headers' in error) {
    ctx.set(error.headers as Record<string, string>); // What http-errors carry for their answer.
  }
  ctx.body = { error: isForCaller(error, status) ? error.message : 'internal error' };
}

/** What a caller may read: the message of an error below 500, or one that says `expose: true`. */
function isForCaller(error: unknown, status: number): error is Error {
  if (!(error instanceof Error)) return false;
  return status < 500 || ('expose' in error && error.expose === true);
}

/** The status that an error asks for by `status`; 500, if it asks for none below that. */
function statusOf(error: unknown): number {
  if (!(error instanceof Error) || !('status' in error)) return 500;
  const { status } = error;
  return typeof status === 'number' && status >= 400 && status < 600 ? status : 500;
}
