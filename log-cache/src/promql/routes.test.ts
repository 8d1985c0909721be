import http from 'node:http';
import { createLogger, koaApp, listenHttp } from '@standpipe/plumbing';
import { eventually } from '@standpipe/plumbing/testing';
import { longOf, randomFrom } from '@standpipe/protos/testing';
import test, { type ExecutionContext } from 'ava';
import { setView } from '../access/view.ts';
import { logCacheNotFound, logCacheRoutes } from '../rest/routes.ts';
import { type EnvelopeInit, testStore } from '../testing.ts';
import { randomText } from './oracle-mistakes.ts';
import { SampleBudget } from './pacer.ts';
import type { QuerierOptions } from './querier.ts';
import { gaugeAt, logAt, testQuerier } from './testing.ts';

const FORM = { 'Content-Type': 'application/x-www-form-urlencoded' };
const START = 1_714_564_800;

/** The example data of the original's documentation. */
const EXAMPLE: readonly EnvelopeInit[] = [
  { ...at(0, '0'), log: { payload: Buffer.from('hello <world> & "q"') } },
  { ...at(1, '1'), log: { payload: Buffer.from('oops'), type: 1 } },
  {
    ...at(2, '1'),
    tags: { job: 'cell' },
    gauge: { metrics: { cpu: { unit: 'percentage', value: 0.23 } } },
  },
  { ...at(3, '1'), counter: { name: 'http.requests', delta: 5, total: 10 } },
  { ...at(4, '2'), timer: { name: 'http', start: 1000, stop: 3000 } },
  { ...at(5, '2'), event: { title: 't1', body: 'b1' } },
  { ...at(6, '3'), gauge: { metrics: { nan: { unit: '', value: Number.NaN } } } },
];

function at(second: number, instance: string): EnvelopeInit {
  const timestamp = longOf(BigInt(START + second) * 1_000_000_000n + 123_456_000n);
  return { timestamp, source_id: 'app-1', instance_id: instance };
}

const CPU = 'cpu{source_id="app-1"}';

for (const [path, params, body] of [
  [
    'query',
    { query: '7*9', time: '1714564810.5' },
    '{"status":"success","data":{"resultType":"scalar","result":[1714564810.500,"63"]}}',
  ],
  [
    'query',
    { query: CPU, time: '1714564810' },
    '{"status":"success","data":{"resultType":"vector","result":[{"metric":{"instance_id":"1","job":"cell","source_id":"app-1"},"value":[1714564810.000,"0.23"]}]}}',
  ],
  [
    'query',
    { query: 'http_requests{source_id="app-1"}[5m]', time: '1714564810' },
    '{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"instance_id":"1","source_id":"app-1"},"values":[[1714564803.000,"10"]]}]}}',
  ],
  [
    'query',
    { query: 'nothing{source_id="app-1"}', time: '1714564810' },
    '{"status":"success","data":{"resultType":"vector","result":[]}}',
  ],
  [
    'query_range',
    { query: CPU, start: '1714564800', end: '1714564806', step: '2' },
    '{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"instance_id":"1","job":"cell","source_id":"app-1"},"values":[[1714564802.000,"0.23"],[1714564804.000,"0.23"],[1714564806.000,"0.23"]]}]}}',
  ],
  [
    'query_range',
    { query: '1', start: '2024-05-01T12:00:00Z', end: '2024-05-01T14:00:00.5+02:00', step: '1m' },
    '{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[[1714564800.000,"1"]]}]}}',
  ],
  ['query', { query: '1e21', time: '0' }, scalar('0.000', '1000000000000000000000')],
  ['query', { query: '1e-9', time: '-1.5' }, scalar('-1.500', '0.000000001')],
  ['query', { query: '1/0', time: '99' }, scalar('99.000', '+Inf')],
  ['query', { query: '-1/0', time: '99' }, scalar('99.000', '-Inf')],
  ['query', { query: '0/0', time: '99' }, scalar('99.000', 'NaN')],
  ['query', { query: '0', time: '99' }, scalar('99.000', '0')],
  [
    'query',
    { query: '"<a>&"', time: '99' },
    '{"status":"success","data":{"resultType":"string","result":[99.000,"\\u003ca\\u003e\\u0026"]}}',
  ],
  [
    'query',
    { query: 'nan{source_id="app-1"}', time: '1714564810' },
    undefined, // `nan` is a number.
  ],
  [
    'query',
    { query: '{__name__="nan"}', time: '1714564810' },
    '{"status":"success","data":{"resultType":"vector","result":[{"metric":{"instance_id":"3","source_id":"app-1"},"value":[1714564810.000,"NaN"]}]}}',
  ],
] as const) {
  if (body === undefined) continue;
  test(`${path} ${JSON.stringify(params)} by GET, POST and its old name`, async (t) => {
    const { ask } = await served(t, EXAMPLE);
    const text = new URLSearchParams(params).toString();
    const old = path.replace('query', 'promql');
    for (const response of [
      await ask(`/api/v1/${path}?${text}`),
      await ask(`/api/v1/${path}`, { method: 'POST', headers: FORM, body: text }),
      await ask(`/v1/${old}?${text}`),
    ]) {
      t.is(await response.text(), `${body}\n`);
      t.is(response.status, 200);
      t.is(response.headers.get('content-type'), 'application/json');
      t.is(response.headers.get('grpc-metadata-content-type'), 'application/grpc');
    }
  });
}

function scalar(time: string, value: string): string {
  return `{"status":"success","data":{"resultType":"scalar","result":[${time},"${value}"]}}`;
}

const RANGE = 'start=0&end=10&step=1';
for (const [path, error] of [
  ['query', '1:1: parse error: no expression found in input'],
  ['query?query=invalid.query', "1:8: parse error: unexpected character: '.'"],
  ['query?query=1&time=409l', 'cannot parse "409l" to a valid Unix or RFC3339 timestamp'],
  ['query?query=1&time=NaN', 'cannot parse "NaN" to a valid Unix or RFC3339 timestamp'],
  ['query?query=1&time=Inf', 'cannot parse "Inf" to a valid Unix or RFC3339 timestamp'],
  ['query?query=1&time=1e30', 'cannot parse "1e30" to a valid Unix or RFC3339 timestamp'],
  [
    'query?query=1&time=2024-05-01T12:00:00',
    'cannot parse "2024-05-01T12:00:00" to a valid Unix or RFC3339 timestamp',
  ],
  ...[
    '2023-02-31T00:00:00Z',
    '2023-02-29T00:00:00Z',
    '2023-01-01T24:00:00Z',
    '2023-13-01T00:00:00Z',
    '2023-01-01T00:00:60Z',
    '2023-01-01T00:00:00-24:30',
  ].map((time): [string, string] => [
    `query?query=1&time=${time}`,
    `cannot parse "${time}" to a valid Unix or RFC3339 timestamp`,
  ]),
  ['query_range?query=1&start=0&end=1', `couldn't parse step: cannot parse "" to a valid step`],
  [
    'query_range?query=1&start=x&end=1&step=1',
    `couldn't parse start: cannot parse "x" to a valid Unix or RFC3339 timestamp`,
  ],
  [
    'query_range?query=1&start=1&end=&step=1',
    `couldn't parse end: cannot parse "" to a valid Unix or RFC3339 timestamp`,
  ],
  [
    'query_range?query=x&start=0&end=10&step=0',
    'zero or negative query resolution step widths are not accepted. Try a positive integer',
  ],
  [
    'query_range?query=x&start=0&end=0&step=0',
    'zero or negative query resolution step widths are not accepted. Try a positive integer',
  ],
  [
    'query_range?query=x&start=0&end=10&step=-1',
    'zero or negative query resolution step widths are not accepted. Try a positive integer',
  ],
  ['query_range?query=x&start=10&end=0&step=1', 'end timestamp must not be before start time'],
  [
    'query_range?query=x&start=0&end=11001&step=1',
    'exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)',
  ],
  [
    `query_range?query=x[5m]&${RANGE}`,
    'invalid expression type "range vector" for range query, must be Scalar or instant Vector',
  ],
  [
    `query_range?query="x"&${RANGE}`,
    'invalid expression type "string" for range query, must be Scalar or instant Vector',
  ],
  ['query?query=1&query=2', 'too many values for field "query": 1, 2'],
  ['query?query=a;b', 'invalid semicolon separator in query'],
  ['series', 'no match[] parameter provided'],
  ['series?match[]=rate(x[1m])', 'invalid parameter "match[]": "rate(x[1m])" is no selector'],
  [`series?${'match[]=x&'.repeat(101)}`, 'more than 100 match[] parameters'],
  ['labels?start=2&end=1', 'end timestamp must not be before start time'],
  ['labels?limit=x', 'limit must be a number'],
  ['query?query=1&timeout=x', 'cannot parse "x" to a valid duration'],
] as const) {
  test(`refuses ${path}`, async (t) => {
    const { ask } = await served(t, EXAMPLE);
    const response = await ask(`/api/v1/${path}`);
    t.is(response.status, 400);
    t.is(response.headers.get('content-type'), 'application/json');
    t.deepEqual(await response.json(), { status: 'error', errorType: 'bad_data', error });
  });
}

test('what can not be evaluated is 400, with a body that says why', async (t) => {
  const { ask } = await served(t, EXAMPLE);
  const query = encodeURIComponent('label_replace(cpu, "a b", "", "", "")');
  const response = await ask(`/api/v1/query?query=${query}`);
  t.is(response.status, 400);
  t.like(await response.json(), { status: 'error', errorType: 'execution' });
});

test('what would hold more samples than there is room for is 400, too', async (t) => {
  const { ask } = await served(t, EXAMPLE);
  const query = encodeURIComponent('sum_over_time(vector(1)[100y:1s])');
  const response = await ask(`/api/v1/query?query=${query}`);
  t.is(response.status, 400);
  t.deepEqual(await response.json(), {
    status: 'error',
    errorType: 'execution',
    error: 'query processing would load too many samples into memory in query execution',
  });
});

test('what takes too long is 500, as the original’s clients read it', async (t) => {
  const { ask } = await served(t, [], { timeoutMs: 1 });
  const query = encodeURIComponent('max_over_time(sum_over_time(vector(1)[1h:1s])[30m:1s])');
  const response = await ask(`/api/v1/query?query=${query}`);
  t.is(response.status, 500);
  t.deepEqual(await response.json(), {
    status: 'error',
    errorType: 'timeout',
    error: 'query timed out in expression evaluation',
  });
});

for (const method of ['PUT', 'DELETE', 'OPTIONS']) {
  for (const path of ['query', 'query_range', 'labels', 'label/x/values']) {
    test(`does not allow ${method} on ${path}`, async (t) => {
      const { ask } = await served(t, []);
      const response = await ask(`/api/v1/${path}`, { method });
      t.is(response.status, 501);
      const error = 'Method Not Allowed';
      t.deepEqual(await response.json(), { status: 'error', errorType: 'internal', error });
    });
  }
}

test('tells what labels, values and series there are', async (t) => {
  const { data } = await served(t, EXAMPLE);
  t.deepEqual(await data('labels'), ['__name__', 'instance_id', 'job', 'log_type', 'source_id']);
  t.deepEqual(await data('labels?match[]=cpu'), ['__name__', 'instance_id', 'job', 'source_id']);
  t.deepEqual(await data('labels?limit=2'), ['__name__', 'instance_id']);
  const names = ['cpu', 'http', 'http_requests', 'log_lines_total', 'nan'];
  t.deepEqual(await data('label/__name__/values'), names);
  t.deepEqual(await data('label/instance_id/values?match[]={job!=""}'), ['1']);
  t.deepEqual(await data('label/job/values'), ['cell']);
  t.deepEqual(await data('label/nothing/values'), []);
  const since = `start=${START + 3}&end=${START + 4}`;
  t.deepEqual(await data(`label/__name__/values?${since}`), ['http', 'http_requests']);
  t.deepEqual(await data('series?match[]=cpu&match[]=http'), [
    { __name__: 'cpu', instance_id: '1', job: 'cell', source_id: 'app-1' },
    { __name__: 'http', instance_id: '2', source_id: 'app-1' },
  ]);
  t.deepEqual(await data('metadata?metric=cpu'), {
    cpu: [{ type: 'gauge', help: '', unit: 'percentage' }],
  });
  t.like(await data('metadata'), {
    http_requests: [{ type: 'counter', help: '', unit: '' }],
    log_lines_total: [{ type: 'counter', help: 'Log lines that the cache holds.', unit: '' }],
  });
});

test('tells each type and unit that a metric has', async (t) => {
  const { data } = await served(t, [
    { source_id: 'a', counter: { name: 'ingress', total: 1 } },
    { source_id: 'b', gauge: { metrics: { ingress: { value: 1, unit: 'counter' } } } },
    { source_id: 'c', gauge: { metrics: { ingress: { value: 2, unit: 'counter' } } } },
  ]);
  const counter = { type: 'counter', help: '', unit: '' };
  const gauge = { type: 'gauge', help: '', unit: 'counter' };
  t.deepEqual(await data('metadata'), { ingress: [counter, gauge] });
  t.deepEqual(await data('metadata?limit_per_metric=1'), { ingress: [counter] });
});

test('has what a data source asks for at its start', async (t) => {
  const { data } = await served(t, []);
  t.like(await data('status/buildinfo'), { version: '2.42.0' });
  t.deepEqual(await data('rules'), { groups: [] });
  t.deepEqual(await data('query?query=1%2B1&time=4'), {
    resultType: 'scalar',
    result: [4, '2'],
  });
});

for (const path of ['constructor', 'toString', '__proto__', 'hasOwnProperty']) {
  test(`there is no ${path}`, async (t) => {
    const { ask } = await served(t, []);
    t.is((await ask(`/api/v1/${path}`)).status, 404);
  });
}

// Whatever is asked, the body is an answer or an error as clients know them.
for (const seed of [1, 2]) {
  test(`any text gets a well-formed answer, seed ${seed}`, async (t) => {
    t.timeout(120_000);
    const { ask } = await served(t, EXAMPLE, { budget: new SampleBudget(1_000_000) });
    const random = randomFrom(seed);
    for (let n = 0; n < 300; n += 1) {
      const query = randomText(random);
      const params = new URLSearchParams({ query, time: String(START + random(10)) });
      const { status, body } = await replyOf(await ask(`/api/v1/query?${params}`));
      const said = `${query}: ${status} ${JSON.stringify(body).slice(0, 200)}`;
      if (status === 200) t.is(body.status, 'success', said);
      else {
        t.is(status, 400, said);
        t.is(body.status, 'error', said);
        t.regex(body.errorType, /^(?:bad_data|execution)$/, said);
        t.true(body.error.length > 0, said);
      }
    }
  });
}

// Longer than any parser likes: what is between is served, and each has its answer.
const LONG: readonly ((random: (below: number) => number) => string)[] = [
  (random) => `abs(${'x,'.repeat(random(65_000))}x)`,
  (random) => `x{${'a="b",'.repeat(random(21_000))}a="b"}`,
  (random) => `sum by (${'a,'.repeat(random(65_000))}a) (x)`,
  (random) =>
    Array(1 + random(10_000))
      .fill('x')
      .join(['+', ' and ', '==bool ', '^'][random(4)]),
  (random) => `${['(', '-', '[', '{', 'abs('][random(5)]?.repeat(random(20_000))}x`,
  (random) => `${'#\n'.repeat(random(60_000))}1`,
  (random) => `"${'\\"'.repeat(random(60_000))}${random(2) ? '"' : ''}`,
  (random) => `x{a=~"${'b|'.repeat(random(60_000))}"}`,
  (random) => `x{${'a=~"(b{100})+",'.repeat(random(400))}c="d"}`,
  (random) => Array.from({ length: 1 + random(800) }, () => randomText(random)).join('+'),
  (random) => {
    let query = 'vector(1)';
    for (let n = random(400); n > 0; n -= 1) {
      query = `label_replace(${query},"x","$1$1","x","(.*a{${random(990)}})?")`;
    }
    return query;
  },
];

for (const seed of [1, 2]) {
  test(`long texts get a well-formed answer, too, seed ${seed}`, async (t) => {
    t.timeout(120_000);
    const budget = new SampleBudget(1_000_000);
    const { ask } = await served(t, EXAMPLE, { budget });
    const random = randomFrom(seed);
    for (let n = 0; n < 4 * LONG.length; n += 1) {
      const query = LONG[n % LONG.length]?.(random).slice(0, 128 * 1024) ?? '';
      const body = new URLSearchParams({ query, time: String(START) }).toString();
      const reply = await replyOf(
        await ask('/api/v1/query', { method: 'POST', headers: FORM, body }),
      );
      const said = `${query.slice(0, 100)}: ${JSON.stringify(reply).slice(0, 200)}`;
      t.true(reply.status === 200 || reply.status === 400, said);
      if (reply.status === 400) t.true(reply.body.error.length > 0, said);
    }
    t.is(budget.held, 0);
  });
}

async function replyOf(response: Response): Promise<{
  readonly status: number;
  readonly body: { readonly status: string; readonly errorType: string; readonly error: string };
}> {
  return { status: response.status, body: (await response.json()) as never }; // The test looks at it.
}

test('gives names on demand', async (t) => {
  const { data } = await served(t, EXAMPLE);
  t.like(await data(`query?query=cpu&time=${START + 9}&names=true`), {
    result: [{ metric: { __name__: 'cpu' } }],
  });
});

test('shows nothing but the sources that may be seen', async (t) => {
  const { data } = await served(
    t,
    [gaugeAt(START, { x: 1 }, { source: 'a' }), gaugeAt(START, { x: 1 }, { source: 'b' })],
    {},
    new Set(['b']),
  );
  t.deepEqual(await data('label/source_id/values'), ['b']);
  t.like(await data(`query?query=count(x)&time=${START}`), { result: [{ value: [START, '1'] }] });
});

test.serial('a client that goes ends its query', async (t) => {
  const budget = new SampleBudget(50_000_000);
  const { url } = await served(t, [], { budget, timeoutMs: 600_000 });
  const gone = new AbortController();
  const query = encodeURIComponent(
    'max_over_time(quantile_over_time(0.5, vector(1)[2h:1s])[2h:1s])',
  );
  const ended = fetch(`${url}/api/v1/query?query=${query}`, { signal: gone.signal }).catch(
    () => 'gone',
  );
  await eventually(() => budget.held > 0);
  gone.abort();
  t.is(await ended, 'gone');
  t.true(await eventually(() => budget.held === 0));
});

test('writes results of any size a piece at a time', async (t) => {
  const envelopes = Array.from({ length: 5 }, (_, n) =>
    gaugeAt(START, { x: n }, { instance: `${n}`, tags: { tag: '<&>\u2028' } }),
  );
  const { data } = await served(t, envelopes);
  const result = await data(`query_range?query=x&start=${START}&end=${START + 300}&step=0.1`);
  t.is((result as { result: { values: unknown[] }[] }).result[0]?.values.length, 3001);
});

interface Asked {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** One request on a connection of its own. */
function request(
  url: string,
  { method = 'GET', headers = {}, body }: Asked = {},
): Promise<Response> {
  return new Promise((resolve, reject) => {
    const asked = http.request(url, { agent: false, method, headers }, async (answer) => {
      const chunks: Buffer[] = [];
      for await (const chunk of answer) chunks.push(chunk);
      const fields = Object.entries(answer.headers).map(([name, value]) => [name, String(value)]);
      const init = { status: answer.statusCode ?? 0, headers: fields as [string, string][] };
      resolve(new Response(Buffer.concat(chunks), init));
    });
    asked.once('error', reject);
    asked.end(body);
  });
}

interface Served {
  readonly url: string;
  ask(path: string, init?: Asked): Promise<Response>;
  /** What a successful answer has. */
  data(path: string): Promise<unknown>;
}

async function served(
  t: ExecutionContext,
  envelopes: readonly EnvelopeInit[],
  options: Partial<QuerierOptions> = {},
  sources?: ReadonlySet<string>,
): Promise<Served> {
  const { querier, put, metrics } = testQuerier(options);
  put(...envelopes, ...(envelopes.length === 0 ? [logAt(START)] : []));
  const log = createLogger('test', { level: 'silent' });
  const app = koaApp(log, metrics)
    .use(async (ctx, next) => {
      setView(ctx, { sources });
      await next();
    })
    .use(logCacheRoutes(testStore().reader, { querier }))
    .use(logCacheNotFound());
  const listener = await listenHttp({ address: '127.0.0.1:0', app, log });
  t.teardown(() => listener[Symbol.asyncDispose]());
  const url = `http://127.0.0.1:${listener.port}`;
  const ask = (path: string, init?: Asked): Promise<Response> => request(url + path, init);
  return {
    url,
    ask,
    async data(path) {
      const response = await ask(`/api/v1/${path}`);
      const body = (await response.json()) as { status: string; data: unknown };
      t.is(body.status, 'success', JSON.stringify(body));
      return body.data;
    },
  };
}
