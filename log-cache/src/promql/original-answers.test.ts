/**
 * What the original answers at `query` and `query_range`, row by row of its documented cases, as far
 * as routes.test.ts does not have it; and where ours is other, what it is instead.
 */

import { createLogger, koaApp, listenHttp } from '@standpipe/plumbing';
import test, { type ExecutionContext } from 'ava';
import { AnswersInFlight } from '../answers-in-flight.ts';
import { readConfig } from '../gateway/config.ts';
import { startGateway } from '../gateway/gateway.ts';
import { logCacheNotFound, logCacheRoutes } from '../rest/routes.ts';
import { testStore } from '../testing.ts';
import { silent } from '../testing-cluster.ts';
import type { QuerierOptions } from './querier.ts';
import { counterAt, gaugeAt, testQuerier } from './testing.ts';

const START = 1_714_564_800;

test('a selector without a source id is about all sources, where the original refuses it', async (t) => {
  const { get } = await served(t);
  const { status, body } = await get(`query?query=sum(x)&time=${START}`);
  t.is(status, 200);
  t.is(
    body,
    `{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[${START}.000,"3"]}]}}\n`,
  );
});

test('a subquery without a step has one of a minute, where the original divides by zero', async (t) => {
  const { get } = await served(t);
  const query = encodeURIComponent('count_over_time(x{source_id="a"}[5m:])');
  const { status, body } = await get(`query?query=${query}&time=${START + 120}`);
  t.is(status, 200);
  t.regex(body, /"result":\[\{"metric":\{"source_id":"a"\},"value":\[1714564920\.000,"3"\]\}\]/);
});

test('a text is a result as in Prometheus, where the original handles none', async (t) => {
  const { get } = await served(t);
  const { status, body } = await get(`query?query="x"&time=99`);
  t.is(status, 200);
  t.is(body, '{"status":"success","data":{"resultType":"string","result":[99.000,"x"]}}\n');
});

test('a name that is a number is a number, in any spelling', async (t) => {
  const { get } = await served(t);
  for (const [name, value] of [
    ['nan', 'NaN'],
    ['NaN', 'NaN'],
    ['inf', '+Inf'],
    ['Inf', '+Inf'],
  ] as const) {
    const { body } = await get(`query?query=${name}&time=1`);
    t.is(body, `{"status":"success","data":{"resultType":"scalar","result":[1.000,"${value}"]}}\n`);
  }
});

test('what a label holds is written fit for HTML', async (t) => {
  const { get, put } = await served(t);
  put(gaugeAt(START, { y: 1 }, { tags: { t: '<&>' } }));
  const { body } = await get(`query?query=y&time=${START}`);
  t.true(body.includes('"t":"\\u003c\\u0026\\u003e"'), body);
});

for (const [query, status, error] of [
  ['query?query=%ff', 500, 'grpc: error while marshaling: string field contains invalid UTF-8'],
  ['query?query=%zz', 400, 'invalid URL escape "%zz"'],
  ['query?query=1&time=1&time=2', 400, 'too many values for field "time": 1, 2'],
  ['query_range?query=1&start=1&start=2', 400, 'too many values for field "start": 1, 2'],
  ['query_range?query=1&end=1&end=2&start=1', 400, 'too many values for field "end": 1, 2'],
  [
    'query_range?query=1&start=1&end=2&step=1&step=2',
    400,
    'too many values for field "step": 1, 2',
  ],
] as const) {
  test(`${query} is ${status}`, async (t) => {
    const { get } = await served(t);
    const answer = await get(query);
    t.is(answer.status, status);
    t.like(JSON.parse(answer.body), { status: 'error', error });
  });
}

test('bounds are read in the order step, start, end, and then the query', async (t) => {
  const { get } = await served(t);
  for (const [params, error] of [
    ['query=(&start=x&end=y&step=z', /^couldn't parse step: cannot parse "z" to a valid step$/],
    ['query=(&start=x&end=y&step=1', /^couldn't parse start: cannot parse "x" /],
    ['query=(&start=1&end=y&step=1', /^couldn't parse end: cannot parse "y" /],
    ['query=(&start=1&end=2&step=1', /^1:2: parse error: /],
  ] as const) {
    t.regex(JSON.parse((await get(`query_range?${params}`)).body).error, error);
  }
});

for (const headers of [{ 'Content-Type': 'application/json' }, {}]) {
  test(`a query that is posted as ${JSON.stringify(headers)} is 501, for it is no form`, async (t) => {
    const { url } = await served(t);
    const body = JSON.stringify({ query: '1' });
    for (const path of ['query', 'query_range', 'query?query=1']) {
      const answer = await fetch(`${url}/${path}`, { method: 'POST', headers, body });
      t.is(answer.status, 501);
      const text = '{"status":"error","errorType":"internal","error":"Method Not Allowed"}\n';
      t.is(await answer.text(), text);
    }
  });
}

test('a query that outlives its Grpc-Timeout is 504, one that outlives the engine’s 500', async (t) => {
  const long = encodeURIComponent('max_over_time(sum_over_time(vector(1)[1h:1s])[30m:1s])');
  const { get } = await served(t);
  const late = await get(`query?query=${long}`, { 'Grpc-Timeout': '1m' });
  t.is(late.status, 504);
  t.deepEqual(JSON.parse(late.body), {
    status: 'error',
    errorType: 'internal',
    error: 'context deadline exceeded',
  });
  const { get: impatient } = await served(t, { timeoutMs: 1 });
  const slow = await impatient(`query?query=${long}`, { 'Grpc-Timeout': '1H' });
  t.is(slow.status, 500);
  t.is(JSON.parse(slow.body).error, 'query timed out in expression evaluation');
  t.is((await get('query?query=1', { 'Grpc-Timeout': 'soon' })).status, 400);
});

test('a gateway whose node is away says 503 to a query, and why', async (t) => {
  const vars = { ADDR: '127.0.0.1:0', LOG_CACHE_ADDR: '127.0.0.1:1', METRICS_PORT: '0' };
  const gateway = await startGateway(readConfig(vars), silent());
  t.teardown(() => gateway[Symbol.asyncDispose]());
  for (const path of ['query?query=x', 'query_range?query=x&start=1&end=2&step=1']) {
    const answer = await fetch(`http://${gateway.address}/api/v1/${path}`);
    t.is(answer.status, 503);
    const body = (await answer.json()) as Record<string, string>;
    t.like(body, { status: 'error', errorType: 'internal' });
    t.regex(body.error ?? '', /dial tcp 127\.0\.0\.1:1: connect: connection refused"$/);
  }
});

test('answers that clients do not take count against what may be on its way', async (t) => {
  const { get, answers } = await served(t);
  using hold = answers.begin();
  hold.resize(1024);
  const refused = await get('query?query=1');
  t.is(refused.status, 429);
  t.like(JSON.parse(refused.body), { status: 'error', errorType: 'internal' });
});

interface Answered {
  readonly status: number;
  readonly body: string;
}

interface Served {
  readonly url: string;
  readonly answers: AnswersInFlight;
  readonly put: ReturnType<typeof testQuerier>['put'];
  get(path: string, headers?: Readonly<Record<string, string>>): Promise<Answered>;
}

async function served(t: ExecutionContext, options: Partial<QuerierOptions> = {}): Promise<Served> {
  const { querier, put } = testQuerier(options);
  put(gaugeAt(START, { x: 1 }, { source: 'a' }), gaugeAt(START, { x: 2 }, { source: 'b' }));
  put(counterAt(START, 'c', 1));
  const log = createLogger('test', { level: 'silent' });
  const answers = new AnswersInFlight(undefined, 1024);
  const app = koaApp(log)
    .use(logCacheRoutes(testStore().reader, { querier, answers }))
    .use(logCacheNotFound());
  const listener = await listenHttp({ address: '127.0.0.1:0', app, log });
  t.teardown(() => listener[Symbol.asyncDispose]());
  const url = `http://127.0.0.1:${listener.port}/api/v1`;
  return {
    url,
    answers,
    put,
    get: async (path, headers = {}) => {
      const answer = await fetch(`${url}/${path}`, { headers });
      return { status: answer.status, body: await answer.text() };
    },
  };
}
