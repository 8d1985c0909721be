/**
 * What Cloud Controller tells the logging system:
 *
 *     GET /internal/v4/log_access/GUID       200 if the bearer may read that app's logs
 *     GET /internal/v5/syslog_drain_urls     who drains where, with the keys of the drains
 *
 * The real one serves the second over mutual TLS only. Here it is not served to what comes through
 * a proxy, so that it is not to be had at the front door.
 */

import type { Context } from 'koa';
import type Router from 'koa-router';
import type { PlatformContext } from '../context.ts';
import type { App, Drain } from '../model.ts';
import { ApiError, badQuery, unknownRequest } from './api-error.ts';
import { viewerOf } from './viewer.ts';

const BATCH_DEFAULT = 50;
const COUNT_MAX = 1_000_000;
const HOSTNAME_PART_LENGTH_MAX = 63;
/** By these a request tells that it was forwarded. */
const FORWARDED = ['forwarded', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto'];

export function internalRoutes(router: Router, platform: PlatformContext): void {
  const { metrics } = platform;

  router.get('/internal/v4/log_access/:guid', async (ctx) => {
    try {
      const { apps } = await viewerOf(platform, ctx);
      if (!apps.some(({ guid }) => guid === ctx.params.guid)) throw unknownRequest();
      metrics.logAccess('allowed').add(1);
      ctx.status = 200;
      ctx.body = '';
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      metrics.logAccess(error.status === 401 ? 'unauthorized' : 'refused').add(1);
      throw error.status === 401 ? error : unknownRequest();
    }
  });

  router.get('/internal/v5/syslog_drain_urls', (ctx) => {
    if (FORWARDED.some((header) => ctx.get(header) !== '')) throw unknownRequest();
    const size = countIn(ctx, 'batch_size') || BATCH_DEFAULT;
    const start = countIn(ctx, 'next_id');
    const all = bindingsOf(platform.model().apps);
    const next = start + size;
    ctx.body = {
      results: all.slice(start, next),
      ...(next < all.length && { next_id: next }),
    };
  });
}

function countIn(ctx: Context, name: string): number {
  const text = new URLSearchParams(ctx.querystring).get(name) ?? '0';
  const count = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (count <= COUNT_MAX) return count;
  throw badQuery(`${name} must be between 0 and ${COUNT_MAX}`);
}

interface Binding {
  readonly url: string;
  readonly credentials: Credentials[];
}

interface Credentials {
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
  readonly apps: { readonly hostname: string; readonly app_id: string }[];
}

/** By URL, and under each URL by what the drain is shown. */
function bindingsOf(apps: readonly App[]): readonly Binding[] {
  const byUrl = new Map<string, Binding>();
  for (const app of apps) {
    for (const drain of app.drains) {
      const binding = byUrl.get(drain.url) ?? { url: drain.url, credentials: [] };
      byUrl.set(drain.url, binding);
      credentialsFor(binding, drain).apps.push({ hostname: hostnameOf(app), app_id: app.guid });
    }
  }
  return [...byUrl.values()].sort((a, b) => (a.url < b.url ? -1 : 1));
}

function credentialsFor({ credentials }: Binding, { cert, key, ca }: Drain): Credentials {
  const known = credentials.find((one) => one.cert === cert && one.key === key && one.ca === ca);
  if (known) return known;
  const made: Credentials = { cert, key, ca, apps: [] };
  credentials.push(made);
  return made;
}

/** `organization.space.app`, of each what may stand in a host's name. */
function hostnameOf({ name, space }: App): string {
  return [space.organization.name, space.name, name]
    .map((part) =>
      part
        .replaceAll(/\s+/g, '-')
        .replaceAll(/[^-a-zA-Z0-9]+/g, '')
        .replace(/-+$/, '')
        .slice(0, HOSTNAME_PART_LENGTH_MAX),
    )
    .join('.');
}
