import { status } from '@grpc/grpc-js';
import { koaApp, listenHttp, Outgoing } from '@standpipe/plumbing';
import { eventually, ManualClock, spyLog } from '@standpipe/plumbing/testing';
import test, { type ExecutionContext } from 'ava';
import { ReadError } from '../read-error.ts';
import { logCacheNotFound, logCacheRoutes } from '../rest/routes.ts';
import { line, type TestStore, testStore } from '../testing.ts';
import { openLogCacheAccess } from './access.ts';
import { type Answer, ask, FakePlatform, NOW_MS, OTHER_RSA, tokenOf } from './testing.ts';
import { setView } from './view.ts';

const DEV = `Bearer ${await tokenOf()}`;
const ADMIN = `bearer ${await tokenOf({ scopes: ['logs.admin'] })}`;
const RAW = await tokenOf();
const FORGED = await tokenOf({ key: OTHER_RSA.privateKey, scopes: ['logs.admin'] });
const EXPIRED = await tokenOf({ expiresInS: -1, scopes: ['logs.admin'] });
const NO_PAGE = '404 page not found\n';

type Row = readonly [
  what: string,
  path: string,
  authorization: string | undefined,
  status: number,
  body?: string,
];

const empty = (what: string, path: string, authorization?: string): Row => [
  what,
  path,
  authorization,
  404,
  '',
];

const rows: readonly Row[] = [
  ['info without a token', '/api/v1/info', undefined, 200],
  ['info with a bad one', '/api/v1/info', FORGED, 200],
  ['info by its old name', '/v1/info', undefined, 200],
  ['an own source', '/api/v1/read/shop', DEV, 200],
  ['an own source, with the bare token', '/api/v1/read/shop', RAW, 200],
  ['an own source, with BEARER and blanks', '/api/v1/read/shop', `BEARER  ${RAW} `, 200],
  ['an own source by its old path', '/v1/read/shop', DEV, 200],
  ['a service instance', '/api/v1/read/shop-db', DEV, 200],
  ['an own source with a slash in its id', '/api/v1/read/a%2Fb', DEV, 200],
  ['any source, for an administrator', '/api/v1/read/doppler', ADMIN, 200],
  empty('a source without a token', '/api/v1/read/shop'),
  empty('a source with an empty token', '/api/v1/read/shop', 'Bearer '),
  empty('a source with a forged token', '/api/v1/read/shop', FORGED),
  empty('a source with a token that has expired', '/api/v1/read/shop', EXPIRED),
  empty('a source of somebody else', '/api/v1/read/ledger', DEV),
  empty('a source of the platform', '/api/v1/read/doppler', DEV),
  empty('an old path without a token', '/v1/read/shop'),
  empty('a source that is no text, for a user', '/api/v1/read/%ff', DEV),
  ['a source that is no text, for an administrator', '/api/v1/read/%ff', ADMIN, 500],
  empty('a detour', '/api/v1/read/%2e%2e', DEV),
  empty('another detour', '/api/v1/read/shop%2F..%2Fledger', DEV),
  ['an unclean path', '/api/v1/x/../read/ledger', DEV, 301],
  ['a source in two segments', '/api/v1/read/a/b', ADMIN, 404, NO_PAGE],
  ['no source', '/api/v1/read/', ADMIN, 404, NO_PAGE],
  ['read alone', '/api/v1/read', ADMIN, 404, NO_PAGE],
  ['an unknown path', '/api/v1/nothing', undefined, 404, NO_PAGE],
  ['a path in other letters', '/api/v1/META', DEV, 404, NO_PAGE],
  ['an escaped path', '/api/v1/%6deta', DEV, 404, NO_PAGE],
  empty('meta without a token', '/api/v1/meta'),
  empty('meta with a forged token', '/api/v1/meta', FORGED),
  empty('meta by its old path', '/v1/meta'),
  empty('labels without a token', '/api/v1/labels'),
  empty('a query without a token', '/api/v1/query?query=1'),
  empty('a query by its old path', '/v1/promql?query=1'),
];
test('answers by status and body as the original’s proxy does, and counts what it refuses', async (t) => {
  const { ask, store } = await running(t);
  for (const [what, path, authorization, code, body] of rows) {
    const answer = await ask(path, authorization);
    t.is(answer.status, code, what);
    if (body !== undefined) t.is(answer.body, body, what);
    t.is(answer.headers['www-authenticate'], undefined, what);
  }
  const refused = rows.filter(([, , , code]) => code === 404).length;
  const counted = [...store.metrics.series()]
    .filter(({ name }) => name === 'log_cache_access_refused')
    .reduce((sum, { value }) => sum + value, 0);
  t.is(counted, refused);
});

test('any method of a source that may not be read is refused', async (t) => {
  const { ask } = await running(t);
  for (const method of ['GET', 'POST', 'PUT', 'HEAD', 'OPTIONS', 'DELETE']) {
    t.is((await ask('/api/v1/read/ledger', DEV, { method })).status, 404, method);
    t.is((await ask('/api/v1/query?query=1', undefined, { method })).status, 404, method);
  }
});

test('meta has the sources that the reader may see, in lowerCamel and without zeros', async (t) => {
  const { ask, store } = await running(t);
  store.put(line('shop', 5), line('shop', 7), line('ledger', 9), line('doppler', 9));
  const mine = await ask('/api/v1/meta', DEV);
  const shop = '"shop":{"count":"2","oldestTimestamp":"5","newestTimestamp":"7"}';
  t.is(mine.body, `{"meta":{${shop}}}\n`);
  t.is(mine.headers['content-type'], 'text/plain; charset=utf-8');
  const all = await ask('/api/v1/meta', ADMIN);
  t.deepEqual(Object.keys(JSON.parse(all.body).meta), ['doppler', 'ledger', 'shop']);
});

test('meta of nothing is an empty object', async (t) => {
  const { ask, platform } = await running(t);
  platform.handler = (request, response) => {
    response.writeHead(request.url === '/token_keys' ? 200 : 500);
    response.end(JSON.stringify(platform.keys));
  };
  const answer = await ask('/api/v1/meta', DEV);
  t.deepEqual([answer.status, answer.body], [200, '{}\n']);
});

test('meta that no node can give is a 502 without a word', async (t) => {
  const { ask, store } = await running(t);
  store.reader.meta = () => Promise.reject(new ReadError(status.UNAVAILABLE, 'nobody is there'));
  const answer = await ask('/api/v1/meta', ADMIN);
  t.deepEqual([answer.status, answer.body], [502, '']);
});

test('what a request may not see is shown by no route, whoever let it in', async (t) => {
  const { store } = await running(t);
  store.put(line('shop', 5), line('ledger', 9));
  const app = koaApp(spyLog());
  app.use((ctx, next) => {
    setView(ctx, { sources: new Set(['shop']) });
    return next();
  });
  const tails = { tail: () => t.fail('it was tailed') as never };
  app.use(logCacheRoutes(store.reader, { tails })).use(logCacheNotFound());
  const listener = await listenHttp({ address: '127.0.0.1:0', app, log: spyLog() });
  t.teardown(() => listener[Symbol.asyncDispose]());
  t.is((await ask(listener.port, '/api/v1/read/shop')).status, 200);
  t.is((await ask(listener.port, '/api/v1/read/ledger')).status, 404);
  t.is((await ask(listener.port, '/api/v1/tail/ledger')).status, 404);
  const { meta } = JSON.parse((await ask(listener.port, '/api/v1/meta')).body);
  t.deepEqual(Object.keys(meta), ['shop']);
});

test('a cookie is a token only where cookies are taken', async (t) => {
  const headers = { Cookie: `a=b; authorization=bearer%20${RAW}` };
  const without = await running(t);
  t.is((await without.ask('/api/v1/read/shop', undefined, { headers })).status, 404);
  const taking = await running(t, { takesCookies: true });
  t.is((await taking.ask('/api/v1/read/shop', undefined, { headers })).status, 200);
});

test('PromQL that is said not to be there is refused before all else', async (t) => {
  const { ask } = await running(t, { promQlUnimplemented: true });
  for (const path of ['/api/v1/query', '/api/v1/query_range?query=1', '/api/v1/query_exemplars']) {
    const answer = await ask(path, undefined);
    t.is(answer.status, 501, path);
    t.is(answer.headers['content-type'], 'text/plain; charset=utf-8');
    const body = { status: 'error', errorType: 'bad_data', error: 'Metrics not available' };
    t.deepEqual(JSON.parse(answer.body), body);
  }
  t.is((await ask('/api/v1/read/shop', DEV)).status, 200);
});

test('while UAA has never answered, tokens can not be judged, which is no refusal', async (t) => {
  const { ask, platform, clock, store } = await running(t, {}, (silent) => {
    silent.handler = (_request, response) => response.writeHead(500).end();
  });
  t.is((await ask('/api/v1/info', undefined)).status, 200);
  t.is(
    (await ask('/api/v1/read/shop', undefined)).status,
    404,
    'without a token nothing is waited for',
  );
  for (const path of ['/api/v1/read/shop', '/api/v1/query?query=x{source_id="shop"}']) {
    let isAnswered = false;
    const answer = ask(path, DEV).finally(() => {
      isAnswered = true;
    });
    await eventually(async () => {
      await clock.advance(100);
      return isAnswered;
    });
    const { status: code, body } = await answer;
    t.deepEqual([code, body], [503, ''], path);
  }
  const counted = [...store.metrics.series()].find(({ labels }) => labels.reason === 'no-keys');
  t.is(counted?.value, 2);
  platform.handler = undefined;
  await clock.advance(5000);
  await eventually(async () => (await ask('/api/v1/read/shop', DEV)).status === 200);
});

test('what is read again and again asks Cloud Controller once', async (t) => {
  const { ask, platform } = await running(t);
  for (let round = 0; round < 5; round += 1) await ask('/api/v1/read/shop', DEV);
  t.deepEqual(platform.taken(), ['GET /token_keys', 'GET /v3/apps/shop']);
});

interface Running {
  readonly platform: FakePlatform;
  readonly clock: ManualClock;
  readonly store: TestStore;
  readonly ask: (
    path: string,
    authorization: string | undefined,
    init?: { readonly method?: string; readonly headers?: Readonly<Record<string, string>> },
  ) => Promise<Answer>;
}

async function running(
  t: ExecutionContext,
  options: { readonly takesCookies?: boolean; readonly promQlUnimplemented?: boolean } = {},
  prepare: (platform: FakePlatform) => void = () => {},
): Promise<Running> {
  const platform = await FakePlatform.listen(t);
  prepare(platform);
  const clock = new ManualClock(NOW_MS);
  platform.apps = [{ guid: 'shop' }, { guid: 'a/b' }];
  platform.serviceInstances = [{ guid: 'shop-db' }];
  const store = testStore();
  const log = spyLog();
  const outgoing = new Outgoing({ url: platform.origin });
  const access = openLogCacheAccess({
    uaa: outgoing,
    uaaClient: '',
    uaaSecret: '',
    cloudController: outgoing,
    clock,
    log,
    metrics: store.metrics,
    ...options,
  });
  const app = koaApp(log);
  app
    .use(access.guard.before(logCacheRoutes(store.reader, { metaDialect: 'auth-proxy' })))
    .use(logCacheNotFound());
  const listener = await listenHttp({ address: '127.0.0.1:0', app, log });
  t.teardown(async () => {
    await listener[Symbol.asyncDispose]();
    await access[Symbol.asyncDispose]();
    outgoing[Symbol.dispose]();
  });
  return {
    platform,
    clock,
    store,
    ask: (path, authorization, { method = 'GET', headers = {} } = {}) =>
      ask(listener.port, path, {
        method,
        headers: { ...headers, ...(authorization !== undefined && { authorization }) },
      }),
  };
}
