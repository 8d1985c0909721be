import test from 'ava';
import { ask, basic, clientToken, login, runPlatform } from '../testing.ts';

const LEDGER = '7c1f4f0e-2b64-4c1d-9a58-6f6f0b1d7e21';
const SHOP = '49c01988-4605-5bcd-8f51-1efea1a7c004';

test('the root says that everything is at the origin that was asked', async (t) => {
  const { origin } = await runPlatform(t);
  const { links } = (await ask(origin, '/')).body;
  for (const name of ['self', 'login', 'uaa', 'log_cache', 'log_stream', 'routing']) {
    t.deepEqual(links[name], { href: origin }, name);
  }
  t.is(links.logging.href, origin.replace('http:', 'ws:'));
  t.deepEqual(links.cloud_controller_v2, { href: `${origin}/v2`, meta: { version: '2.200.0' } });
  t.deepEqual(links.cloud_controller_v3, { href: `${origin}/v3`, meta: { version: '3.160.0' } });
  t.truthy(links.network_policy_v1.href);
  t.regex(links.app_ssh.href, /:2222$/);
});

test('behind a proxy, everything is where the client asked the proxy', async (t) => {
  const { origin } = await runPlatform(t);
  const headers = { 'x-forwarded-proto': 'https', 'x-forwarded-host': 'api.example.com' };
  const { links } = (await ask(origin, '/', { headers })).body;
  t.is(links.uaa.href, 'https://api.example.com');
  t.is(links.logging.href, 'wss://api.example.com');
  const info = (await ask(origin, '/v2/info', { headers })).body;
  t.is(info.doppler_logging_endpoint, 'wss://api.example.com');
});

test('a set URL is named whatever was asked', async (t) => {
  const { origin } = await runPlatform(t, { url: 'https://cf.example.com' });
  t.is((await ask(origin, '/')).body.links.uaa.href, 'https://cf.example.com');
});

test('a Host that is none does no harm', async (t) => {
  const { origin } = await runPlatform(t);
  const authorization = (await login(origin, 'dev')).access;
  for (const host of ['[::::]', '"<x>', 'a b']) {
    const { status } = await ask(origin, '/v3/apps', { authorization, headers: { host } });
    t.is(status, 200, host);
    t.is((await ask(origin, '/v2/info', { headers: { host } })).status, 200, host);
  }
});

test('/v3 links to all that cf looks for', async (t) => {
  const { origin } = await runPlatform(t);
  const { links } = (await ask(origin, '/v3')).body;
  const wanted = `apps buildpacks builds deployments domains droplets audit_events
    environment_variable_groups feature_flags isolation_segments organizations organization_quotas
    packages processes security_groups service_brokers roles routes service_instances
    service_offerings service_plans space_quotas spaces stacks tasks users`.split(/\s+/);
  for (const name of wanted) t.is(links[name]?.href, `${origin}/v3/${name}`, name);
  t.is((await ask(origin, '/v3/info')).status, 200);
});

test('/v2/info needs no token, and names the user of one', async (t) => {
  const { origin } = await runPlatform(t);
  const { body } = await ask(origin, '/v2/info');
  t.like(body, {
    api_version: '2.200.0',
    authorization_endpoint: origin,
    token_endpoint: origin,
    log_cache_endpoint: origin,
    min_cli_version: null,
  });
  t.regex(body.doppler_logging_endpoint, /^ws:/);
  t.regex(body.logging_endpoint, /^ws:/);
  t.false('user' in body);
  const authorization = (await login(origin, 'dev')).access;
  const named = await ask(origin, '/v2/info', { authorization });
  t.regex(named.body.user, /^[0-9a-f-]{36}$/);
  t.is((await ask(origin, '/v2/info', { authorization: 'bearer x' })).status, 200);
});

test('version 3 shows an app as Cloud Controller does', async (t) => {
  const { origin } = await runPlatform(t);
  const authorization = (await login(origin, 'dev')).access;
  const app = (await ask(origin, `/v3/apps/${SHOP}`, { authorization })).body;
  t.like(app, {
    guid: SHOP,
    name: 'shop',
    state: 'STARTED',
    lifecycle: { type: 'buildpack', data: { buildpacks: [], stack: 'cflinuxfs4' } },
    metadata: { labels: {}, annotations: {} },
    created_at: '2024-01-01T00:00:00Z',
    updated_at: '2024-01-01T00:00:00Z',
  });
  const space = app.relationships.space.data.guid;
  t.is(app.links.space.href, `${origin}/v3/spaces/${space}`);
  t.is((await ask(origin, `/v3/spaces/${space}`, { authorization })).body.name, 'local');
});

test('every list of version 3 is narrowed by names, GUIDs and what it lies in', async (t) => {
  const { origin } = await runPlatform(t);
  const authorization = (await login(origin, 'admin')).access;
  const get = async (path: string) => {
    const { status, body } = await ask(origin, path, { authorization });
    t.is(status, 200, path);
    return body.resources;
  };
  const names = async (path: string) =>
    (await get(path)).map((one: { name?: string; type?: string }) => one.name ?? one.type);
  const [{ guid: org }] = await get('/v3/organizations');
  const [{ guid: space }] = await get('/v3/spaces?names=local');

  t.deepEqual(await names('/v3/organizations?names=local,x'), ['local']);
  t.deepEqual(await names('/v3/organizations?names=x'), []);
  t.deepEqual(await names(`/v3/spaces?organization_guids=${org}`), ['local', 'back-office']);
  t.deepEqual(await names('/v3/spaces?organization_guids=x'), []);
  t.deepEqual(await names(`/v3/apps?guids=${SHOP},${LEDGER}`), ['shop', 'ledger']);
  t.deepEqual(await names(`/v3/apps?space_guids=${space}`), ['shop', 'clock']);
  t.deepEqual(await names(`/v3/apps?names=clock&space_guids=${space}`), ['clock']);
  t.deepEqual(await names(`/v3/apps?names=ledger&space_guids=${space}`), []);
  t.deepEqual(await names(`/v3/apps?organization_guids=${org}`), ['shop', 'clock', 'ledger']);
  t.deepEqual(await names('/v3/apps?unheard_of=1'), ['shop', 'clock', 'ledger']);
  t.deepEqual(await names('/v3/service_instances?names=archive'), ['archive']);
  t.deepEqual(await names(`/v3/service_instances?space_guids=${space}`), ['shop-db']);
  t.deepEqual(await names('/v3/service_instances?type=user-provided'), ['archive']);
  t.deepEqual(await names('/v3/processes?types=worker'), ['worker']);
  t.deepEqual(await names(`/v3/processes?app_guids=${SHOP}`), ['web']);
  t.deepEqual(await names(`/v3/apps/${SHOP}/processes`), ['web']);
});

test('a list is walked by the links to its next page', async (t) => {
  const { origin } = await runPlatform(t);
  const authorization = (await login(origin, 'admin')).access;
  const names: string[] = [];
  let next: string | undefined = `${origin}/v3/apps?per_page=2`;
  while (next !== undefined) {
    const { body } = await ask(next, '', { authorization });
    names.push(...body.resources.map(({ name }: { name: string }) => name));
    next = body.pagination.next?.href;
  }
  t.deepEqual(names, ['shop', 'clock', 'ledger']);

  const v2: string[] = [];
  let path: string | null = '/v2/apps?results-per-page=2';
  while (path !== null) {
    const { body } = await ask(origin, path, { authorization });
    v2.push(...body.resources.map(({ entity }: { entity: { name: string } }) => entity.name));
    path = body.next_url;
  }
  t.deepEqual(v2, names);
});

test('a user sees the spaces that he may look into, and an admin all', async (t) => {
  const { origin } = await runPlatform(t);
  const dev = (await login(origin, 'dev')).access;
  const admin = (await login(origin, 'admin')).access;
  const nozzle = await clientToken(origin, 'nozzle');
  const count = async (authorization: string, path: string) =>
    (await ask(origin, path, { authorization })).body.pagination.total_results;
  t.deepEqual(
    await Promise.all(
      [dev, admin, nozzle].map((who) =>
        Promise.all([
          count(who, '/v3/organizations'),
          count(who, '/v3/spaces'),
          count(who, '/v3/apps'),
          count(who, '/v3/processes'),
          count(who, '/v3/service_instances'),
        ]),
      ),
    ),
    [
      [1, 1, 2, 2, 1],
      [1, 2, 3, 3, 2],
      [1, 2, 3, 3, 2],
    ],
  );
  t.is((await ask(origin, `/v3/apps/${LEDGER}`, { authorization: dev })).status, 404);
  t.is((await ask(origin, `/v2/apps/${LEDGER}`, { authorization: dev })).status, 404);
  t.is((await ask(origin, `/v3/apps/${LEDGER}`, { authorization: admin })).status, 200);
});

test('a client sees the spaces that stand with it', async (t) => {
  const text = `
clients:
  - id: c
    secret: c
    grant_types: [client_credentials]
    authorities: [cloud_controller.read]
    spaces: [o/s]
organizations:
  - { name: o, spaces: [{ name: s, apps: [{ name: a }] }, { name: t, apps: [{ name: b }] }] }
`;
  const { origin } = await runPlatform(t, { text });
  const authorization = await clientToken(origin, 'c');
  const { body } = await ask(origin, '/v3/apps', { authorization });
  t.deepEqual(
    body.resources.map(({ name }: { name: string }) => name),
    ['a'],
  );
});

test('takes a token as bearer in any spelling, and alone', async (t) => {
  const { origin } = await runPlatform(t);
  const { access } = await login(origin, 'dev');
  for (const spelling of ['', 'bearer ', 'Bearer ', 'BEARER  ']) {
    const { status } = await ask(origin, '/v3/apps', { authorization: `${spelling}${access}` });
    t.is(status, 200, spelling);
  }
});

test('refuses in the words of Cloud Controller, each version in its own shape', async (t) => {
  const { origin, metrics } = await runPlatform(t);
  const { access, refresh } = await login(origin, 'dev');
  const log = await clientToken(origin, 'log-cache');
  const v3 = async (path: string, authorization = access) => {
    const { status, body } = await ask(origin, path, { authorization });
    const [{ code, title, detail }] = body.errors;
    return [status, code, title, detail];
  };
  t.deepEqual(await v3('/v3/apps', ''), [
    ...[401, 10_002, 'CF-NotAuthenticated', 'Authentication error'],
  ]);
  const invalid = [401, 1000, 'CF-InvalidAuthToken', 'Invalid Auth Token'];
  t.deepEqual(await v3('/v3/apps', 'bearer x'), invalid);
  t.deepEqual(await v3('/v3/apps', refresh), invalid);
  t.deepEqual(await v3('/v3/apps', log), invalid);
  t.deepEqual(await v3('/v3/apps/x'), [404, 10_010, 'CF-ResourceNotFound', 'App not found']);
  t.deepEqual(await v3('/v3/apps/%zz'), [404, 10_010, 'CF-ResourceNotFound', 'App not found']);
  t.deepEqual(await v3('/v3/nowhere'), [404, 10_000, 'CF-NotFound', 'Unknown request']);
  t.deepEqual((await v3('/v3/apps?per_page=x')).slice(0, 3), [400, 10_005, 'CF-BadQueryParameter']);

  const v2 = async (path: string, authorization = access) => {
    const { status, body } = await ask(origin, path, { authorization });
    return [status, body.code, body.error_code, body.description];
  };
  t.deepEqual(await v2('/v2/apps', 'x'), invalid);
  t.deepEqual(await v2('/v2/apps/x'), [
    ...[404, 100_004, 'CF-AppNotFound', 'The app could not be found: x'],
  ]);
  t.deepEqual(await v2('/v2/nowhere'), [404, 10_000, 'CF-NotFound', 'Unknown request']);
  t.deepEqual((await v2('/v2/apps?q=colour:red')).slice(0, 3), [
    ...[400, 10_005, 'CF-BadQueryParameter'],
  ]);
  t.deepEqual((await v2('/v2/apps?q=constructor:x')).slice(0, 1), [400]);
  t.is(metrics.counter('requests_refused', '', { error: 'CF-InvalidAuthToken' }).value, 4);
});

test('a token that may nothing at Cloud Controller is refused there', async (t) => {
  const text = `
clients:
  - { id: c, secret: c, grant_types: [client_credentials], authorities: [cloud_controller.write] }
`;
  const { origin } = await runPlatform(t, { text });
  const { status, body } = await ask(origin, '/v3/apps', {
    authorization: await clientToken(origin, 'c'),
  });
  t.is(status, 403);
  t.is(body.errors[0].title, 'CF-NotAuthorized');
});

test('version 2 finds an app of a space by its name, with its space when asked', async (t) => {
  const { origin } = await runPlatform(t);
  const authorization = (await login(origin, 'dev')).access;
  const get = async (path: string) => (await ask(origin, path, { authorization })).body;
  const [{ metadata, entity }] = (await get('/v2/spaces')).resources;
  t.is(entity.name, 'local');
  const base = `/v2/spaces/${metadata.guid}`;

  const plain = await get(`${base}/apps?q=name:shop`);
  t.like(plain, { total_results: 1, total_pages: 1, prev_url: null, next_url: null });
  t.like(plain.resources[0].metadata, { guid: SHOP, url: `/v2/apps/${SHOP}` });
  t.like(plain.resources[0].entity, { name: 'shop', space_guid: metadata.guid, state: 'STARTED' });
  t.false('space' in plain.resources[0].entity);

  const deep = (await get('/v2/apps?q=name%20IN%20shop,x&inline-relations-depth=2')).resources[0];
  t.is(deep.entity.space.entity.name, 'local');
  t.is(deep.entity.space.entity.organization.entity.name, 'local');

  t.is((await get(`${base}/apps?q=name:nobody`)).total_results, 0);
  t.is((await get(`${base}/service_instances?q=name:shop-db`)).total_results, 1);
  t.is((await get(`/v2/organizations/${entity.organization_guid}/spaces`)).total_results, 1);
  t.is((await get(`/v2/apps?q=space_guid:${metadata.guid};name:shop`)).total_results, 1);
  t.is((await get('/v2/spaces/x/apps')).error_code, 'CF-SpaceNotFound');
});

test('log access is 200 for who may read an app, 401 for a bad token, else 404', async (t) => {
  const { origin, metrics } = await runPlatform(t);
  const dev = (await login(origin, 'dev')).access;
  const asked = async (guid: string, authorization: string) =>
    (await ask(origin, `/internal/v4/log_access/${guid}`, { authorization })).status;
  t.is(await asked(SHOP, dev), 200);
  t.is(await asked(SHOP, `Bearer ${dev}`), 200);
  t.is(await asked(LEDGER, dev), 404);
  t.is(await asked(LEDGER, (await login(origin, 'admin')).access), 200);
  t.is(await asked('x', dev), 404);
  t.is(await asked(SHOP, 'bearer x'), 401);
  t.is(await asked(SHOP, ''), 401);
  const counted = (answer: string) => metrics.counter('log_access', '', { answer }).value;
  t.deepEqual(['allowed', 'refused', 'unauthorized'].map(counted), [3, 2, 2]);
});

test('drains are told by URL and by what they are shown, a batch at a time', async (t) => {
  const text = `
organizations:
  - name: my org
    spaces:
      - name: s_1
        apps:
          - name: one app!
            guid: a1
            drains: [{ url: 'syslog://b:1' }, { url: 'https://a/x', cert: C, key: K, ca: A }]
          - { name: two, guid: a2, drains: [{ url: 'syslog://b:1' }, { url: 'https://a/x' }] }
          - { name: three, guid: a3, drains: [{ url: 'syslog://c:1' }] }
`;
  const { origin } = await runPlatform(t, { text });
  const get = async (query: string) =>
    (await ask(origin, `/internal/v5/syslog_drain_urls${query}`)).body;
  const one = { hostname: 'my-org.s1.one-app', app_id: 'a1' };
  const two = { hostname: 'my-org.s1.two', app_id: 'a2' };
  t.deepEqual(await get('?batch_size=2&next_id=0'), {
    results: [
      {
        url: 'https://a/x',
        credentials: [
          { cert: 'C', key: 'K', ca: 'A', apps: [one] },
          { cert: '', key: '', ca: '', apps: [two] },
        ],
      },
      { url: 'syslog://b:1', credentials: [{ cert: '', key: '', ca: '', apps: [one, two] }] },
    ],
    next_id: 2,
  });
  const rest = await get('?batch_size=2&next_id=2');
  t.is(rest.results[0].url, 'syslog://c:1');
  t.false('next_id' in rest);
  t.is((await get('')).results.length, 3);
  t.is((await get('?batch_size=0')).results.length, 3);
  t.is((await get('?batch_size=x')).error_code, 'CF-BadQueryParameter');
});

test('drains, whose keys are secret, are not told through a proxy', async (t) => {
  const { origin } = await runPlatform(t);
  const path = '/internal/v5/syslog_drain_urls';
  for (const name of ['x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'forwarded']) {
    t.is((await ask(origin, path, { headers: { [name]: 'x' } })).status, 404, name);
  }
  t.is((await ask(origin, path, { authorization: basic('cf', '') })).status, 200);
});

test('what nobody serves is 404, and another method 405', async (t) => {
  const { origin } = await runPlatform(t);
  t.deepEqual((await ask(origin, '/nowhere')).body, { error: 'not found' });
  const { status, headers, body } = await ask(origin, '/v3/apps', { method: 'DELETE' });
  t.is(status, 405);
  t.deepEqual(body, { error: 'method not allowed' });
  t.is(headers.allow, 'HEAD, GET');
});
