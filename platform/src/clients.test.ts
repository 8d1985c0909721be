/** What real clients ask, in their order, each following what it was told before. */

import test from 'ava';
import { type Answer, ask, basic, login, partOf, runPlatform } from './testing.ts';

const FORM_TYPE = { 'content-type': 'application/x-www-form-urlencoded' };

test('cf v8 finds the API, logs in, targets a space, looks up an app and logs out', async (t) => {
  const { origin, clock } = await runPlatform(t);
  const root = await ask(origin, '/', { headers: { 'user-agent': 'cf/8.14.0 (go1.x; amd64)' } });
  const { links } = root.body;
  const [major = 0, minor = 0] = links.cloud_controller_v3.meta.version.split('.').map(Number);
  t.true(major > 3 || (major === 3 && minor >= 99));

  const { body: tokens } = await ask(links.login.href, '/oauth/token', {
    authorization: 'Basic Y2Y6',
    form: { grant_type: 'password', username: 'dev', password: 'dev' },
  });
  const claims = partOf(tokens.access_token, 'claims');
  for (const name of ['exp', 'user_name', 'user_id', 'origin']) t.truthy(claims[name], name);

  const authorization = `bearer ${tokens.access_token}`;
  const first = async (path: string) => {
    const { body } = await ask(origin, path, { authorization });
    t.is(body.pagination.total_results, 1, path);
    return body.resources[0].guid;
  };
  const org = await first('/v3/organizations?names=local&page=1&per_page=1');
  const space = await first(`/v3/spaces?names=local&organization_guids=${org}&page=1&per_page=1`);
  t.regex(await first(`/v3/apps?names=shop&space_guids=${space}`), /^[0-9a-f-]{36}$/);
  t.is(links.log_cache.href, origin);

  await clock.advance((tokens.expires_in - 30) * 1000);
  const { body: fresh } = await ask(links.login.href, '/oauth/token', {
    authorization: 'Basic Y2Y6',
    form: { grant_type: 'refresh_token', refresh_token: tokens.refresh_token },
  });
  t.true(partOf(fresh.access_token, 'claims').exp > claims.exp);

  for (const token of [fresh.refresh_token, fresh.access_token]) {
    const { jti, revocable } = partOf(token, 'claims');
    t.true(revocable);
    const { status } = await ask(links.uaa.href, `/oauth/token/revoke/${jti}`, {
      method: 'DELETE',
      authorization: `bearer ${fresh.access_token}`,
    });
    t.is(status, 200);
  }
});

test('cf v8 logs in as a client, whose secret stands in the form', async (t) => {
  const { origin } = await runPlatform(t);
  const { status, body } = await ask(origin, '/oauth/token', {
    form: { grant_type: 'client_credentials', client_id: 'nozzle', client_secret: 'nozzle' },
  });
  t.is(status, 200);
  t.truthy(partOf(body.access_token, 'claims').exp);
});

test('cf v7.3.0 reads the links of /v3 and the prompts of /login besides', async (t) => {
  const { origin } = await runPlatform(t);
  const { links } = (await ask(origin, '/')).body;
  const v3 = (await ask(links.cloud_controller_v3.href, '')).body;
  t.is(v3.links.apps.href, `${origin}/v3/apps`);
  const { prompts } = (await ask(links.login.href, '/login')).body;
  t.deepEqual(Object.keys(prompts), ['username', 'password']);
});

test('the log-cache plugin asks for an app, then for a service, in version 2, and for names', async (t) => {
  const { origin } = await runPlatform(t);
  const { access } = await login(origin, 'dev');
  const get = async (path: string): Promise<Answer> =>
    ask(origin, path, { authorization: `bearer ${access}` });
  const [space] = (await get('/v3/spaces')).body.resources;

  const app = `/v2/spaces/${space.guid}/apps?q=name%3Ashop&inline-relations-depth=1`;
  const { guid } = (await get(app)).body.resources[0].metadata;
  const none = `/v2/spaces/${space.guid}/apps?q=name%3Ashop-db&inline-relations-depth=1`;
  t.is((await get(none)).body.total_results, 0);
  const service = `/v2/spaces/${space.guid}/service_instances?return_user_provided_service_instances=true&q=name%3Ashop-db&inline-relations-depth=1`;
  const [instance] = (await get(service)).body.resources;

  const named = async (path: string) =>
    (await get(path)).body.resources.map(({ name }: { name: string }) => name);
  t.deepEqual(await named(`/v3/apps?guids=${guid},${instance.metadata.guid},doppler`), ['shop']);
  const services = `/v3/service_instances?guids=${guid},${instance.metadata.guid}`;
  t.deepEqual(await named(services), ['shop-db']);
});

test('splunk-firehose-nozzle 1.4.1 escapes its secret, sends the token alone, and lists all apps', async (t) => {
  const secret = 'p@ss w/rd+%';
  const { origin } = await runPlatform(t, { text: nozzleWith(secret) });
  const { links } = (await ask(origin, '/')).body;
  t.regex(links.logging.href, /^wss?:\/\//);
  const escaped = encodeURIComponent(secret).replaceAll('%20', '+');
  const { body } = await ask(links.uaa.href, '/oauth/token', {
    authorization: basic('n', escaped),
    form: { grant_type: 'client_credentials' },
  });
  t.is(body.token_type, 'bearer');
  t.is(typeof body.expires_in, 'number');

  const authorization = body.access_token;
  const apps = await ask(links.self.href, '/v3/apps?per_page=500&page=1', { authorization });
  const [app] = apps.body.resources;
  const { guid } = app.relationships.space.data;
  const space = (await ask(origin, `/v3/spaces/${guid}`, { authorization })).body;
  const org = space.relationships.organization.data.guid;
  const { name } = (await ask(origin, `/v3/organizations/${org}`, { authorization })).body;
  t.deepEqual([app.name, space.name, name], ['a', 's', 'o']);
});

test('firehose-to-syslog walks the apps, spaces and organizations of version 2', async (t) => {
  const { origin } = await runPlatform(t, { text: nozzleWith('n') });
  const info = (await ask(origin, '/v2/info')).body;
  t.regex(info.doppler_logging_endpoint, /^wss?:\/\//);
  const { body } = await ask(info.authorization_endpoint, '/oauth/token', {
    authorization: basic('n', 'n'),
    form: { grant_type: 'client_credentials' },
  });
  const authorization = `bearer ${body.access_token}`;
  const list = async (path: string) => (await ask(origin, path, { authorization })).body;
  const apps = await list('/v2/apps?results-per-page=100');
  t.is(apps.next_url, null);
  const [{ metadata, entity: app }] = apps.resources;
  t.truthy(metadata.guid && metadata.created_at && metadata.url);
  const space = await list(app.space_url);
  t.is(space.metadata.guid, app.space_guid);
  const organization = await list(space.entity.organization_url);
  t.is(organization.entity.name, 'o');
  t.is((await list('/v2/spaces')).total_results, 1);
  t.is((await list('/v2/organizations')).total_results, 1);
});

test("Datadog's nozzle logs in both ways at once, and lists what there is in version 3", async (t) => {
  const { origin } = await runPlatform(t, { text: nozzleWith('n') });
  const { body } = await ask(origin, '/oauth/token', {
    authorization: basic('n', 'n'),
    form: { client_id: 'n', grant_type: 'client_credentials' },
  });
  const authorization = `bearer ${body.access_token}`;
  t.truthy((await ask(origin, '/v2/info')).body.token_endpoint);
  for (const kind of ['apps', 'processes', 'spaces', 'organizations']) {
    const path = `/v3/${kind}?page=1&per_page=500`;
    const { status, body: page } = await ask(origin, path, { authorization });
    t.is(status, 200, kind);
    t.like(page.pagination, { total_results: 1, total_pages: 1, next: null }, kind);
    t.truthy(page.resources[0].guid, kind);
  }
});

test('the OpenTelemetry receiver learns when to come for the next token', async (t) => {
  const { origin } = await runPlatform(t);
  const { body } = await ask(origin, '/oauth/token', {
    authorization: basic('nozzle', 'nozzle'),
    form: { grant_type: 'client_credentials' },
  });
  const { iat, exp } = partOf(body.access_token, 'claims');
  t.is(body.expires_in, exp - iat);
});

test('cf-java-client sends its client in the form and by Basic, also to refresh', async (t) => {
  const { origin } = await runPlatform(t);
  const client = { client_id: 'cf', client_secret: '' };
  const { links } = (await ask(origin, '/')).body;
  const authorization = 'Basic Y2Y6';
  const form = { ...client, grant_type: 'password', username: 'dev', password: 'dev' };
  const { body } = await ask(links.login.href, '/oauth/token', { authorization, form });
  const refresh = {
    ...client,
    grant_type: 'refresh_token',
    refresh_token: body.refresh_token,
    response_type: 'token',
  };
  const again = await ask(links.login.href, '/oauth/token', { authorization, form: refresh });
  t.is(again.status, 200);
});

test('cf-python-client sends the raw token, and knows a bad one by code 1000', async (t) => {
  const { origin, clock } = await runPlatform(t);
  const { access: authorization } = await login(origin, 'dev');
  t.is((await ask(origin, '/v3/apps', { authorization })).status, 200);
  await clock.advance(3_600_000);
  const late = await ask(origin, '/v3/apps', { authorization });
  t.is(late.status, 401);
  t.like(late.body.errors[0], { code: 1000, title: 'CF-InvalidAuthToken' });
});

test('a traffic controller and a gateway learn scopes by check_token, and ask for log access', async (t) => {
  const { origin } = await runPlatform(t);
  const checked = async (token: string) => {
    const body = new URLSearchParams({ token }).toString();
    const authorization = basic('doppler', 'doppler');
    const answer = await ask(origin, '/check_token', { authorization, body, headers: FORM_TYPE });
    return answer.body.scope;
  };
  const { access: admin } = await login(origin, 'admin');
  const { access: dev } = await login(origin, 'dev');
  t.true((await checked(admin)).includes('doppler.firehose'));
  t.false((await checked(dev)).includes('doppler.firehose'));

  const authorization = `bearer ${dev}`;
  const { resources } = (await ask(origin, '/v3/apps', { authorization })).body;
  const { guid } = resources[0];
  const access = await ask(origin, `/internal/v4/log_access/${guid}`, { authorization });
  t.is(access.status, 200);
  const { body } = await ask(origin, '/v3/service_instances', { authorization });
  const service = body.resources[0].guid;
  const path = `/internal/v4/log_access/${service}`;
  t.is((await ask(origin, path, { authorization })).status, 404);
  const asService = await ask(origin, `/v3/service_instances/${service}`, { authorization });
  t.is(asService.status, 200);
});

test("a log cache's proxy reads the keys, an app, all that is visible, and apps by name", async (t) => {
  const { origin } = await runPlatform(t);
  const { access } = await login(origin, 'dev');
  const [key] = (await ask(origin, '/token_keys')).body.keys;
  t.is(key.kid, partOf(access, 'header').kid);
  t.is(key.alg, 'RS256');
  t.regex(key.value, /^-----BEGIN PUBLIC KEY-----/);

  const get = async (path: string) => ask(origin, path, { authorization: `Bearer ${access}` });
  const names = async (path: string) =>
    (await get(path)).body.resources.map(({ name }: { name: string }) => name);
  t.deepEqual(await names('/v3/apps?per_page=5000'), ['shop', 'clock']);
  t.deepEqual(await names('/v3/service_instances?per_page=5000'), ['shop-db']);
  t.deepEqual(await names('/v3/apps?names=shop%2Cdoppler&per_page=5000'), ['shop']);
  const [{ guid }] = (await get('/v3/apps')).body.resources;
  t.is((await get(`/v3/apps/${guid}`)).status, 200);
  t.is((await get('/v3/apps/doppler')).status, 404);
  t.is((await get('/v3/service_instances/doppler')).status, 404);
});

/** A platform with one app and one nozzle, whose secret is given. */
function nozzleWith(secret: string): string {
  return `
clients:
  - id: n
    secret: '${secret}'
    grant_types: [client_credentials]
    authorities: [doppler.firehose, cloud_controller.admin_read_only]
organizations: [{ name: o, spaces: [{ name: s, apps: [{ name: a }] }] }]
`;
}
