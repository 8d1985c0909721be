import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import http, { type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type SpyLog, spyLog, testTls } from '@standpipe/plumbing/testing';
import test, { type ExecutionContext } from 'ava';
import { readConfig } from './config.ts';
import { ask, FakeDoppler, HANDSHAKE, openSettings } from './testing.ts';
import { startTrafficController } from './traffic-controller.ts';

const GUID = '73467cc3-261a-472e-80e8-d6eadfd30d98';
const OTHER_GUID = '954f61c4-ac84-44be-9217-cdfa3117fb41';
const NOT_PROVIDED = 'You are not authorized. Error: Authorization not provided';
const SIGNING_SECRET = 'tokenkey';
/** Tokens that say whose they are; the other doors of these tests know them by their names. */
const ADMIN = signed('admin', ['openid', 'doppler.firehose']);
const LOGS = signed('logs', ['logs.admin']);
const USER = signed('user', ['openid', 'doppler.firehose2']);
const INVALID = 'You are not authorized. Error: Invalid authorization';

type Headers = Readonly<Record<string, string>>;

const spellings: readonly (readonly [what: string, headers: (token: string) => Headers])[] = [
  ['bearer in small letters', (token) => ({ Authorization: `bearer ${token}` })],
  ['Bearer with a capital', (token) => ({ Authorization: `Bearer ${token}` })],
  ['BEARER and two blanks', (token) => ({ Authorization: `BEARER  ${token}` })],
  ['the bare token', (token) => ({ Authorization: token })],
  ['a cookie', (token) => ({ Cookie: `other=1; authorization=bearer+${token}; more=2` })],
  ['a cookie escaped by percents', (token) => ({ Cookie: `authorization=bearer%20${token}` })],
  ['a cookie without a scheme', (token) => ({ Cookie: `authorization=${token}` })],
];
for (const [what, headersOf] of spellings) {
  test(`every door takes a token as ${what}, UAA gets it bare and Cloud Controller with bearer`, async (t) => {
    const { address, cf } = await startSecure(t);
    const doors: readonly (readonly [path: string, token: string, status: number])[] = [
      ['/firehose/x', 'admin', 400],
      [`/apps/${GUID}/stream`, 'user', 400],
      [`/apps/${GUID}/recentlogs`, 'user', 200],
      [`/apps/${GUID}/containermetrics`, 'user', 200],
      [`/v2/read?log&source_id=${GUID}`, 'user', 503],
    ];
    for (const [path, token, status] of doors) {
      const headers = headersOf(token);
      t.is((await ask(address, path, { headers })).status, status, path);
      t.deepEqual(new Set(cf.tokens.splice(0)), new Set([token]), path);
    }
    const handshake = { headers: { ...HANDSHAKE, ...headersOf('admin') } };
    t.is((await ask(address, '/firehose/x', handshake)).status, 101);
    t.deepEqual(new Set(cf.authorizations), new Set(['bearer user']));
  });

  test(`Log Cache takes a token as ${what}, and Cloud Controller gets it with bearer`, async (t) => {
    const { address, cf } = await startSecure(t);
    for (const path of [`/api/v1/read/${GUID}`, `/v1/read/${GUID}`]) {
      t.is((await ask(address, path, { headers: headersOf(USER) })).status, 200, path);
    }
    t.deepEqual(cf.authorizations, [`bearer ${USER}`], 'asked once');
    const { status } = await ask(address, '/api/v1/read/doppler', { headers: headersOf(ADMIN) });
    t.is(status, 200);
  });
}

const firehoseRefusals: readonly (readonly [string, Readonly<Record<string, string>>, string])[] = [
  ['without a token', {}, NOT_PROVIDED],
  ['with an unknown token', { Authorization: 'bearer expired' }, INVALID],
  ['without the scope', { Authorization: 'bearer user' }, INVALID],
  ['when UAA answers oddly', { Authorization: 'bearer odd' }, INVALID],
  ['when UAA answers 500', { Authorization: 'bearer error' }, INVALID],
  ['when UAA does not know its client', { Authorization: 'bearer stranger' }, INVALID],
  ['when UAA answers 404', { Authorization: 'bearer lost' }, INVALID],
  ['when the scope is no list', { Authorization: 'bearer text' }, INVALID],
  ['with a token that is no word', { Authorization: 'bearer a&token=admin' }, INVALID],
  ['when UAA breaks off', { Authorization: 'bearer broken' }, INVALID],
];
for (const [what, headers, body] of firehoseRefusals) {
  test(`the firehose answers 401 ${what}, and no Doppler is asked`, async (t) => {
    const { address, doppler } = await startSecure(t);
    for (const sent of [headers, { ...HANDSHAKE, ...headers }]) {
      const answer = await ask(address, '/firehose/x', { headers: sent });
      t.deepEqual([answer.status, answer.body], [401, body]);
      t.is(answer.headers['www-authenticate'], 'Basic');
    }
    t.is(doppler.subscriptions.length, 0);
  });
}

type StreamRow = readonly [string, string, string | undefined, number, string | undefined];
const streamRows: readonly StreamRow[] = [
  ['an id that is no GUID', 'some-app', 'bearer user', 401, undefined],
  ['no token', GUID, undefined, 401, 'Basic'],
  ['a token that Cloud Controller answers 401 to', GUID, 'bearer expired', 401, 'Basic'],
  ['an app that the user may not see', OTHER_GUID, 'bearer user', 404, undefined],
  ['an app that is forbidden', GUID, 'bearer forbidden', 404, undefined],
  ['a Cloud Controller that answers 500', GUID, 'bearer error', 500, undefined],
  ['a Cloud Controller that breaks off', GUID, 'bearer broken', 500, undefined],
  ['an app that the user may see', GUID, 'bearer user', 101, undefined],
  ['an app in capital letters', GUID.toUpperCase(), 'Bearer user', 101, undefined],
];
for (const [what, id, authorization, status, challenge] of streamRows) {
  test(`an app stream answers ${status} to ${what}`, async (t) => {
    const { address } = await startSecure(t);
    const headers = { ...HANDSHAKE, ...(authorization && { Authorization: authorization }) };
    const answer = await ask(address, `/apps/${id}/stream`, { headers });
    t.deepEqual([answer.status, answer.body], [status, '']);
    t.is(answer.headers['www-authenticate'], challenge);
  });
}

for (const [what, id, authorization, status, challenge] of streamRows) {
  test(`recentlogs and containermetrics answer ${status === 101 ? 200 : status} to ${what}`, async (t) => {
    const { address } = await startSecure(t);
    for (const leaf of ['recentlogs', 'containermetrics']) {
      const headers = {
        Origin: 'http://a.b',
        ...(authorization && { Authorization: authorization }),
      };
      const answer = await ask(address, `/apps/${id}/${leaf}`, { headers });
      t.is(answer.status, status === 101 ? 200 : status);
      t.is(answer.headers['www-authenticate'], challenge);
      t.is(answer.headers['access-control-allow-origin'], 'http://a.b');
      t.is(answer.headers['access-control-allow-credentials'], 'true');
      t.is(/^--[0-9a-f]{60}--\r\n$/.test(answer.body), status === 101);
    }
  });
}

test('Cloud Controller is not asked about what is no GUID', async (t) => {
  const { address, cf } = await startSecure(t);
  await ask(address, '/apps/some-app/stream', { headers: { Authorization: 'bearer user' } });
  t.deepEqual(cf.paths, []);
});

test('why UAA refuses a token is in the log, and the token is not', async (t) => {
  const { address, log } = await startSecure(t);
  await ask(address, '/firehose/x', { headers: { Authorization: 'bearer expired-secret' } });
  await ask(address, '/firehose/x', { headers: { Authorization: 'bearer stranger' } });
  const lines = log.lines.filter(({ text }) => /token/.test(text));
  t.deepEqual(
    lines.map(({ text, fields }) => [text, fields]),
    [
      ['a token is worth nothing', { reason: 'Token has expired' }],
      ['UAA refused to check a token', { status: 401 }],
    ],
  );
  t.false(JSON.stringify(log.lines).includes('expired-secret'));
});

test('UAA is asked by POST, as the client that the settings name', async (t) => {
  const { address, cf } = await startSecure(t);
  await ask(address, '/firehose/x', { headers: { Authorization: 'bearer admin' } });
  t.deepEqual(cf.paths, ['POST /check_token']);
  t.is(cf.clients[0], `Basic ${Buffer.from('doppler:secret').toString('base64')}`);
});

const reads: readonly (readonly [string, string, string | undefined, boolean])[] = [
  ['info without a token', '/api/v1/info', undefined, true],
  ['a source without a token', `/api/v1/read/${GUID}`, undefined, false],
  ['a source of the user', `/api/v1/read/${GUID}`, `bearer ${USER}`, true],
  ['a source of somebody else', `/api/v1/read/${OTHER_GUID}`, `bearer ${USER}`, false],
  ['a source that is no GUID', '/api/v1/read/doppler', `bearer ${USER}`, false],
  ['a source that is no GUID, for an operator', '/api/v1/read/doppler', `bearer ${ADMIN}`, true],
  ['any source, for who may read logs', '/api/v1/read/doppler', `bearer ${LOGS}`, true],
  ['the tail of a source without a token', `/api/v1/tail/${GUID}`, undefined, false],
  ['the tail of a source of somebody else', `/api/v1/tail/${OTHER_GUID}`, `bearer ${USER}`, false],
  ['the tail of a source that is no GUID', '/api/v1/tail/doppler', `bearer ${USER}`, false],
  ['meta without a token', '/api/v1/meta', undefined, false],
  ['meta with a token that nobody signed', '/api/v1/meta', 'bearer user', false],
  ['meta, for a user', '/api/v1/meta', `bearer ${USER}`, true],
  ['meta by a detour', `/api/v1/read/${GUID}%2F..%2F..%2Fmeta`, `bearer ${USER}`, false],
  ['meta in other letters', '/api/v1/META', `bearer ${USER}`, false],
  ['meta, for an operator', '/api/v1/meta', `bearer ${ADMIN}`, true],
  ['the event stream, for a user', '/v2/read?log', `bearer ${USER}`, false],
  ['the event stream of an app', `/v2/read?log&source_id=${GUID}`, `bearer ${USER}`, true],
  [
    'the event stream of two apps, one forbidden',
    `/v2/read?log&source_id=${GUID}&source_id=${OTHER_GUID}`,
    `bearer ${USER}`,
    false,
  ],
];
test('the reading doors answer 404 to whoever may not read', async (t) => {
  const { address } = await startSecure(t);
  for (const [what, path, authorization, allowed] of reads) {
    const headers: Record<string, string> = authorization ? { Authorization: authorization } : {};
    const { status } = await ask(address, path, { headers });
    t.is(status !== 404, allowed, what);
  }
});

/** UAA and Cloud Controller on one port; what a token may do is its name. */
class FakeCloudFoundry {
  readonly tokens: string[] = [];
  readonly clients: (string | undefined)[] = [];
  /** What Cloud Controller was sent as authorization. */
  readonly authorizations: (string | undefined)[] = [];
  readonly paths: string[] = [];
  readonly server = http.createServer(async (request, response) => {
    if (request.url === '/token_keys') {
      const key = { kid: 'legacy', alg: 'HS256', value: SIGNING_SECRET };
      response.end(JSON.stringify({ keys: [key] }));
      return;
    }
    this.paths.push(`${request.method} ${request.url}`);
    const checked = request.url === '/check_token';
    const token = checked
      ? (new URLSearchParams(await bodyOf(request)).get('token') ?? '')
      : (request.headers.authorization ?? '').replace('bearer ', '');
    this.tokens.push(token);
    if (token === 'broken') {
      request.socket.destroy();
      return;
    }
    (checked ? this.clients : this.authorizations).push(request.headers.authorization);
    const holder = holderOf(token);
    const [status, body] = checked
      ? checkToken(holder)
      : [cloudController(holder, request.url ?? ''), ''];
    response.writeHead(status).end(body);
  });
}

function checkToken(token: string): readonly [number, string] {
  if (token === 'admin') return [200, '{"scope":["openid","doppler.firehose"]}'];
  if (token === 'logs') return [200, '{"scope":["logs.admin"]}'];
  if (token === 'user') return [200, '{"scope":["openid","doppler.firehose2"]}'];
  if (token === 'odd') return [200, '<html>'];
  if (token === 'text') return [200, '{"scope":"doppler.firehose"}'];
  if (token === 'error') return [500, ''];
  if (token === 'stranger') return [401, '{"error":"unauthorized"}'];
  if (token === 'lost') return [404, ''];
  return [400, '{"error":"invalid_token","error_description":"Token has expired"}'];
}

/** What only looks at tokens that it signed knows by the subject; others are names themselves. */
function holderOf(token: string): string {
  const [, claims = ''] = token.split('.');
  return claims === '' ? token : JSON.parse(Buffer.from(claims, 'base64url').toString()).sub;
}

function signed(sub: string, scope: readonly string[]): string {
  const exp = Math.floor(Date.now() / 1000) + 3600;
  const text = [
    { alg: 'HS256', kid: 'legacy' },
    { sub, scope, exp },
  ]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.');
  return `${text}.${createHmac('sha256', SIGNING_SECRET).update(text).digest('base64url')}`;
}

function cloudController(token: string, url: string): number {
  if (token === 'forbidden') return 403;
  if (token === 'error') return 500;
  if (token !== 'user') return 401;
  const paths = [`/internal/v4/log_access/${GUID}`, `/v3/apps/${GUID}`];
  return paths.includes(url.toLowerCase()) ? 200 : 404;
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let body = '';
  for await (const part of request) body += part;
  return body;
}

async function startSecure(
  t: ExecutionContext,
): Promise<{ address: string; cf: FakeCloudFoundry; doppler: FakeDoppler; log: SpyLog }> {
  const { doppler: tls } = await testTls('doppler');
  const doppler = await FakeDoppler.listen(tls);
  const cf = new FakeCloudFoundry();
  cf.server.listen(0, '127.0.0.1');
  await once(cf.server, 'listening');
  const url = `http://127.0.0.1:${(cf.server.address() as AddressInfo).port}`; // It listens on TCP.
  const vars = {
    ...(await openSettings([doppler])),
    TRAFFIC_CONTROLLER_DISABLE_ACCESS_CONTROL: 'false',
    TRAFFIC_CONTROLLER_UAA_HOST: url,
    TRAFFIC_CONTROLLER_UAA_CLIENT_SECRET: 'secret',
    TRAFFIC_CONTROLLER_API_HOST: url,
    LOG_STREAM_ADDR: '127.0.0.1:1',
  };
  const log = spyLog();
  const controller = await startTrafficController(readConfig(vars), { log });
  t.teardown(async () => {
    await controller[Symbol.asyncDispose]();
    await doppler[Symbol.asyncDispose]();
    cf.server.closeAllConnections();
    cf.server.close();
  });
  return { address: controller.address, cf, doppler, log };
}
