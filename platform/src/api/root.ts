/**
 * Where everything is: what a client reads first. All of it is one origin, the front door's, which
 * also suits clients that make a host out of another by replacing `api` in it.
 */

import type Router from 'koa-router';
import { bearerToken } from '../bearer.ts';
import type { PlatformContext } from '../context.ts';
import { websocketOrigin } from '../origin.ts';
import { TokenError } from '../tokens.ts';

const V2_VERSION = '2.200.0';
const V3_VERSION = '3.160.0';

/** What the root of version 3 links to; cf v7.3.0 fails over one that is missing, used or not. */
const V3_LINKS: readonly string[] = [
  ...['app_features', 'app_usage_events', 'apps', 'audit_events', 'buildpacks', 'builds'],
  ...['deployments', 'domains', 'droplets', 'environment_variable_groups', 'feature_flags'],
  ...['isolation_segments', 'organization_quotas', 'organizations', 'packages', 'processes'],
  ...['resource_matches', 'roles', 'routes', 'security_groups', 'service_brokers'],
  ...['service_credential_bindings', 'service_instances', 'service_offerings', 'service_plans'],
  ...['service_route_bindings', 'service_usage_events', 'space_quotas', 'spaces', 'stacks'],
  ...['tasks', 'users'],
];

export function rootRoutes(router: Router, platform: PlatformContext): void {
  router.get('/', (ctx) => {
    ctx.body = rootBody(platform.originOf(ctx));
  });

  router.get('/v3', (ctx) => {
    const origin = platform.originOf(ctx);
    const links = V3_LINKS.map((name) => [name, { href: `${origin}/v3/${name}` }]);
    ctx.body = { links: { self: { href: `${origin}/v3` }, ...Object.fromEntries(links) } };
  });

  router.get('/v3/info', (ctx) => {
    ctx.body = {
      build: '',
      cli_configuration: { minimum_version: '', recommended_version: '' },
      custom: {},
      description: 'Standpipe, for development only',
      name: 'standpipe',
      version: 0,
      links: { self: { href: `${platform.originOf(ctx)}/v3/info` } },
    };
  });

  router.get('/v2/info', async (ctx) => {
    const user = await userOf(platform, ctx.get('Authorization'));
    ctx.body = { ...infoBody(platform.originOf(ctx)), ...(user !== undefined && { user }) };
  });
}

function rootBody(origin: string): object {
  const here = { href: origin };
  return {
    links: {
      self: here,
      cloud_controller_v2: { href: `${origin}/v2`, meta: { version: V2_VERSION } },
      cloud_controller_v3: { href: `${origin}/v3`, meta: { version: V3_VERSION } },
      network_policy_v0: { href: `${origin}/networking/v0/external` },
      network_policy_v1: { href: `${origin}/networking/v1/external` },
      login: here,
      uaa: here,
      credhub: null,
      routing: here,
      logging: { href: websocketOrigin(origin) },
      log_cache: here,
      log_stream: here,
      app_ssh: {
        href: sshEndpoint(origin),
        meta: { host_key_fingerprint: '', oauth_client: 'ssh-proxy' },
      },
    },
  };
}

function infoBody(origin: string): object {
  return {
    name: 'standpipe',
    build: '',
    support: '',
    version: 0,
    description: 'Standpipe, for development only',
    authorization_endpoint: origin,
    token_endpoint: origin,
    min_cli_version: null,
    min_recommended_cli_version: null,
    app_ssh_endpoint: sshEndpoint(origin),
    app_ssh_host_key_fingerprint: null,
    app_ssh_oauth_client: 'ssh-proxy',
    doppler_logging_endpoint: websocketOrigin(origin),
    logging_endpoint: websocketOrigin(origin),
    log_cache_endpoint: origin,
    log_stream_endpoint: origin,
    routing_endpoint: origin,
    api_version: V2_VERSION,
    osbapi_version: '2.15',
  };
}

/** Nobody listens there. */
function sshEndpoint(origin: string): string {
  return `${new URL(origin).hostname}:2222`;
}

/** Whose token this is. A bad one is no reason not to answer. */
async function userOf(
  { tokens }: PlatformContext,
  authorization: string,
): Promise<string | undefined> {
  if (authorization === '') return undefined;
  try {
    return (await tokens.access(bearerToken(authorization))).user_id;
  } catch (error) {
    if (!(error instanceof TokenError)) throw error;
    return undefined;
  }
}
