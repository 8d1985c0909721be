import { createPublicKey } from 'node:crypto';
import test from 'ava';
import { createLocalJWKSet, jwtVerify } from 'jose';
import { ask, basic, clientToken, login, partOf, runPlatform } from '../testing.ts';

const CF = basic('cf', '');
const DOPPLER = basic('doppler', 'doppler');

test('a user gets tokens by his password, with what he and the client may both', async (t) => {
  const { origin, metrics } = await runPlatform(t);
  const form = { grant_type: 'password', username: 'dev', password: 'dev' };
  const { status, headers, body } = await ask(origin, '/oauth/token', { authorization: CF, form });
  t.is(status, 200);
  t.regex(headers['content-type'] ?? '', /^application\/json/);
  t.is(headers['cache-control'], 'no-store');
  t.deepEqual(Object.keys(body).toSorted(), [
    ...['access_token', 'expires_in', 'jti', 'refresh_token', 'scope', 'token_type'],
  ]);
  t.like(body, { token_type: 'bearer', expires_in: 3600 });
  t.false(body.scope.includes('doppler.firehose'));
  t.like(partOf(body.access_token, 'claims'), { user_name: 'dev', iss: `${origin}/oauth/token` });
  t.is(metrics.counter('tokens_issued', '', { grant: 'password' }).value, 1);
});

test('a client gets a token by its secret, whichever way that comes', async (t) => {
  const { origin } = await runPlatform(t);
  const form = { grant_type: 'client_credentials' };
  const named = { ...form, client_id: 'nozzle', client_secret: 'nozzle' };
  const authorization = basic('nozzle', 'nozzle');
  for (const question of [
    { form, authorization },
    { form: named },
    { form: named, authorization },
    { form: { ...form, client_id: 'nozzle' }, authorization },
  ]) {
    const { status, body } = await ask(origin, '/oauth/token', question);
    t.is(status, 200);
    t.is(body.scope, 'doppler.firehose logs.admin cloud_controller.admin_read_only');
    t.is(body.expires_in, 43_200);
    t.false('refresh_token' in body);
  }
});

test('a token carries what was asked for of what is allowed, and nothing else', async (t) => {
  const { origin } = await runPlatform(t);
  const form = { grant_type: 'client_credentials', scope: 'logs.admin' };
  const authorization = basic('nozzle', 'nozzle');
  const { body } = await ask(origin, '/oauth/token', { authorization, form });
  t.deepEqual(partOf(body.access_token, 'claims').scope, ['logs.admin']);

  const greedy = { ...form, scope: 'logs.admin cloud_controller.admin' };
  const refused = await ask(origin, '/oauth/token', { authorization, form: greedy });
  t.is(refused.status, 400);
  t.is(refused.body.error, 'invalid_scope');
  t.regex(refused.body.error_description, /\[cloud_controller\.admin\] is invalid/);
});

test('a refresh token gives new access tokens until it expires', async (t) => {
  const { origin, clock } = await runPlatform(t);
  const { access, refresh } = await login(origin, 'dev');
  const question = {
    authorization: CF,
    form: { grant_type: 'refresh_token', refresh_token: refresh },
  };
  await clock.advance(3_600_000);
  const old = await ask(origin, '/v3/apps', { authorization: access });
  t.is(old.status, 401);

  const { status, body } = await ask(origin, '/oauth/token', question);
  t.is(status, 200);
  t.is(body.refresh_token, refresh);
  t.not(body.access_token, access);
  const { status: seen } = await ask(origin, '/v3/apps', { authorization: body.access_token });
  t.is(seen, 200);

  await clock.advance(30 * 86_400_000);
  const late = await ask(origin, '/oauth/token', question);
  t.is(late.status, 401);
  t.is(late.body.error, 'invalid_token');
  t.regex(late.body.error_description, /^Invalid refresh token \(expired\)/);
});

test('a refresh token is good for the client that got it, and is no access token', async (t) => {
  const { origin } = await runPlatform(t, {
    text: `
users: [{ name: u, password: u }]
clients:
  - { id: cf, secret: '', grant_types: [password, refresh_token], scopes: [openid] }
  - { id: other, secret: '', grant_types: [refresh_token], scopes: [openid] }
`,
  });
  const { access, refresh } = await login(origin, 'u');
  const asked = async (authorization: string, refresh_token: string) => {
    const form = { grant_type: 'refresh_token', refresh_token };
    const { status, body } = await ask(origin, '/oauth/token', { authorization, form });
    return [status, body.error];
  };
  t.deepEqual(await asked(basic('other', ''), refresh), [400, 'invalid_grant']);
  t.deepEqual(await asked(CF, access), [401, 'invalid_token']);
  t.deepEqual(await asked(CF, 'x'), [401, 'invalid_token']);
  t.deepEqual(await asked(CF, ''), [400, 'invalid_request']);
  t.deepEqual(await asked(CF, refresh), [200, undefined]);
});

test('a request for a token that is wrong is told why, and counted', async (t) => {
  const { origin, metrics } = await runPlatform(t);
  const password = { grant_type: 'password', username: 'dev', password: 'dev' };
  const cases = [
    [401, 'unauthorized', CF, { ...password, password: 'x' }],
    [401, 'unauthorized', CF, { ...password, username: 'nobody' }],
    [401, 'unauthorized', CF, { ...password, username: 'nobody', password: '' }],
    [401, 'unauthorized', basic('cf', 'x'), password],
    [401, 'unauthorized', undefined, password],
    [401, 'invalid_client', CF, { grant_type: 'client_credentials' }],
    [401, 'invalid_client', DOPPLER, password],
    [400, 'unsupported_grant_type', CF, { grant_type: 'authorization_code' }],
    [400, 'invalid_request', CF, {}],
    [400, 'invalid_request', CF, { grant_type: 'password' }],
  ] as const;
  for (const [status, error, authorization, form] of cases) {
    const what = JSON.stringify([authorization, form]);
    const answer = await ask(origin, '/oauth/token', {
      ...(authorization !== undefined && { authorization }),
      form,
    });
    t.is(answer.status, status, what);
    t.is(answer.body.error, error, what);
    t.is(typeof answer.body.error_description, 'string', what);
    t.is('www-authenticate' in answer.headers, error === 'unauthorized', what);
  }
  t.is(metrics.counter('tokens_refused', '', { error: 'unauthorized' }).value, 5);
  t.is(metrics.counter('tokens_refused', '', { error: 'invalid_client' }).value, 2);
});

test('a form that is too long, of another type or not there is refused', async (t) => {
  const { origin } = await runPlatform(t);
  const url = '/oauth/token';
  const long = await ask(origin, url, { form: { grant_type: 'x'.repeat(70_000) } });
  t.is(long.status, 413);
  t.is(long.body.error, 'invalid_request');

  const headers = { 'content-type': 'application/json' };
  for (const body of ['{"grant_type":"password"}', '{']) {
    const json = await ask(origin, url, { body, headers, authorization: CF });
    t.is(json.status, 415, body);
    t.is(json.body.error, 'invalid_request', body);
  }

  const none = await ask(origin, url, { method: 'POST', authorization: CF });
  t.is(none.status, 400);
  t.is(none.body.error_description, 'Missing grant type');

  t.is((await ask(origin, url)).status, 405);
  t.is((await ask(origin, '/check_token')).status, 405);
});

test('check_token tells what a token says, in any spelling', async (t) => {
  const { origin } = await runPlatform(t);
  const token = await clientToken(origin, 'nozzle');
  for (const spelt of [token, `bearer ${token}`, `Bearer ${token}`]) {
    const form = { token: spelt };
    const answer = await ask(origin, '/check_token', { authorization: DOPPLER, form });
    t.is(answer.status, 200);
    t.deepEqual(answer.body, partOf(token, 'claims'));
  }
});

test('check_token refuses tokens with 400, and clients with 401 or 403', async (t) => {
  const { origin, clock } = await runPlatform(t);
  const { access, refresh } = await login(origin, 'dev');
  const asked = async (authorization: string | undefined, form: Record<string, string>) => {
    const question = { ...(authorization !== undefined && { authorization }), form };
    const { status, body } = await ask(origin, '/check_token', question);
    return [status, body.error];
  };
  t.deepEqual(await asked(DOPPLER, { token: 'x' }), [400, 'invalid_token']);
  t.deepEqual(await asked(DOPPLER, { token: '' }), [400, 'invalid_token']);
  t.deepEqual(await asked(DOPPLER, { token: refresh }), [400, 'invalid_token']);
  t.deepEqual(await asked(DOPPLER, {}), [400, 'invalid_request']);
  t.deepEqual(await asked(basic('doppler', 'x'), { token: access }), [401, 'unauthorized']);
  t.deepEqual(await asked(undefined, { token: access }), [401, 'unauthorized']);
  t.deepEqual(await asked(CF, { token: access }), [403, 'access_denied']);

  await clock.advance(3_600_000);
  const expired = await ask(origin, '/check_token', {
    authorization: DOPPLER,
    form: { token: access },
  });
  t.is(expired.status, 400);
  t.regex(expired.body.error_description, /^Token expired at /);
});

test('the keys that are shown are those that tokens are signed with', async (t) => {
  const { origin, clock } = await runPlatform(t);
  const token = await clientToken(origin, 'nozzle');
  const { body } = await ask(origin, '/token_keys', {
    authorization: DOPPLER,
    headers: { 'content-type': 'application/json' },
  });
  const currentDate = new Date(clock.now());
  const byNumbers = await jwtVerify(token, createLocalJWKSet(body), { currentDate });
  t.is(byNumbers.payload.client_id, 'nozzle');
  const [{ kid, alg, value }] = body.keys;
  t.deepEqual({ kid, alg }, { kid: partOf(token, 'header').kid, alg: 'RS256' });
  t.truthy(await jwtVerify(token, createPublicKey(value), { currentDate }));

  t.deepEqual((await ask(origin, '/token_key')).body, body.keys[0]);
});

test('logging out takes the worth of both tokens', async (t) => {
  const { origin } = await runPlatform(t);
  const { access, refresh } = await login(origin, 'dev');
  const authorization = `bearer ${access}`;
  for (const token of [refresh, access]) {
    t.true(partOf(token, 'claims').revocable);
    const path = `/oauth/token/revoke/${partOf(token, 'claims').jti}`;
    t.is((await ask(origin, path, { method: 'DELETE', authorization })).status, 200);
  }
  t.is((await ask(origin, '/v3/apps', { authorization })).status, 401);
  const form = { grant_type: 'refresh_token', refresh_token: refresh };
  t.is((await ask(origin, '/oauth/token', { authorization: CF, form })).status, 401);

  const again = await ask(origin, '/oauth/token/revoke/x', { method: 'DELETE', authorization });
  t.is(again.status, 401);
  t.is(again.body.error, 'invalid_token');
});

test('/login says what a user is asked for', async (t) => {
  const { origin } = await runPlatform(t);
  t.like((await ask(origin, '/login')).body, {
    app: { version: '76.0.0' },
    links: { uaa: origin, login: origin },
    prompts: { username: ['text', 'Email'], password: ['password', 'Password'] },
  });
});
