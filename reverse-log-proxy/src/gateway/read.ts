/**
 * `GET /v2/read`, the gateway's only route.
 *
 *     access ──▶ method ──▶ query ──▶ a stream of the proxy ──▶ 200 and events
 *      404        405        400           503, 400
 *
 * The order of the checks, their statuses and their bodies are those of Loggregator v107.0.21: JSON
 * that is labelled as text, and two line feeds after it. What that one cannot tell, a proxy that
 * refuses, is told here before there is a 200: a 400 when it finds fault with the request, else a
 * 503. A proxy that is away is waited for first.
 */

import * as grpc from '@grpc/grpc-js';
import type { Log } from '@standpipe/plumbing';
import type Koa from 'koa';
import type { Access } from './access.ts';
import type { GatewayMetrics } from './metrics.ts';
import { parseQuery, readRequest } from './query.ts';
import { type SseContext, SseStream } from './sse.ts';
import { openStream, ProxyError } from './upstream.ts';

/**
 * A client that is gone without a word is noticed before the next heartbeat is due: once that one is
 * on its way, the kernel goes on trying to deliver it for a quarter of an hour.
 */
const KEEPALIVE_MS = 4000;

const NOT_FOUND = { message: 'resource not found', error: 'not_found' };
const BAD_METHOD = { message: 'method not allowed', error: 'method_not_allowed' };
const UNAVAILABLE = {
  message: 'streaming is temporarily unavailable',
  error: 'streaming_unavailable',
};

export interface ReadRouteOptions {
  readonly access: Access;
  /** A client of the reverse log proxy. */
  readonly client: grpc.Client;
  readonly context: SseContext;
  /** How long the proxy may be away before a request is answered 503. */
  readonly proxyWaitMs: number;
  readonly metrics: GatewayMetrics;
  readonly log: Log;
}

export class ReadRoute {
  readonly #options: ReadRouteOptions;
  readonly #streams = new Set<SseStream>();
  readonly #ending = new AbortController();

  constructor(options: ReadRouteOptions) {
    this.#options = options;
  }

  /** Answers a request. Resolves when the answer is over, with how long its body was. */
  async handle(ctx: Koa.Context): Promise<number> {
    if (ctx.path !== '/v2/read') {
      this.#options.metrics.refused.add(1);
      return answer(ctx, 404, '404 page not found\n');
    }
    const gone = new AbortController();
    ctx.res.once('close', () => gone.abort());
    const request = await this.#check(ctx);
    if (!Buffer.isBuffer(request)) return request;
    try {
      return await this.#stream(ctx, request, gone.signal);
    } catch (error) {
      if (!(error instanceof ProxyError)) throw error;
      return this.#refused(ctx, error);
    }
  }

  /** Ends all streams, and those that are opened from here on. */
  endAll(): void {
    this.#ending.abort();
    for (const stream of this.#streams) stream.end('shutdown');
  }

  async #stream(ctx: Koa.Context, request: Buffer, gone: AbortSignal): Promise<number> {
    const { client, context, metrics, proxyWaitMs: waitMs } = this.#options;
    const signal = AbortSignal.any([gone, this.#ending.signal]);
    const call = await openStream(client, request, { waitMs, signal });
    ctx.respond = false;
    ctx.req.socket.setKeepAlive(true, KEEPALIVE_MS);
    const stream = new SseStream(context, { response: ctx.res, call, gone });
    this.#streams.add(stream);
    metrics.streams.set(this.#streams.size);
    const over = stream.run();
    if (this.#ending.signal.aborted) stream.end('shutdown');
    await over;
    this.#streams.delete(stream);
    metrics.streams.set(this.#streams.size);
    return stream.byteLength;
  }

  #refused(ctx: Koa.Context, { code, message }: ProxyError): number {
    const { metrics, log } = this.#options;
    if (code === grpc.status.INVALID_ARGUMENT) {
      metrics.refused.add(1);
      return answerError(ctx, 400, { message, error: 'invalid_argument' });
    }
    metrics.unavailable.add(1);
    log.limited('unavailable', 'warn', { reason: message }, 'the proxy gave no stream');
    return answerError(ctx, 503, UNAVAILABLE);
  }

  /** The encoded request for the proxy; or the length of the answer that says why there is none. */
  async #check(ctx: Koa.Context): Promise<Buffer | number> {
    const { access, metrics } = this.#options;
    const query = parseQuery(ctx.querystring);
    const authorization = ctx.get('authorization') || undefined;
    const isAllowed = await access.allows(authorization, query.getAll('source_id'));
    const request = readRequest(query);
    if (isAllowed && ctx.method === 'GET' && Buffer.isBuffer(request)) return request;

    metrics.refused.add(1);
    if (!isAllowed) return answerError(ctx, 404, NOT_FOUND);
    if (ctx.method !== 'GET' || Buffer.isBuffer(request)) return answerError(ctx, 405, BAD_METHOD);
    return answerError(ctx, 400, request);
  }
}

function answerError(
  ctx: Koa.Context,
  status: number,
  { message, error }: { readonly message: string; readonly error: string },
): number {
  return answer(ctx, status, `${JSON.stringify({ message, error })}\n\n`);
}

function answer(ctx: Koa.Context, status: number, text: string): number {
  ctx.status = status;
  ctx.set('Content-Type', 'text/plain; charset=utf-8');
  ctx.set('X-Content-Type-Options', 'nosniff');
  ctx.body = text;
  return ctx.method === 'HEAD' ? 0 : text.length;
}
