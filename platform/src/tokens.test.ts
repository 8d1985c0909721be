import { generateKeyPairSync } from 'node:crypto';
import { Metrics } from '@standpipe/plumbing';
import { ManualClock } from '@standpipe/plumbing/testing';
import test from 'ava';
import { SignJWT } from 'jose';
import { platformMetrics } from './metrics.ts';
import type { Client, Model, User } from './model.ts';
import { openSigningKey } from './signing-key.ts';
import { NOW_MS, partOf } from './testing.ts';
import { TokenError, Tokens } from './tokens.ts';

const key = await openSigningKey('');

test("a user's token has the claims of UAA's, and its header names the key", async (t) => {
  const { tokens, client, user } = setup();
  const answer = await tokens.issue({ ...grantOf(client), user });
  t.like(answer, { token_type: 'bearer', expires_in: 600, scope: 'openid cloud_controller.read' });
  t.deepEqual(partOf(answer.access_token, 'header'), {
    alg: 'RS256',
    jku: 'http://door/token_keys',
    kid: key.id,
    typ: 'JWT',
  });
  t.deepEqual(partOf(answer.access_token, 'claims'), {
    jti: answer.jti,
    sub: 'user-id',
    user_id: 'user-id',
    user_name: 'dev',
    email: 'dev@example.com',
    origin: 'uaa',
    auth_time: NOW_MS / 1000,
    scope: ['openid', 'cloud_controller.read'],
    client_id: 'cf',
    cid: 'cf',
    azp: 'cf',
    grant_type: 'password',
    aud: ['cloud_controller', 'cf'],
    zid: 'uaa',
    revocable: true,
    iat: NOW_MS / 1000,
    exp: NOW_MS / 1000 + 600,
    iss: 'http://door/oauth/token',
  });
});

test("a client's own token names no user, and comes without a refresh token", async (t) => {
  const { tokens, client } = setup();
  const answer = await tokens.issue({ ...grantOf(client), grantType: 'client_credentials' });
  const claims = partOf(answer.access_token, 'claims');
  t.like(claims, { sub: 'cf', authorities: ['openid', 'cloud_controller.read'] });
  t.deepEqual(
    ['user_id', 'user_name', 'email', 'origin'].filter((name) => name in claims),
    [],
  );
  t.false('refresh_token' in answer);
});

test('a token expires when its client says', async (t) => {
  const { tokens, client, user, clock } = setup();
  const { access_token } = await tokens.issue({ ...grantOf(client), user });
  await clock.advance(599_000);
  t.is((await tokens.access(access_token)).client_id, 'cf');
  await clock.advance(1_000);
  const error = await t.throwsAsync(tokens.access(access_token), { instanceOf: TokenError });
  t.is(error?.reason, 'expired');
  t.is(error?.message, `Token expired at ${new Date(NOW_MS + 600_000).toISOString()}`);
});

test('a refresh token is no access token, nor the other way round', async (t) => {
  const { tokens, client, user } = setup();
  const { access_token, refresh_token = '' } = await tokens.issue({ ...grantOf(client), user });
  await t.throwsAsync(tokens.access(refresh_token), { message: /could not decode/ });
  await t.throwsAsync(tokens.refresh(access_token), { message: /could not decode/ });
  t.is((await tokens.refresh(refresh_token)).user_id, 'user-id');
});

test('a revoked token is good no more', async (t) => {
  const { tokens, client, user } = setup();
  const { access_token, jti } = await tokens.issue({ ...grantOf(client), user });
  tokens.revoke(jti);
  const error = await t.throwsAsync(tokens.access(access_token), { instanceOf: TokenError });
  t.is(error?.reason, 'revoked');
});

test('remembers ten thousand revoked tokens, and counts the oldest that it forgets', async (t) => {
  const { tokens, client, user, forgotten } = setup();
  const { access_token, jti } = await tokens.issue({ ...grantOf(client), user });
  tokens.revoke(jti);
  for (let n = 1; n < 10_000; n += 1) tokens.revoke(String(n));
  await t.throwsAsync(tokens.access(access_token));
  t.is(forgotten.value, 0);
  tokens.revoke('one more');
  t.is((await tokens.access(access_token)).jti, jti);
  t.is(forgotten.value, 1);
});

test('a token of a user or a client that left the file is good no more', async (t) => {
  const { tokens, client, user, model } = setup();
  const { access_token } = await tokens.issue({ ...grantOf(client), user });
  model.users = [];
  await t.throwsAsync(tokens.access(access_token), { instanceOf: TokenError });
  model.users = [user];
  t.truthy(await tokens.access(access_token));
  model.clients = [];
  await t.throwsAsync(tokens.access(access_token), { instanceOf: TokenError });
});

test('takes no token that another key signed, that none did, or that says too little', async (t) => {
  const { tokens } = setup();
  const claims = { jti: 'j', client_id: 'cf', scope: ['doppler.firehose'], aud: ['cf'] };
  const exp = NOW_MS / 1000 + 600;
  const header = { alg: 'RS256', kid: key.id };
  const other = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
  const signed = (payload: object, secret: Parameters<SignJWT['sign']>[0], alg = 'RS256') =>
    new SignJWT({ ...payload }).setProtectedHeader({ ...header, alg }).sign(secret);
  const unsigned = [{ alg: 'none' }, { ...claims, exp }]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.');
  const bad = {
    'another key': await signed({ ...claims, exp }, other),
    'a shared secret': await signed(
      { ...claims, exp },
      Buffer.from(key.shown.value ?? ''),
      'HS256',
    ),
    'no signature': `${unsigned}.`,
    'no end': await signed(claims, key.privateKey),
    'no scope': await signed({ ...claims, scope: undefined, exp }, key.privateKey),
    'no token': 'x',
    nothing: '',
    'too long a text': 'x'.repeat(1_000_000),
  };
  for (const [what, token] of Object.entries(bad)) {
    const error = await t.throwsAsync(tokens.access(token), { instanceOf: TokenError }, what);
    t.is(error?.reason, 'malformed', what);
  }
  t.is((await tokens.access(await signed({ ...claims, exp }, key.privateKey))).jti, 'j');
});

function setup() {
  const user: User = {
    id: 'user-id',
    name: 'dev',
    password: 'dev',
    email: 'dev@example.com',
    scopes: [],
    spaces: [],
  };
  const client: Client = {
    id: 'cf',
    secret: '',
    grantTypes: ['password', 'refresh_token'],
    scopes: [],
    authorities: [],
    accessTokenSeconds: 600,
    refreshTokenSeconds: 1200,
    spaces: [],
  };
  const model: { -readonly [K in keyof Model]: Model[K] } = {
    users: [user],
    clients: [client],
    organizations: [],
    spaces: [],
    apps: [],
    serviceInstances: [],
  };
  const clock = new ManualClock(NOW_MS);
  const forgotten = platformMetrics(new Metrics({ origin: 'test' })).revocationsForgotten;
  const tokens = new Tokens({ model: () => model, key, clock, forgotten });
  return { tokens, client, user, model, clock, forgotten };
}

function grantOf(client: Client) {
  const scopes = ['openid', 'cloud_controller.read'];
  return { client, scopes, grantType: 'password', origin: 'http://door' };
}
