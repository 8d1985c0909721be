import { koaApp, listenHttp, Metrics, Outgoing } from '@standpipe/plumbing';
import { ManualClock, spyLog } from '@standpipe/plumbing/testing';
import test, { type ExecutionContext } from 'ava';
import { readForm } from '../rest/form.ts';
import { openLogCacheAccess } from './access.ts';
import { type Answer, ask, FakePlatform, NOW_MS, OTHER_RSA, tokenOf } from './testing.ts';
import { viewOf } from './view.ts';

const DEV = `bearer ${await tokenOf()}`;
const ADMIN = `bearer ${await tokenOf({ scopes: ['doppler.firehose'] })}`;
const FORGED = `bearer ${await tokenOf({ key: OTHER_RSA.privateKey })}`;
const [SHOP, SHOP_2, DB] = [1, 2, 3].map((n) => `${n}3467cc3-261a-472e-80e8-d6eadfd30d98`);
const DOTTED = '53467cc3-261a-472e-80e8-d6eadfd30d98';
const LEDGER = '43467cc3-261a-472e-80e8-d6eadfd30d98';

type Row = readonly [
  what: string,
  authorization: string,
  query: string,
  status: number,
  passed?: { readonly query: string; readonly sources?: readonly (string | undefined)[] },
];

const both = `sum(cpu{source_id="${SHOP}"}) / sum(mem{source_id=~"${SHOP_2}|${DB}"})`;
const rows: readonly Row[] = [
  [
    'an own source',
    DEV,
    `cpu{source_id="${SHOP}"}`,
    200,
    { query: `cpu{source_id="${SHOP}"}`, sources: [SHOP] },
  ],
  ['several own sources', DEV, both, 200, { query: both, sources: [SHOP, SHOP_2, DB] }],
  [
    'an app by its name, which two have',
    DEV,
    'cpu{source_id="shop"}',
    200,
    { query: `cpu{source_id=~"${SHOP}|${SHOP_2}"}`, sources: [SHOP, SHOP_2] },
  ],
  [
    'an app by its name and a GUID, half of which is somebody else’s',
    DEV,
    `cpu{source_id="shop"} + cpu{source_id="${LEDGER}"}`,
    404,
  ],
  [
    'sources by names with dots, as they are written',
    DEV,
    'cpu{source_id=~"my.app|my-db"}',
    200,
    { query: 'cpu{source_id=~"my.app|my-db"}', sources: ['my.app', 'my-db'] },
  ],
  [
    'an app by a name with a dot, which is another’s id',
    DEV,
    'cpu{source_id=~"my.shop"}',
    200,
    { query: `cpu{source_id=~"my.shop|${DOTTED}"}`, sources: [DOTTED] },
  ],
  [
    'an app by a name with a dot, by an administrator, who has what it matches as well',
    ADMIN,
    'cpu{source_id=~"my.shop|my-db"}',
    200,
    { query: `cpu{source_id=~"my.shop|my-db|${DOTTED}"}` },
  ],
  [
    'a source that is named, and not what an expression with dots would match',
    DEV,
    `cpu{source_id=~"m..app",source_id="my-db"}`,
    200,
    { query: `cpu{source_id=~"m..app",source_id="my-db"}`, sources: ['my-db'] },
  ],
  ['a source that is matched and not named', DEV, 'cpu{source_id=~"m..app"}', 404],
  ['a source of somebody else', DEV, `cpu{source_id="${LEDGER}"}`, 404],
  ['a name that nobody has', DEV, 'cpu{source_id="nothing"}', 404],
  [
    'anything by an administrator, with the GUIDs of its name',
    ADMIN,
    'cpu{source_id="shop"}',
    200,
    { query: `cpu{source_id=~"${SHOP}|${SHOP_2}|shop"}` },
  ],
  [
    'a source of the platform by an administrator',
    ADMIN,
    'cpu{source_id="doppler"}',
    200,
    { query: 'cpu{source_id="doppler"}' },
  ],
  ['no source by an administrator', ADMIN, 'sum(cpu)', 200, { query: 'sum(cpu)' }],
  ['no source, with a token that is not good', FORGED, 'sum(cpu)', 404],
  ['nothing but a sum', DEV, '1+1', 200, { query: '1+1', sources: [] }],
  ['the time', DEV, 'vector(time())', 200, { query: 'vector(time())', sources: [] }],
  ['nothing but a sum, by an administrator', ADMIN, '1+1', 200, { query: '1+1' }],
  ['nothing but a sum, with a token that is not good', FORGED, '1+1', 404],
];
for (const [what, authorization, query, status, passed] of rows) {
  test(`a query for ${what} is answered ${status}`, async (t) => {
    const { get } = await running(t);
    const answer = await get(authorization, query);
    t.is(answer.status, status);
    if (passed !== undefined) t.deepEqual(JSON.parse(answer.body), passed);
    else t.is(answer.body, '');
  });
}

const NO_SOURCES = 'query does not request any source_ids';
const refused: readonly (readonly [query: string, error: string])[] = [
  ['sum(cpu)', NO_SOURCES],
  [`cpu{source_id="${SHOP}"} + mem`, NO_SOURCES],
  ['cpu{source_id=""}', NO_SOURCES],
  [`cpu{source_id=~".*"}`, NO_SOURCES],
  [`cpu{source_id=~"my.app|s+"}`, NO_SOURCES],
  [`cpu{source_id!="${LEDGER}"}`, NO_SOURCES],
];
for (const [query, error] of refused) {
  test(`${query} names no source, so a user is told that`, async (t) => {
    const { get } = await running(t);
    const { status, body, headers } = await get(DEV, query);
    t.is(status, 400);
    t.is(body, `${JSON.stringify({ status: 'error', errorType: 'bad_data', error })}\n`);
    t.is(headers['content-type'], 'application/json');
  });
}

test('what a query has wrong is told before its token is looked at', async (t) => {
  const { get } = await running(t);
  for (const authorization of [DEV, ADMIN, FORGED]) {
    for (const query of ['', 'cpu{', 'a b c']) {
      const { status, body } = await get(authorization, query);
      t.is(status, 400, query);
      const { errorType, error } = JSON.parse(body);
      t.is(errorType, 'bad_data');
      t.regex(error, /parse error/);
    }
  }
});

test('a long query is judged as a short one is', async (t) => {
  const { port } = await running(t);
  const post = async (authorization: string, query: string): Promise<[number, string]> => {
    const { status, body } = await ask(port, '/api/v1/query', {
      method: 'POST',
      headers: { authorization, 'Content-Type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams({ query }).toString(),
    });
    return [status, status === 400 ? JSON.parse(body).error : body];
  };
  for (const authorization of ['Bearer nonsense', DEV, ADMIN]) {
    const [status, error] = await post(authorization, `abs(${'x,'.repeat(60_000)}x)`);
    t.is(status, 400);
    t.regex(error, /^1:6003: parse error: the expression is too long: there may be 6000 /);
  }
  const chain = Array(500).fill('x{source_id="my.app"}').join(' or ');
  t.deepEqual(await post('Bearer nonsense', chain), [404, '']);
  t.is((await post(DEV, chain))[0], 200);
  t.deepEqual(await post(DEV, `${chain} or x{source_id="${LEDGER}"}`), [404, '']);
});

test('a query that names many sources asks for what the reader may see, and not for each', async (t) => {
  const { get, platform } = await running(t);
  const many = Array.from({ length: 300 }, (_, n) => guidOf(n));
  platform.apps = many.slice(100).map((guid) => ({ guid, name: 'one of many' }));
  platform.serviceInstances = many.slice(0, 100).map((guid) => ({ guid }));
  await get(DEV, '1');
  platform.taken();
  const query = `cpu{source_id=~"${many.join('|')}"}`;
  const own = await get(DEV, query);
  t.is(own.status, 200);
  t.deepEqual(JSON.parse(own.body), { query, sources: many });
  const lists = ['apps', 'service_instances'].map((kind) => `GET /v3/${kind}?per_page=5000`);
  t.deepEqual(platform.taken().toSorted(), lists);
  t.is((await get(DEV, query)).status, 200);
  t.deepEqual(platform.taken(), [], 'each of them is remembered');
  t.is((await get(DEV, `cpu{source_id=~"${many.join('|')}|${LEDGER}"}`)).status, 404);
  const others = Array.from({ length: 300 }, (_, n) => guidOf(1000 + n));
  t.is((await get(DEV, `cpu{source_id=~"${others.join('|')}"}`)).status, 404);
});

test('a query for many sources is refused when Cloud Controller does not list what may be read', async (t) => {
  const { get, platform } = await running(t);
  await get(DEV, '1');
  platform.handler = (_request, response) => response.writeHead(500).end();
  const many = Array.from({ length: 300 }, (_, n) => guidOf(n)).join('|');
  const { status, body } = await get(DEV, `cpu{source_id=~"${many}"}`);
  t.deepEqual([status, body], [404, '']);
});

test('a name that stands for more apps than a query has room for is told so', async (t) => {
  const { get, platform } = await running(t);
  platform.apps = Array.from({ length: 500 }, (_, n) => ({ guid: guidOf(n), name: 'shop' }));
  const query = Array.from({ length: 9 }, () => 'cpu{source_id="shop"}').join(' + ');
  const { status, body } = await get(DEV, query);
  t.is(status, 400);
  t.is(JSON.parse(body).error, 'the query is too long with the ids of all apps that it names');
});

test('names that are asked for again share an answer, and what has them is not asked for one by one', async (t) => {
  const { get, platform } = await running(t);
  platform.taken();
  for (let round = 0; round < 3; round += 1) {
    t.is((await get(DEV, 'cpu{source_id="shop"}')).status, 200);
  }
  const asked = platform.taken().filter((request) => request !== 'GET /token_keys');
  const own = ['apps', 'service_instances'].map((kind) => `GET /v3/${kind}/shop`);
  t.is(asked[0], 'GET /v3/apps?names=shop&per_page=5000');
  // Whether there is a source of that very id is asked again, for a no is not kept.
  t.deepEqual(asked.slice(1), [...own, ...own, ...own]);
});

test('a query may come as a form, too', async (t) => {
  const { port } = await running(t);
  const answer = await ask(port, '/api/v1/query_range?start=1', {
    method: 'POST',
    headers: { authorization: DEV, 'Content-Type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({ query: 'cpu{source_id="shop"}', step: '5' }).toString(),
  });
  t.is(JSON.parse(answer.body).query, `cpu{source_id=~"${SHOP}|${SHOP_2}"}`);
});

test('a Cloud Controller that finds no names leaves the query as it is', async (t) => {
  const { get, platform } = await running(t);
  await get(ADMIN, '1');
  platform.handler = (_request, response) => response.writeHead(500).end();
  const { status, body } = await get(ADMIN, 'cpu{source_id="shop"}');
  t.deepEqual([status, JSON.parse(body).query], [200, 'cpu{source_id="shop"}']);
});

test('labels and series are those of the sources that the reader may see', async (t) => {
  const { port } = await running(t);
  for (const path of ['labels', 'label/job/values', 'series', 'metadata', 'meta']) {
    const seen = await ask(port, `/api/v1/${path}`, { headers: { authorization: DEV } });
    const mine = [SHOP, SHOP_2, DB, DOTTED, 'my-db', 'my.app'];
    t.deepEqual(JSON.parse(seen.body).sources.toSorted(), mine, path);
    const all = await ask(port, `/api/v1/${path}`, { headers: { authorization: ADMIN } });
    t.is(JSON.parse(all.body).sources, undefined, path);
  }
  const status = await ask(port, '/api/v1/status/buildinfo', { headers: { authorization: DEV } });
  t.deepEqual(JSON.parse(status.body).sources, []);
});

function guidOf(n: number): string {
  return `63467cc3-261a-472e-80e8-${String(n).padStart(12, '0')}`;
}

interface Running {
  readonly platform: FakePlatform;
  readonly port: number;
  readonly get: (authorization: string, query: string) => Promise<Answer>;
}

/** A guard before routes that answer with what came to them. */
async function running(t: ExecutionContext): Promise<Running> {
  const platform = await FakePlatform.listen(t);
  platform.apps = [
    { guid: SHOP ?? '', name: 'shop' },
    { guid: SHOP_2 ?? '', name: 'shop' },
    { guid: DOTTED, name: 'my.shop' },
    { guid: 'my.app', name: 'mine' },
  ];
  platform.serviceInstances = [
    { guid: DB ?? '', name: 'shop-db' },
    { guid: 'my-db', name: 'mine' },
  ];
  const log = spyLog();
  const outgoing = new Outgoing({ url: platform.origin });
  const access = openLogCacheAccess({
    uaa: outgoing,
    uaaClient: '',
    uaaSecret: '',
    cloudController: outgoing,
    clock: new ManualClock(NOW_MS),
    log,
    metrics: new Metrics({ origin: 'test' }),
  });
  const app = koaApp(log);
  app.use(
    access.guard.before(async (ctx) => {
      const query = (await readForm(ctx)).get('query')?.map(String)[0];
      const { sources } = viewOf(ctx) ?? {};
      ctx.body = { query, ...(sources && { sources: [...sources] }) };
    }),
  );
  const listener = await listenHttp({ address: '127.0.0.1:0', app, log });
  t.teardown(async () => {
    await listener[Symbol.asyncDispose]();
    await access[Symbol.asyncDispose]();
    outgoing[Symbol.dispose]();
  });
  const { port } = listener;
  return {
    platform,
    port,
    get: (authorization, query) =>
      ask(port, `/api/v1/query?query=${encodeURIComponent(query)}`, { headers: { authorization } }),
  };
}
