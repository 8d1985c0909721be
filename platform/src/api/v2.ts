/**
 * Version 2 of Cloud Controller's API, which older nozzles and plugins speak: lists with `q`, each
 * thing by its GUID, and what is in a space or an organization. `inline-relations-depth` puts an
 * app's space, and at 2 the space's organization, into its entity.
 */

import type Router from 'koa-router';
import type { PlatformContext } from '../context.ts';
import type { App, Organization, ServiceInstance, Space, View } from '../model.ts';
import { ApiError, badQuery } from './api-error.ts';
import { CREATED_AT } from './created-at.ts';
import { pageV2 } from './page.ts';
import { viewerOf } from './viewer.ts';

interface Kind<T extends { readonly guid: string }> {
  readonly path: string;
  readonly missing: { readonly code: number; readonly title: string; readonly told: string };
  readonly items: (view: View) => readonly T[];
  /** What `q` can narrow by. */
  readonly filters: Readonly<Record<string, (item: T) => string>>;
  readonly entity: (item: T, depth: number) => object;
}

const ORGANIZATIONS: Kind<Organization> = {
  path: '/v2/organizations',
  missing: { code: 30_003, title: 'CF-OrganizationNotFound', told: 'The organization' },
  items: ({ organizations }) => organizations,
  filters: { name: ({ name }) => name },
  entity: ({ guid, name }) => ({
    name,
    billing_enabled: false,
    status: 'active',
    spaces_url: `/v2/organizations/${guid}/spaces`,
  }),
};

const SPACES: Kind<Space> = {
  path: '/v2/spaces',
  missing: { code: 40_004, title: 'CF-SpaceNotFound', told: 'The app space' },
  items: ({ spaces }) => spaces,
  filters: {
    name: ({ name }) => name,
    organization_guid: ({ organization }) => organization.guid,
  },
  entity: ({ guid, name, organization }, depth) => ({
    name,
    organization_guid: organization.guid,
    allow_ssh: true,
    organization_url: `/v2/organizations/${organization.guid}`,
    ...(depth > 0 && { organization: resource(ORGANIZATIONS, organization, depth - 1) }),
    apps_url: `/v2/spaces/${guid}/apps`,
    service_instances_url: `/v2/spaces/${guid}/service_instances`,
  }),
};

const APPS: Kind<App> = {
  path: '/v2/apps',
  missing: { code: 100_004, title: 'CF-AppNotFound', told: 'The app' },
  items: ({ apps }) => apps,
  filters: {
    name: ({ name }) => name,
    space_guid: ({ space }) => space.guid,
    organization_guid: ({ space }) => space.organization.guid,
  },
  entity: ({ name, space, ...app }, depth) => ({
    name,
    production: false,
    space_guid: space.guid,
    buildpack: app.buildpacks[0] ?? null,
    detected_buildpack: null,
    environment_json: {},
    memory: app.memoryMb,
    instances: app.instances,
    disk_quota: app.diskMb,
    state: app.state,
    version: app.guid,
    command: null,
    package_state: 'STAGED',
    health_check_type: 'port',
    diego: true,
    docker_image: null,
    enable_ssh: true,
    space_url: `/v2/spaces/${space.guid}`,
    ...(depth > 0 && { space: resource(SPACES, space, depth - 1), routes: [] }),
  }),
};

const SERVICE_INSTANCES: Kind<ServiceInstance> = {
  path: '/v2/service_instances',
  missing: { code: 60_004, title: 'CF-ServiceInstanceNotFound', told: 'The service instance' },
  items: ({ serviceInstances }) => serviceInstances,
  filters: {
    name: ({ name }) => name,
    space_guid: ({ space }) => space.guid,
    organization_guid: ({ space }) => space.organization.guid,
  },
  entity: ({ name, space, type }, depth) => ({
    name,
    credentials: {},
    space_guid: space.guid,
    type: `${type.replace('-', '_')}_service_instance`,
    tags: [],
    space_url: `/v2/spaces/${space.guid}`,
    ...(depth > 0 && { space: resource(SPACES, space, depth - 1), service_bindings: [] }),
  }),
};

export function v2Routes(router: Router, platform: PlatformContext): void {
  serve(router, platform, ORGANIZATIONS);
  serve(router, platform, SPACES);
  serve(router, platform, APPS);
  serve(router, platform, SERVICE_INSTANCES);
  serveWithin(router, platform, { outer: ORGANIZATIONS, inner: SPACES, by: 'organization_guid' });
  serveWithin(router, platform, { outer: SPACES, inner: APPS, by: 'space_guid' });
  serveWithin(router, platform, { outer: SPACES, inner: SERVICE_INSTANCES, by: 'space_guid' });
}

function serve<T extends { readonly guid: string }>(
  router: Router,
  platform: PlatformContext,
  kind: Kind<T>,
): void {
  router.get(kind.path, async (ctx) => {
    const view = await viewerOf(platform, ctx);
    ctx.body = listed(kind, kind.items(view), {
      query: new URLSearchParams(ctx.querystring),
      path: ctx.path,
    });
  });

  router.get(`${kind.path}/:guid`, async (ctx) => {
    const item = found(kind, await viewerOf(platform, ctx), ctx.params.guid);
    ctx.body = resource(kind, item, depthIn(new URLSearchParams(ctx.querystring)));
  });
}

/** `/v2/spaces/GUID/apps` and the like. */
function serveWithin<O extends { readonly guid: string }, I extends { readonly guid: string }>(
  router: Router,
  platform: PlatformContext,
  { outer, inner, by }: { readonly outer: Kind<O>; readonly inner: Kind<I>; readonly by: string },
): void {
  const last = inner.path.slice(inner.path.lastIndexOf('/'));
  router.get(`${outer.path}/:guid${last}`, async (ctx) => {
    const view = await viewerOf(platform, ctx);
    const { guid } = found(outer, view, ctx.params.guid);
    const items = inner.items(view).filter((item) => inner.filters[by]?.(item) === guid);
    ctx.body = listed(inner, items, {
      query: new URLSearchParams(ctx.querystring),
      path: ctx.path,
    });
  });
}

function listed<T extends { readonly guid: string }>(
  kind: Kind<T>,
  all: readonly T[],
  { query, path }: { readonly query: URLSearchParams; readonly path: string },
): object {
  let items = all;
  for (const condition of query.getAll('q').flatMap((text) => text.split(';'))) {
    items = narrowed(kind, items, condition);
  }
  const depth = depthIn(query);
  return pageV2({ items, query, path, present: (item) => resource(kind, item, depth) });
}

/** By `name:VALUE` or `name IN VALUE,VALUE`. */
function narrowed<T extends { readonly guid: string }>(
  kind: Kind<T>,
  items: readonly T[],
  condition: string,
): readonly T[] {
  const [, name = '', list, single = ''] =
    /^([a-z_]+)(?:\s+IN\s+(.*)|\s*:\s*(.*))$/is.exec(condition) ?? [];
  const fieldOf = Object.hasOwn(kind.filters, name) ? kind.filters[name] : undefined;
  if (fieldOf === undefined) throw badQuery(condition);
  const wanted = new Set(list === undefined ? [single] : list.split(','));
  return items.filter((item) => wanted.has(fieldOf(item)));
}

function resource<T extends { readonly guid: string }>(
  kind: Kind<T>,
  item: T,
  depth: number,
): object {
  const { guid } = item;
  const url = `${kind.path}/${guid}`;
  return {
    metadata: { guid, url, created_at: CREATED_AT, updated_at: CREATED_AT },
    entity: kind.entity(item, depth),
  };
}

const DEPTH_MAX = 2;

function depthIn(query: URLSearchParams): number {
  const depth = Number(query.get('inline-relations-depth') ?? 0);
  return Number.isInteger(depth) && depth > 0 ? Math.min(depth, DEPTH_MAX) : 0;
}

function found<T extends { readonly guid: string }>(kind: Kind<T>, view: View, guid = ''): T {
  const item = kind.items(view).find((one) => one.guid === guid);
  if (item !== undefined) return item;
  const { code, title, told } = kind.missing;
  throw new ApiError(404, code, title, `${told} could not be found: ${guid}`);
}
