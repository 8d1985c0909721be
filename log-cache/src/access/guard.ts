/**
 * Who may ask a log cache what: the rules of log-cache-release's cf-auth-proxy v3.2.0, before the
 * routes that answer.
 *
 *     info                               everybody
 *     read/SOURCE, tail/SOURCE           who may read the source
 *     meta, labels, series, …            everybody with a good token, of the sources that he may read
 *     query, query_range                 who may read the sources that the query names; if it reads
 *                                        none (`1+1`), everybody with a good token
 *     status/…                           everybody with a good token
 *
 * There is no 401 and no 403: who may not is answered 404 and not a word, so that nobody learns what
 * there is. Until UAA has given its keys for the first time nobody's token can be judged: all are
 * answered 503, as silently. Refusals are counted by their reason. A tail outlives the token that it
 * began with.
 *
 * What a request may see is left at it (view.ts): the routes show nothing else, whatever the rules
 * here have let pass.
 */

import { setImmediate as nextRound } from 'node:timers/promises';
import { authorizationOf, bareToken, type Metrics } from '@standpipe/plumbing';
import type { Context, Middleware, Next } from 'koa';
import { QueryError } from '../promql/errors.ts';
import { sourceIdsIn } from '../promql/sources.ts';
import { TOKENS_MAX } from '../promql/token-count.ts';
import { ReadError } from '../read-error.ts';
import { readForm, replaceInForm } from '../rest/form.ts';
import { sourceIdOf } from '../rest/params.ts';
import { cleanPath } from '../rest/paths.ts';
import { currentPath, isLogCachePath, isServed } from '../rest/routes.ts';
import { accessRefused, type RefusalReason } from './access-metrics.ts';
import { type AllowedQuery, type AskedQuery, allowedQuery, type QueryAccess } from './queries.ts';
import type { Identity, Tokens } from './tokens.ts';
import { setView } from './view.ts';

export interface GuardOptions extends QueryAccess {
  readonly tokens: Tokens;
  readonly metrics: Metrics;
  /** Whether a token may come as a cookie, as it does at the front door. */
  readonly takesCookies: boolean;
  /** Whether PromQL is said not to be there. */
  readonly promQlUnimplemented: boolean;
}

type Rule =
  | { readonly kind: 'open' | 'token' | 'listed' | 'query' }
  | { readonly kind: 'source'; readonly sourceId: string | undefined };

const OPEN = '/api/v1/info';
const QUERIES: readonly string[] = ['/api/v1/query', '/api/v1/query_range'];
const LISTED = /^\/api\/v1\/(?:meta|series|metadata|labels|label\/[^/]+\/values)$/;
const TOKEN = /^\/api\/v1\/(?:status\/[^/]+|rules|alerts|query_exemplars)$/;
const SOURCE = /^\/api\/v1\/(?:read|tail)\/([^/]+)$/;

const NO_PAGE = '404 page not found\n';
const NO_SOURCES = 'query does not request any source_ids';
const UNIMPLEMENTED = { status: 'error', errorType: 'bad_data', error: 'Metrics not available' };

export class Guard {
  readonly #options: GuardOptions;

  constructor(options: GuardOptions) {
    this.#options = options;
  }

  /** The routes, for those who may. */
  before(routes: Middleware): Middleware {
    return async (ctx, next) => {
      const path = cleanPath(ctx.path);
      // Neither is answered with anything but another path.
      if (!isLogCachePath(path) || path !== ctx.path) return routes(ctx, next);
      return this.#judge(ctx, currentPath(path), () => routes(ctx, next));
    };
  }

  async #judge(ctx: Context, path: string, allowed: Next): Promise<void> {
    if (this.#options.promQlUnimplemented && path.startsWith('/api/v1/query')) {
      this.#count('unimplemented');
      ctx.body = `${JSON.stringify(UNIMPLEMENTED, undefined, 2)}\n`;
      ctx.status = 501;
      return undefined;
    }
    const rule = ruleOf(path);
    if (rule === undefined) return this.#refusePath(ctx);
    if (rule.kind === 'open') return allowed();
    const token = this.#tokenOf(ctx);
    if (token === '') return this.#refuse(ctx, 'no-token');
    if (rule.kind === 'query') return this.#judgeQuery(ctx, token, allowed);

    const identity = await this.#identify(ctx, token);
    if (identity === undefined) return undefined;
    const { permissions } = this.#options;
    if (rule.kind === 'source') {
      const { sourceId } = rule;
      // An administrator is told what is wrong with an id that can't be read.
      const may =
        sourceId === undefined ? identity.isAdmin : await permissions.mayRead(identity, sourceId);
      if (!may) return this.#refuse(ctx, 'not-allowed');
      const sources = sourceId === undefined ? undefined : new Set([sourceId]);
      setView(ctx, { sources, client: identity.subject });
      return allowed();
    }
    setView(ctx, {
      sources: rule.kind === 'token' ? new Set() : await permissions.sourcesOf(identity),
    });
    return allowed();
  }

  /** Syntax is looked at before the token, as in the original. */
  async #judgeQuery(ctx: Context, token: string, allowed: Next): Promise<void> {
    const served = isServed(ctx);
    let query = '';
    let ids: readonly string[] | undefined;
    if (served) {
      try {
        const form = await readForm(ctx);
        query = String(form.get('query')?.[0] ?? '');
        await ownTurn(query);
        ids = sourceIdsIn(query);
      } catch (error) {
        return this.#refuseQuery(ctx, 'bad-query', mistakeOf(error));
      }
    }
    const identity = await this.#identify(ctx, token);
    if (identity === undefined) return undefined;
    if (!served) return allowed(); // It gets no answer but that there is none.
    if (ids === undefined) {
      if (!identity.isAdmin) return this.#refuseQuery(ctx, 'no-source', NO_SOURCES);
      setView(ctx, { sources: undefined });
      return allowed();
    }
    return this.#answerQuery(ctx, { identity, query, ids }, allowed);
  }

  async #answerQuery(ctx: Context, asked: AskedQuery, allowed: Next): Promise<void> {
    let granted: AllowedQuery | undefined;
    try {
      await ownTurn(asked.query);
      granted = await allowedQuery(this.#options, asked);
    } catch (error) {
      return this.#refuseQuery(ctx, 'bad-query', mistakeOf(error));
    }
    if (granted === undefined) return this.#refuse(ctx, 'not-allowed');
    if (granted.query !== asked.query) await replaceInForm(ctx, 'query', granted.query);
    setView(ctx, { sources: granted.sources });
    return allowed();
  }

  /** Whose token it is; undefined, when the request has been refused. */
  async #identify(ctx: Context, token: string): Promise<Identity | undefined> {
    const { tokens } = this.#options;
    if (!(await tokens.canJudge())) {
      this.#refuse(ctx, 'no-keys', 503);
      return undefined;
    }
    const identity = await tokens.identify(token);
    if (identity === undefined) this.#refuse(ctx, 'bad-token');
    return identity;
  }

  #tokenOf(ctx: Context): string {
    const { headers } = ctx.req;
    return bareToken(
      this.#options.takesCookies ? authorizationOf(headers) : (headers.authorization ?? ''),
    );
  }

  #refuse(ctx: Context, reason: RefusalReason, status = 404): void {
    this.#count(reason);
    empty(ctx, status);
  }

  #refusePath(ctx: Context): void {
    this.#count('unknown-path');
    ctx.status = 404;
    ctx.set({ 'Content-Type': 'text/plain; charset=utf-8', 'X-Content-Type-Options': 'nosniff' });
    ctx.body = NO_PAGE;
  }

  #refuseQuery(ctx: Context, reason: RefusalReason, error: string): void {
    this.#count(reason);
    ctx.status = 400;
    ctx.set('Content-Type', 'application/json');
    const body = { status: 'error', errorType: 'bad_data', error };
    ctx.body = Buffer.from(`${JSON.stringify(body)}\n`);
  }

  #count(reason: RefusalReason): void {
    accessRefused(this.#options.metrics, reason).add(1);
  }
}

/** Undefined: there is nothing at this path. */
function ruleOf(path: string): Rule | undefined {
  if (path === OPEN) return { kind: 'open' };
  if (QUERIES.includes(path)) return { kind: 'query' };
  if (LISTED.test(path)) return { kind: 'listed' };
  if (TOKEN.test(path)) return { kind: 'token' };
  const [, encoded] = SOURCE.exec(path) ?? [];
  return encoded === undefined ? undefined : { kind: 'source', sourceId: idOf(encoded) };
}

/** Undefined: it is no text, so there can be no such source. */
function idOf(encoded: string): string | undefined {
  try {
    return sourceIdOf(`/${encoded}`);
  } catch (error) {
    if (error instanceof ReadError) return undefined;
    throw error;
  }
}

/** What a query or its form has wrong; whatever else it is, is thrown on. */
function mistakeOf(error: unknown): string {
  if (error instanceof ReadError || error instanceof QueryError) return error.message;
  throw error;
}

/** A long query is read more than once: each time in a turn of its own. */
async function ownTurn(query: string): Promise<void> {
  if (query.length > TOKENS_MAX) await nextRound();
}

/** An answer without a word. */
function empty(ctx: Context, status: number): void {
  ctx.body = null;
  ctx.status = status;
}
