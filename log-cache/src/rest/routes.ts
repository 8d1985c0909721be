/**
 * The REST API of the log cache, over whatever reads: a node, or the front door.
 *
 *     GET /api/v1/read/SOURCE   ?start_time &end_time &limit &envelope_types &descending &name_filter
 *                               &contains &matches &tag
 *     GET /api/v1/tail/SOURCE   as it comes; the same filters, ?start_time
 *     GET /api/v1/meta          ?local_only
 *     GET /api/v1/info
 *     GET /api/v1/query, …      PromQL (../promql/routes.ts)
 *
 * Clients of before release 2.0 ask for /v1/read, /v1/meta, /v1/promql and /v1/promql_range, and get
 * the same.
 *
 * It answers as the gateway of log-cache-release v3.2.0, status for status and text for text. An
 * answer that lacks nodes which could not be reached says which in `Standpipe-Partial: ZONE/INDEX,…`.
 * `logCacheRoutes` takes what is under /api/v1 and /v1, and leaves the rest to whoever comes after it; an
 * application that serves nothing else puts `logCacheNotFound` behind it.
 */

import { uptime } from 'node:os';
import { status } from '@grpc/grpc-js';
import type { Metrics } from '@standpipe/plumbing';
import { JsonWriter } from '@standpipe/protos';
import type { Context, Middleware } from 'koa';
import { clientOf, isVisible, viewOf } from '../access/view.ts';
import { AnswersInFlight } from '../answers-in-flight.ts';
import { EnvelopeFilter } from '../envelope-filter.ts';
import { writtenOnce } from '../meta-bytes.ts';
import type { Querier } from '../promql/querier.ts';
import { answerPromQl, isPromQlPath } from '../promql/routes.ts';
import { ReadError, type Reader } from '../reader.ts';
import type { Tails } from '../tail/tail.ts';
import { answer, answerResult } from './answer.ts';
import { Compression } from './compression.ts';
import { placesOf } from './event-id.ts';
import { readForm } from './form.ts';
import { errorBody, infoBody, metaBody, promQlErrorBody, proxyMetaBody, readBody } from './json.ts';
import { answerMeta, answerProxyMeta } from './meta.ts';
import { readParams, sourceIdOf, tailParams } from './params.ts';
import { cleanPath, redirect } from './paths.ts';
import { httpStatusOf } from './status.ts';
import { answerTail } from './tail.ts';
import { TailShares } from './tail-shares.ts';
import { answerOf, timeoutOf } from './timeout.ts';

export type MetaDialect = 'gateway' | 'auth-proxy';

export interface LogCacheRoutesOptions {
  /** The SemVer that clients are told; they want at least 2.1.0 to filter by names. */
  readonly version?: string;
  /** How long the machine has been up. */
  readonly uptimeSeconds?: () => number;
  /**
   * How meta is written: as the original's gateway does, which is the default, or as its auth proxy,
   * which is what clients outside know.
   */
  readonly metaDialect?: MetaDialect;
  /** Who answers PromQL; without it there are no such paths. */
  readonly querier?: Querier | undefined;
  /** Who gives tails; without it there is no such path. */
  readonly tails?: Tails | undefined;
  /** Counts what is refused. */
  readonly metrics?: Metrics | undefined;
  /** Bounds what is on its way to those who read; by default to 256 MiB. */
  readonly answers?: AnswersInFlight | undefined;
  /** After how long without events a tail says that it lives. Default 15 s. */
  readonly tailHeartbeatMs?: number | undefined;
}

const VERSION_DEFAULT = '3.2.0';
const ROOT = '/api/v1';
const READ = `${ROOT}/read`;
const TAIL = `${ROOT}/tail`;
const OLD_ROOT = '/v1';

export function logCacheRoutes(reader: Reader, options: LogCacheRoutesOptions = {}): Middleware {
  const { version = VERSION_DEFAULT, uptimeSeconds = uptime, tails, querier } = options;
  const { tailHeartbeatMs: heartbeatMs } = options;
  const isProxy = options.metaDialect === 'auth-proxy';
  const writer = new JsonWriter();
  const metaOnce = writtenOnce(isProxy ? proxyMetaBody : metaBody);
  const compression = new Compression();
  const shares = new TailShares(options.metrics);
  const answers = options.answers ?? new AnswersInFlight(options.metrics);
  return async (ctx, next) => {
    const clean = cleanPath(ctx.path);
    if (!isLogCachePath(clean)) return next();
    if (clean !== ctx.path) return redirect(ctx, clean);
    const path = currentPath(clean);

    if (path === `${ROOT}/info`) {
      answer(ctx, 200, infoBody(version, uptimeSeconds()));
      ctx.set('Content-Type', 'text/plain; charset=utf-8'); // What Go makes of it.
    } else if (querier !== undefined && isPromQlPath(path.slice(ROOT.length + 1))) {
      const options = { querier, compression, answers };
      if (isServed(ctx)) await answerPromQl(ctx, path.slice(ROOT.length + 1), options);
      else answer(ctx, 501, promQlErrorBody('Method Not Allowed'));
    } else if (path === READ || path.startsWith(`${READ}/`)) {
      await answerCall(ctx, () =>
        answerRead(ctx, { reader, writer, compression, answers, path: path.slice(READ.length) }),
      );
    } else if (tails !== undefined && path.startsWith(`${TAIL}/`)) {
      await answerCall(ctx, () =>
        tail(ctx, { tails, shares, writer, heartbeatMs, path: path.slice(TAIL.length) }),
      );
    } else if (path === `${ROOT}/meta` && isProxy) {
      await answerProxyMeta(ctx, { reader, compression, answers, bodyOf: metaOnce });
    } else if (path === `${ROOT}/meta`) {
      await answerCall(ctx, () =>
        answerMeta(ctx, { reader, compression, answers, bodyOf: metaOnce }),
      );
    } else {
      answerNotFound(ctx);
    }
    return undefined;
  };
}

/** Whether a path is for the log cache, under its name of today or its old one. */
export function isLogCachePath(path: string): boolean {
  return [ROOT, OLD_ROOT].some((root) => path === root || path.startsWith(`${root}/`));
}

/** The name that a path has had since release 2.0. */
export function currentPath(path: string): string {
  if (path !== OLD_ROOT && !path.startsWith(`${OLD_ROOT}/`)) return path;
  const renamed = path.slice(OLD_ROOT.length).replace(/^\/promql(_range)?$/, '/query$1');
  return `${ROOT}${renamed}`;
}

/** What a log cache answers to all other paths. */
export function logCacheNotFound(): Middleware {
  return async (ctx) => {
    const path = cleanPath(ctx.path);
    if (path !== ctx.path) redirect(ctx, path);
    else answerNotFound(ctx);
  };
}

interface ReadOptions {
  readonly reader: Reader;
  readonly writer: JsonWriter;
  readonly compression: Compression;
  readonly answers: AnswersInFlight;
  /** What stands behind the route's own path. */
  readonly path: string;
}

async function answerRead(
  ctx: Context,
  { reader, writer, compression, answers, path }: ReadOptions,
): Promise<void> {
  const hold = answers.beginWith(ctx.res);
  const timeoutMs = timeoutOf(ctx.get('Grpc-Timeout'));
  const form = await readForm(ctx);
  const sourceId = sourceIdOf(path);
  if (sourceId === undefined) return answerBadPath(ctx);
  if (!isVisible(sourceId, viewOf(ctx))) return answerNotFound(ctx);
  const request = readParams(sourceId, form);
  const { batch, unreachable } = await answerOf(ctx, timeoutMs, (until) =>
    reader.read(request, until),
  );
  hold.resize(batch.byteLength);
  const body = await readBody(batch, writer);
  hold.resize(body.length);
  await answerResult(ctx, { body, unreachable, compression, hold });
}

interface TailOptions {
  readonly tails: Tails;
  readonly shares: TailShares;
  readonly writer: JsonWriter;
  readonly heartbeatMs: number | undefined;
  readonly path: string;
}

async function tail(
  ctx: Context,
  { tails, shares, writer, heartbeatMs, path }: TailOptions,
): Promise<void> {
  const form = await readForm(ctx);
  const sourceId = sourceIdOf(path);
  if (sourceId === undefined) return answerBadPath(ctx);
  if (!isVisible(sourceId, viewOf(ctx))) return answerNotFound(ctx);
  const { read, backlog } = tailParams(sourceId, form);
  new EnvelopeFilter(read); // Refused here, before an answer has begun.
  const after = placesOf(ctx.get('Last-Event-ID'));
  using _share = shares.take(clientOf(ctx));
  await answerTail(ctx, { tails, request: { read, backlog, after }, writer, heartbeatMs });
}

/** What Go's server says of escapes that are none. */
function answerBadPath(ctx: Context): void {
  ctx.set('Content-Type', 'text/plain; charset=utf-8');
  ctx.set('Connection', 'close');
  ctx.status = 400;
  ctx.body = '400 Bad Request';
}

/** Answers a call of the gRPC API: by what it gives, or by the status that it fails with. */
async function answerCall(ctx: Context, call: () => Promise<void>): Promise<void> {
  if (!isServed(ctx)) {
    answer(ctx, 501, errorBody(status.UNIMPLEMENTED, 'Method Not Allowed'));
    return;
  }
  try {
    await call();
  } catch (error) {
    if (!(error instanceof ReadError)) throw error;
    answer(ctx, httpStatusOf(error.code), errorBody(error.code, error.message));
  }
}

function answerNotFound(ctx: Context): void {
  answer(ctx, 404, errorBody(status.NOT_FOUND, 'Not Found'));
}

/** With what parameters ever: browsers say a charset, which the original refuses. */
const FORM_TYPE = /^application\/x-www-form-urlencoded *(?:;|$)/i;

/** GET, and a POST that is a form and so as good as GET, if it doesn't ask for something else. */
export function isServed(ctx: Context): boolean {
  if (ctx.method === 'GET') return true;
  if (ctx.method !== 'POST' || !FORM_TYPE.test(ctx.get('Content-Type'))) return false;
  const wanted = ctx.get('X-HTTP-Method-Override').toUpperCase();
  return wanted === '' || wanted === 'GET' || wanted === 'POST';
}
