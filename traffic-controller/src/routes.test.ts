import { once } from 'node:events';
import http from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { eventually, spyLog, testTls } from '@standpipe/plumbing/testing';
import test, { type ExecutionContext } from 'ava';
import { readConfig } from './config.ts';
import { ask, FakeDoppler, HANDSHAKE, openSettings } from './testing.ts';
import {
  type Overrides,
  startTrafficController,
  type TrafficController,
} from './traffic-controller.ts';

const GUID = '73467cc3-261a-472e-80e8-d6eadfd30d98';
const NO_PAGE = '404 page not found\n';

type Row = readonly [
  what: string,
  request: readonly [method: string, path: string, headers?: Readonly<Record<string, string>>],
  status: number,
  body?: string,
  headers?: Readonly<Record<string, string>>,
];

const PLAIN_TEXT = { 'content-type': 'text/plain; charset=utf-8' };
const GO_ERROR = { ...PLAIN_TEXT, 'x-content-type-options': 'nosniff' };
const VERSION = { 'sec-websocket-version': '13' };

const rows: readonly Row[] = [
  ['no handshake', ['GET', '/firehose/x'], 400, 'Bad Request\n', { ...GO_ERROR, ...VERSION }],
  ['no handshake for an app', ['GET', `/apps/${GUID}/stream`], 400, 'Bad Request\n', VERSION],
  ['a handshake by POST', ['POST', '/firehose/x', HANDSHAKE], 405, 'Method Not Allowed\n'],
  ['a POST that is no handshake', ['POST', '/firehose/x'], 400, 'Bad Request\n', VERSION],
  ['another version', ['GET', '/firehose/x', without('8')], 400, 'Bad Request\n', VERSION],
  ['no key', ['GET', '/firehose/x', keyed('')], 400, 'Bad Request\n', VERSION],
  ['a key of fifteen bytes', ['GET', '/firehose/x', keyed('AAAAAAAAAAAAAAAAAAAA')], 400],
  ['another protocol', ['GET', '/firehose/x', { ...HANDSHAKE, Upgrade: 'h2c' }], 400],
  ['a handshake', ['GET', '/firehose/x', HANDSHAKE], 101],
  ['an id with @ in it', ['GET', '/firehose/user@123', HANDSHAKE], 101],
  ['a question mark and nothing after it', ['GET', '/firehose/x?', HANDSHAKE], 101],
  ['any origin', ['GET', '/firehose/x', { ...HANDSHAKE, Origin: 'http://a.b' }], 101],
  ['an app without a GUID', ['GET', '/apps/some-app/stream', HANDSHAKE], 101],
  ['the firehose without an id', ['GET', '/firehose/'], 404, NO_PAGE, GO_ERROR],
  ['a handshake without an id', ['GET', '/firehose/', HANDSHAKE], 404, NO_PAGE],
  ['a slash at the end', ['GET', '/firehose/x/'], 404, NO_PAGE],
  ['an app without a leaf', ['GET', `/apps/${GUID}`], 404, NO_PAGE],
  ['recentlogs', ['GET', `/apps/${GUID}/recentlogs`], 200],
  ['recentlogs by any method', ['POST', `/apps/${GUID}/recentlogs`], 200],
  ['containermetrics', ['GET', `/apps/${GUID}/containermetrics?`], 200],
  ['recentlogs of no app', ['GET', '/apps//recentlogs'], 301],
  ['recentlogs and more', ['GET', `/apps/${GUID}/recentlogs/`], 404, NO_PAGE],
  ['the event stream, if there is no gateway', ['GET', '/v2/read?log'], 404, NO_PAGE],
  ['an unknown path', ['GET', '/nothing'], 404, NO_PAGE],
  ['a path in other letters', ['GET', '/API/v1/meta'], 404, NO_PAGE],
  [
    'an unclean path',
    ['GET', '//firehose/./x?filter-type=logs'],
    301,
    '',
    { location: '/firehose/x?filter-type=logs' },
  ],
  ['an unclean path of an app', ['GET', '/firehose/../apps/y/stream'], 301, ''],
  ['an unclean handshake', ['GET', '//firehose/x', HANDSHAKE], 301, ''],
  ['a path badly escaped', ['GET', '/firehose/%zz'], 400, 'Bad Request\n'],
  ['an id with a NUL in it', ['GET', '/firehose/%00', HANDSHAKE], 101],
  ['an id with a slash in it', ['GET', '/firehose/a%2Fb', HANDSHAKE], 404, NO_PAGE],
  [
    'a path with a line break in it',
    ['GET', '//firehose/a%0d%0ab'],
    301,
    '',
    { location: '/firehose/a%0D%0Ab' },
  ],
  ['an id in Chinese', ['GET', '/firehose/%E6%B6%88%E9%98%B2', HANDSHAKE], 101],
  ['an upgrade that nobody gives', ['GET', '/', { ...HANDSHAKE, Upgrade: 'h2c' }], 200],
  ['info', ['GET', '/api/v1/info'], 200],
  ['info with an offer of HTTP/2', ['GET', '/api/v1/info', { ...HANDSHAKE, Upgrade: 'h2c' }], 200],
  [
    'an offer of HTTP/2 with a body',
    ['POST', '/set-cookie', { ...HANDSHAKE, Upgrade: 'h2c', 'Content-Length': '3' }],
    400,
  ],
  ['info of before Log Cache 2.0', ['GET', '/v1/info'], 200],
  ['an unknown path of the API', ['GET', '/api/v1/nothing'], 404],
];

for (const [what, [method, path, headers = {}], status, body, expected = {}] of rows) {
  test(`${what} is answered ${status}`, async (t) => {
    const answer = await ask(await startOpen(t), path, { method, headers });
    t.is(answer.status, status);
    if (body !== undefined) t.is(answer.body, body);
    for (const [name, value] of Object.entries(expected)) t.is(answer.headers[name], value, name);
  });
}

for (const path of ['/nothing', '/firehose/x', '/']) {
  test(`an upgrade of ${path} that is not given is closed, though its client keeps its half open`, async (t) => {
    const [host, port] = (await startOpen(t)).split(':');
    const client = connect({ host, port: Number(port), allowHalfOpen: true });
    t.teardown(() => client.destroy());
    client.on('error', () => undefined); // Writing to a connection that is closed.
    client.write(
      `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`,
    );
    client.resume();
    await once(client, 'end');
    await eventually(() => {
      if (!client.destroyed) client.write('x');
      return client.destroyed;
    });
    t.true(client.destroyed);
  });
}

test('negotiates neither compression nor a protocol', async (t) => {
  const address = await startOpen(t);
  const { status, headers } = await ask(address, '/firehose/x', {
    headers: {
      ...HANDSHAKE,
      'Sec-WebSocket-Extensions': 'permessage-deflate',
      'Sec-WebSocket-Protocol': 'chat',
    },
  });
  t.is(status, 101);
  t.is(headers['sec-websocket-extensions'], undefined);
  t.is(headers['sec-websocket-protocol'], undefined);
});

const toPlatform: readonly (readonly [what: string, method: string, path: string, to: string])[] = [
  ['the root', 'GET', '/', 'GET /'],
  ['info', 'GET', '/v2/info', 'GET /v2/info'],
  ['apps', 'GET', '/v3/apps?names=a%2Cb', 'GET /v3/apps?names=a%2Cb'],
  ['a token', 'POST', '/oauth/token', 'POST /oauth/token'],
  ['a check', 'POST', '/check_token', 'POST /check_token'],
  ['log access', 'GET', `/internal/v4/log_access/${GUID}`, `GET /internal/v4/log_access/${GUID}`],
  ['a whole URL', 'GET', 'http://api.example.com/v3', 'GET /v3'],
  ['a path with an escape', 'GET', '/v3/a%2Fb', 'GET /v3/a%2Fb'],
];
const notToPlatform: readonly (readonly [what: string, path: string, status: number])[] = [
  ['a firehose without an id', '/firehose/', 404],
  ['an app without a leaf', `/apps/${GUID}`, 404],
  ['an unknown path of the API', '/api/v1/nothing', 404],
  ['what only neighbours may ask', '/internal/v5/syslog_drain_urls?batch_size=1', 404],
  ['the same in other letters', '/INTERNAL/v5/SYSLOG_drain_urls/', 404],
  ['the same with escapes', '/internal%2Fv5/syslog%5Fdrain_urls', 404],
  ['the same by a detour', '/internal/x/../v5/syslog_drain_urls', 301],
];
test('one front door: what is not its own goes to the platform, but for what only neighbours may ask', async (t) => {
  const asked: string[] = [];
  const platform = http.createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    response.end('{"links":{}}');
  });
  platform.listen(0, '127.0.0.1');
  await once(platform, 'listening');
  t.teardown(() => platform.close());
  const { port } = platform.address() as AddressInfo; // It listens on TCP.
  const address = await startOpen(t, {}, { PLATFORM_ADDR: `127.0.0.1:${port}` });

  for (const [what, method, path, to] of toPlatform) {
    const { status, body } = await ask(address, path, { method });
    t.deepEqual([status, body, asked.pop()], [200, '{"links":{}}', to], what);
  }
  for (const [what, path, status] of notToPlatform) {
    t.is((await ask(address, path)).status, status, what);
  }
  const browser = { Accept: 'text/html,application/xhtml+xml,*/*;q=0.8' };
  t.regex((await ask(address, '/', { headers: browser })).body, /Traffic Controller/);
  t.deepEqual(asked, []);
});

test('what is refused is counted by its status, at the websockets too', async (t) => {
  const { address, metrics } = await startedOpen(t);
  const refused = (status: string): number => {
    for (const { name, labels, value } of metrics.series()) {
      if (name === 'http_refused' && labels.status === status) return value;
    }
    return 0;
  };
  await ask(address, '/firehose/x');
  await ask(address, '/firehose/x', { headers: without('8') });
  await ask(address, '/firehose/x', { method: 'POST', headers: HANDSHAKE });
  await ask(address, '/nothing');
  await ask(address, '/nothing', { headers: HANDSHAKE });
  await ask(address, '/set-cookie?a=%zz');
  t.deepEqual(['400', '404', '405'].map(refused), [3, 2, 1]);
});

test('the page at the root says what this is', async (t) => {
  const { body } = await ask(await startOpen(t), '/');
  t.regex(body, /Traffic Controller/);
  t.regex(body, /\/firehose\//);
});

test('answers 503 with no body when there are as many consumers as there may be', async (t) => {
  const address = await startOpen(t, { maxConsumers: 0 });
  const { status, body } = await ask(address, '/firehose/x', { headers: HANDSHAKE });
  t.deepEqual([status, body], [503, '']);
  t.is((await ask(address, '/firehose/x')).status, 503);
});

const cookies: readonly (readonly [what: string, query: string, cookie: string | undefined])[] = [
  [
    'a token',
    'CookieName=authorization&CookieValue=bearer%2BiAmAnAdmin',
    'authorization=bearer+iAmAnAdmin; Domain=doppler.example.com; HttpOnly; Secure',
  ],
  [
    'a value with a blank',
    'CookieName=a&CookieValue=b+c',
    'a="b c"; Domain=doppler.example.com; HttpOnly; Secure',
  ],
  [
    'what a value may not hold',
    'CookieName=a&CookieValue=b%0d%0a%3bc',
    'a=bc; Domain=doppler.example.com; HttpOnly; Secure',
  ],
  ['no name', 'CookieValue=b', undefined],
  ['a name that is none', 'CookieName=a%20b&CookieValue=c', undefined],
];
for (const [what, form, cookie] of cookies) {
  test(`/set-cookie hands out one Secure cookie of the system domain for ${what}, in the query or the body`, async (t) => {
    const address = await startOpen(t);
    const headers = { 'Content-Type': 'application/x-www-form-urlencoded', Origin: 'http://a.b' };
    const answers = [
      await ask(address, `/set-cookie?${form}`, { headers: { Origin: 'http://a.b' } }),
      await ask(address, '/set-cookie', { method: 'POST', headers, body: form }),
    ];
    for (const answer of answers) {
      t.is(answer.status, 200);
      t.deepEqual(answer.headers['set-cookie'], cookie === undefined ? undefined : [cookie]);
      t.is(answer.headers['access-control-allow-origin'], 'http://a.b');
      t.is(answer.headers['access-control-allow-credentials'], 'true');
      t.is(answer.headers['access-control-allow-headers'], 'Content-Type');
    }
  });
}

test('/set-cookie answers 400 to a form that can not be read', async (t) => {
  const address = await startOpen(t);
  const headers = { 'Content-Type': 'application/x-www-form-urlencoded' };
  t.is((await ask(address, '/set-cookie?CookieName=%zz')).status, 400);
  t.is((await ask(address, '/set-cookie?CookieName=a;CookieValue=b')).status, 400);
  for (const body of ['CookieName=%zz', `CookieName=a&CookieValue=${'b'.repeat(70_000)}`]) {
    const answer = await ask(address, '/set-cookie', { method: 'POST', headers, body });
    t.is(answer.status, 400);
    t.is(answer.headers['access-control-allow-credentials'], 'true');
    t.is(answer.headers['access-control-allow-origin'], '');
  }
});

async function startOpen(
  t: ExecutionContext,
  overrides: Overrides = {},
  settings: Readonly<Record<string, string>> = {},
): Promise<string> {
  return (await startedOpen(t, overrides, settings)).address;
}

async function startedOpen(
  t: ExecutionContext,
  overrides: Overrides = {},
  settings: Readonly<Record<string, string>> = {},
): Promise<TrafficController> {
  const { doppler: tls } = await testTls('doppler');
  const doppler = await FakeDoppler.listen(tls);
  const vars = {
    ...(await openSettings([doppler])),
    TRAFFIC_CONTROLLER_SYSTEM_DOMAIN: 'example.com',
    ...settings,
  };
  const controller = await startTrafficController(readConfig(vars), {
    log: spyLog(),
    ...overrides,
  });
  t.teardown(async () => {
    await controller[Symbol.asyncDispose]();
    await doppler[Symbol.asyncDispose]();
  });
  return controller;
}

function without(version: string): Readonly<Record<string, string>> {
  return { ...HANDSHAKE, 'Sec-WebSocket-Version': version };
}

function keyed(key: string): Readonly<Record<string, string>> {
  return { ...HANDSHAKE, 'Sec-WebSocket-Key': key };
}
