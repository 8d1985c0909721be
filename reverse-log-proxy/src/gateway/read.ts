/**
 * `GET /v2/read`, the gateway's only route.
 *
 *     access ──▶ method ──▶ query ──▶ a stream of the proxy ──▶ 200 and events
 *      404        405        400              503
 *
 * The order of the checks, their statuses and their bodies are those of Loggregator v107.0.21: JSON
 * that is labelled as text, and two line feeds after it. What that one cannot tell, a proxy that
 * refuses, is a 503 here too.
 */

import type * as grpc from '@grpc/grpc-js';
import type { Log } from '@standpipe/plumbing';
import type Koa from 'koa';
import type { Access } from './access.ts';
import type { GatewayMetrics } from './metrics.ts';
import { readRequest } from './query.ts';
import { type SseContext, SseStream } from './sse.ts';
import { openStream, ProxyError } from './upstream.ts';

/** A client that is gone without a word is noticed within a minute or so. */
const KEEPALIVE_MS = 15_000;

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
  readonly metrics: GatewayMetrics;
  readonly log: Log;
}

export class ReadRoute {
  readonly #options: ReadRouteOptions;
  readonly #streams = new Set<SseStream>();
  #isEnding = false;

  constructor(options: ReadRouteOptions) {
    this.#options = options;
  }

  /** Answers a request; resolves when the answer is over. */
  async handle(ctx: Koa.Context): Promise<void> {
    if (ctx.path !== '/v2/read') {
      answer(ctx, 404, '404 page not found\n');
      return;
    }
    const { client, context, metrics, log } = this.#options;
    const request = await this.#check(ctx);
    if (request === undefined) return;
    try {
      const call = await openStream(client, request);
      ctx.respond = false;
      ctx.req.socket.setKeepAlive(true, KEEPALIVE_MS);
      await this.#run(new SseStream(context, ctx.res, call));
    } catch (error) {
      if (!(error instanceof ProxyError)) throw error;
      metrics.unavailable.add(1);
      log.limited('unavailable', 'warn', { reason: error.message }, 'the proxy gave no stream');
      answerError(ctx, 503, UNAVAILABLE);
    }
  }

  /** Ends all streams, and those that are opened from here on. */
  endAll(): void {
    this.#isEnding = true;
    for (const stream of this.#streams) stream.end();
  }

  async #run(stream: SseStream): Promise<void> {
    const { streams } = this.#options.metrics;
    this.#streams.add(stream);
    streams.set(this.#streams.size);
    const over = stream.run();
    if (this.#isEnding) stream.end();
    await over;
    this.#streams.delete(stream);
    streams.set(this.#streams.size);
  }

  /** The encoded request for the proxy; a client that gets none has been told why. */
  async #check(ctx: Koa.Context): Promise<Buffer | undefined> {
    const { access, metrics } = this.#options;
    const query = new URLSearchParams(ctx.querystring);
    const authorization = ctx.get('authorization') || undefined;
    const isAllowed = await access.allows(authorization, query.getAll('source_id'));
    const request = readRequest(query);
    if (isAllowed && ctx.method === 'GET' && Buffer.isBuffer(request)) return request;

    metrics.refused.add(1);
    if (!isAllowed) answerError(ctx, 404, NOT_FOUND);
    else if (ctx.method !== 'GET') answerError(ctx, 405, BAD_METHOD);
    else if (!Buffer.isBuffer(request)) answerError(ctx, 400, request);
    return undefined;
  }
}

function answerError(
  ctx: Koa.Context,
  status: number,
  { message, error }: { readonly message: string; readonly error: string },
): void {
  answer(ctx, status, `${JSON.stringify({ message, error })}\n\n`);
}

function answer(ctx: Koa.Context, status: number, text: string): void {
  ctx.status = status;
  ctx.set('Content-Type', 'text/plain; charset=utf-8');
  ctx.set('X-Content-Type-Options', 'nosniff');
  ctx.body = text;
}
