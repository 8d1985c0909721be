/**
 * Version 3 of Cloud Controller's API, as far as clients of logs go: lists with their filters, and
 * each thing by its GUID. Filters that are not served are left aside, as is everything that is not
 * about names.
 */

import type Router from 'koa-router';
import type { PlatformContext } from '../context.ts';
import type { App, Organization, ServiceInstance, Space, View } from '../model.ts';
import { ApiError } from './api-error.ts';
import { CREATED_AT } from './created-at.ts';
import { pageV3 } from './page.ts';
import { viewerOf } from './viewer.ts';

/** One kind of thing: where it is found, and what it looks like. */
interface Kind<T> {
  readonly path: string;
  /** What a 404 calls it. */
  readonly title: string;
  readonly items: (view: View) => readonly T[];
  readonly guid: (item: T) => string;
  /** What a list can be narrowed by. */
  readonly filters: Readonly<Record<string, (item: T) => string>>;
  readonly present: (item: T, origin: string) => object;
}

const ORGANIZATIONS: Kind<Organization> = {
  path: '/v3/organizations',
  title: 'Organization',
  items: ({ organizations }) => organizations,
  guid: ({ guid }) => guid,
  filters: { names: ({ name }) => name, guids: ({ guid }) => guid },
  present: ({ guid, name }, origin) => ({
    ...common(guid, name),
    suspended: false,
    links: links(`${origin}/v3/organizations/${guid}`),
  }),
};

const SPACES: Kind<Space> = {
  path: '/v3/spaces',
  title: 'Space',
  items: ({ spaces }) => spaces,
  guid: ({ guid }) => guid,
  filters: {
    names: ({ name }) => name,
    guids: ({ guid }) => guid,
    organization_guids: ({ organization }) => organization.guid,
  },
  present: ({ guid, name, organization }, origin) => ({
    ...common(guid, name),
    relationships: { organization: relation(organization.guid), quota: { data: null } },
    links: links(`${origin}/v3/spaces/${guid}`, {
      organization: `${origin}/v3/organizations/${organization.guid}`,
    }),
  }),
};

const APPS: Kind<App> = {
  path: '/v3/apps',
  title: 'App',
  items: ({ apps }) => apps,
  guid: ({ guid }) => guid,
  filters: {
    names: ({ name }) => name,
    guids: ({ guid }) => guid,
    space_guids: ({ space }) => space.guid,
    organization_guids: ({ space }) => space.organization.guid,
  },
  present: ({ guid, name, state, space, ...app }, origin) => ({
    ...common(guid, name),
    state,
    lifecycle: {
      type: app.lifecycle,
      data: app.lifecycle === 'docker' ? {} : { buildpacks: app.buildpacks, stack: 'cflinuxfs4' },
    },
    relationships: { space: relation(space.guid) },
    links: links(`${origin}/v3/apps/${guid}`, {
      space: `${origin}/v3/spaces/${space.guid}`,
      processes: `${origin}/v3/apps/${guid}/processes`,
    }),
  }),
};

/** An app has one process, whose GUID is the app's, as Cloud Controller's web processes have. */
const PROCESSES: Kind<App> = {
  path: '/v3/processes',
  title: 'Process',
  items: ({ apps }) => apps,
  guid: ({ guid }) => guid,
  filters: {
    guids: ({ guid }) => guid,
    app_guids: ({ guid }) => guid,
    types: ({ processType }) => processType,
    space_guids: ({ space }) => space.guid,
    organization_guids: ({ space }) => space.organization.guid,
  },
  present: (app, origin) => ({
    guid: app.guid,
    type: app.processType,
    command: null,
    instances: app.instances,
    memory_in_mb: app.memoryMb,
    disk_in_mb: app.diskMb,
    log_rate_limit_in_bytes_per_second: -1,
    health_check: { type: 'port', data: { timeout: null, invocation_timeout: null } },
    metadata: { labels: {}, annotations: {} },
    created_at: CREATED_AT,
    updated_at: CREATED_AT,
    relationships: { app: relation(app.guid), revision: null },
    links: links(`${origin}/v3/processes/${app.guid}`, {
      app: `${origin}/v3/apps/${app.guid}`,
      space: `${origin}/v3/spaces/${app.space.guid}`,
    }),
  }),
};

const SERVICE_INSTANCES: Kind<ServiceInstance> = {
  path: '/v3/service_instances',
  title: 'Service instance',
  items: ({ serviceInstances }) => serviceInstances,
  guid: ({ guid }) => guid,
  filters: {
    names: ({ name }) => name,
    guids: ({ guid }) => guid,
    type: ({ type }) => type,
    space_guids: ({ space }) => space.guid,
    organization_guids: ({ space }) => space.organization.guid,
  },
  present: ({ guid, name, type, space }, origin) => ({
    ...common(guid, name),
    type,
    tags: [],
    last_operation: {
      type: 'create',
      state: 'succeeded',
      description: '',
      created_at: CREATED_AT,
      updated_at: CREATED_AT,
    },
    relationships: { space: relation(space.guid) },
    links: links(`${origin}/v3/service_instances/${guid}`, {
      space: `${origin}/v3/spaces/${space.guid}`,
    }),
  }),
};

export function v3Routes(router: Router, platform: PlatformContext): void {
  serve(router, platform, ORGANIZATIONS);
  serve(router, platform, SPACES);
  serve(router, platform, APPS);
  serve(router, platform, PROCESSES);
  serve(router, platform, SERVICE_INSTANCES);

  router.get('/v3/apps/:guid/processes', async (ctx) => {
    const app = found(APPS, await viewerOf(platform, ctx), ctx.params.guid);
    const origin = platform.originOf(ctx);
    ctx.body = pageV3({
      items: [app],
      query: new URLSearchParams(ctx.querystring),
      path: `${origin}${ctx.path}`,
      present: (process) => PROCESSES.present(process, origin),
    });
  });
}

function serve<T>(router: Router, platform: PlatformContext, kind: Kind<T>): void {
  router.get(kind.path, async (ctx) => {
    const view = await viewerOf(platform, ctx);
    const origin = platform.originOf(ctx);
    const query = new URLSearchParams(ctx.querystring);
    ctx.body = pageV3({
      items: filtered(kind, view, query),
      query,
      path: `${origin}${kind.path}`,
      present: (item) => kind.present(item, origin),
    });
  });

  router.get(`${kind.path}/:guid`, async (ctx) => {
    const view = await viewerOf(platform, ctx);
    ctx.body = kind.present(found(kind, view, ctx.params.guid), platform.originOf(ctx));
  });
}

/** Those that match each filter; a filter names values between commas. */
function filtered<T>(kind: Kind<T>, view: View, query: URLSearchParams): readonly T[] {
  let items = kind.items(view);
  for (const [name, fieldOf] of Object.entries(kind.filters)) {
    if (!query.has(name)) continue;
    const wanted = new Set(query.getAll(name).flatMap((values) => values.split(',')));
    items = items.filter((item) => wanted.has(fieldOf(item)));
  }
  return items;
}

function found<T>(kind: Kind<T>, view: View, guid: string | undefined): T {
  const item = kind.items(view).find((one) => kind.guid(one) === guid);
  if (item !== undefined) return item;
  throw new ApiError(404, 10_010, 'CF-ResourceNotFound', `${kind.title} not found`);
}

function common(guid: string, name: string): object {
  return {
    guid,
    name,
    created_at: CREATED_AT,
    updated_at: CREATED_AT,
    metadata: { labels: {}, annotations: {} },
  };
}

function relation(guid: string): object {
  return { data: { guid } };
}

function links(self: string, others: Readonly<Record<string, string>> = {}): object {
  const all = Object.entries({ self, ...others });
  return Object.fromEntries(all.map(([name, href]) => [name, { href }]));
}
