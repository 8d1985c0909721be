import { type ServiceError, status } from '@grpc/grpc-js';
import { dial, type Log } from '@standpipe/plumbing';
import { eventually, spyLog, testTls } from '@standpipe/plumbing/testing';
import { logcache, promQlQuerierService } from '@standpipe/protos';
import test, { type ExecutionContext } from 'ava';
import { LogCacheClient } from './client.ts';
import { readConfig } from './config.ts';
import { startLogCache } from './node.ts';
import { readRequest } from './reader.ts';
import { batchOf, line } from './testing.ts';
import { silent } from './testing-cluster.ts';

/** Names, types and labels of log-cache-release v3.2.0, in its own text. */
const ORIGINAL: readonly (readonly [type: 'counter' | 'gauge', series: string])[] = [
  ['counter', 'log_cache_ingress'],
  ['counter', 'log_cache_egress'],
  ['counter', 'log_cache_expired'],
  ['gauge', 'log_cache_store_size{unit="entries"}'],
  ['gauge', 'log_cache_cache_period{unit="milliseconds"}'],
  ['gauge', 'log_cache_truncation_duration{unit="milliseconds"}'],
  ['gauge', 'log_cache_memory_utilization{unit="percentage"}'],
  ['gauge', 'log_cache_heap_in_use_memory{unit="bytes"}'],
  ['gauge', 'log_cache_total_system_memory{unit="bytes"}'],
  ['gauge', 'log_cache_available_system_memory{unit="bytes"}'],
  ['gauge', 'log_cache_uptime{unit="seconds"}'],
  ['counter', 'log_cache_promql_timeout'],
  ['gauge', 'log_cache_promql_instant_query_time{unit="milliseconds"}'],
  ['gauge', 'log_cache_promql_range_query_time{unit="milliseconds"}'],
  ['counter', 'ingress_dropped{nodeIndex="1"}'],
  ['counter', 'log_cache_send_failures{sender="batched_ingress_client"}'],
];
// Of two nodes, by vectors of log-cache-release v3.2.0.
const OWN = 'src-zero';
const FOREIGN = 'other-src';

test('tells what the original’s node tells, by its names and labels', async (t) => {
  const { client, page } = await started(t, { NODE_ADDRS: '127.0.0.1:1,127.0.0.1:2' });
  const text = await page();
  for (const [type, series] of ORIGINAL) {
    const [name] = series.split('{');
    t.true(text.includes(`# TYPE ${name} ${type}\n`), series);
    t.true(
      text.split('\n').some((one) => one.startsWith(`${series} `)),
      series,
    );
  }
  const lines = Array.from({ length: 5 }, (_, n) => line(OWN, n + 1));
  await client.send(batchOf([...lines, line(FOREIGN, 9)]).pack(), { localOnly: false });
  t.is((await client.read(readRequest(OWN, { limit: 2n }), { local: true })).count, 2);
  await eventually(async () => figureOf(await page(), ORIGINAL[15]?.[1] ?? '') > 0);
  const after = await page();
  t.is(figureOf(after, 'log_cache_ingress'), 5, 'the sixth is another node’s');
  t.is(figureOf(after, 'log_cache_egress'), 2);
  t.is(figureOf(after, 'log_cache_store_size{unit="entries"}'), 5);
  t.true(figureOf(after, 'log_cache_cache_period{unit="milliseconds"}') > 1e12);
});

test('tells what each of its fifty largest sources got, gave up and takes', async (t) => {
  const { client, page } = await started(t, { MAX_PER_SOURCE: '150' });
  for (let n = 1; n <= 60; n += 1) {
    const count = n <= 10 ? 1 : 200;
    const lines = Array.from({ length: count }, (_, time) => line(`source ${n}`, time + 1));
    await client.send(batchOf(lines).pack(), { localOnly: true });
  }
  const text = await page();
  for (const name of ['ingress', 'expired', 'bytes']) {
    const told = [...text.matchAll(new RegExp(`^log_cache_source_${name}\\{`, 'gm'))];
    t.is(told.length, 50, name);
  }
  t.is(figureOf(text, 'log_cache_source_ingress{source_id="source 11"}'), 200);
  t.is(figureOf(text, 'log_cache_source_expired{source_id="source 11"}'), 50);
  t.true(figureOf(text, 'log_cache_source_bytes{source_id="source 11"}') > 1000);
  t.false(text.includes('source_id="source 1"'), 'it is one of the smallest');
});

test('tells how long the last query took, that came over gRPC', async (t) => {
  const { page, address } = await started(t, {});
  t.is(await askedOf(t, address, '1+1'), undefined);
  t.true(figureOf(await page(), 'log_cache_promql_instant_query_time{unit="milliseconds"}') > 0);
});

test('a query that takes longer than QUERY_TIMEOUT is ended, and counted', async (t) => {
  const { page, address } = await started(t, { QUERY_TIMEOUT: '10ms' });
  const query = 'max_over_time(quantile_over_time(0.5, vector(1)[2h:1s])[2h:1s])';
  t.like(await askedOf(t, address, query), {
    code: status.UNKNOWN,
    details: 'query timed out in expression evaluation',
  });
  t.is(figureOf(await page(), 'log_cache_promql_timeout'), 1);
});

for (const [name, warned] of [
  ['log-cache', []],
  ['someone-else', ['the certificate does not name log-cache, which others insist on']],
] as const) {
  test(`a node whose certificate names ${name} starts with ${warned.length} warnings`, async (t) => {
    const log = spyLog();
    const files = (await testTls(name))[name];
    await started(t, { CA_PATH: files.ca, CERT_PATH: files.cert, KEY_PATH: files.key }, log);
    const told = log.lines.filter(({ text }) => text.startsWith('the certificate'));
    t.deepEqual(
      told.map(({ text }) => text),
      warned,
    );
    for (const { fields } of told) {
      t.is(fields.file, files.cert);
      t.regex(String(fields.named), /DNS:someone-else/);
    }
  });
}

/** How a query over gRPC failed; undefined, if it did not. */
function askedOf(
  t: ExecutionContext,
  address: string,
  query: string,
): Promise<ServiceError | undefined> {
  const client = dial({ address, tls: undefined, serverName: 'log-cache' });
  t.teardown(() => client.close());
  const { path, requestSerialize, responseDeserialize } = promQlQuerierService.instantQuery;
  const bytes = Buffer.from(logcache.v1.PromQL.InstantQueryRequest.encode({ query }).finish());
  return new Promise((resolve) => {
    client.makeUnaryRequest(path, requestSerialize, responseDeserialize, bytes, (error) =>
      resolve(error ?? undefined),
    );
  });
}

function figureOf(text: string, series: string): number {
  const found = text.split('\n').find((one) => one.startsWith(`${series} `));
  return Number(found?.slice(series.length + 1)); // No number, if it is not there.
}

async function started(
  t: ExecutionContext,
  env: Readonly<Record<string, string>>,
  log: Log = silent(),
): Promise<{
  readonly client: LogCacheClient;
  readonly address: string;
  readonly page: () => Promise<string>;
}> {
  const vars = { ADDR: '127.0.0.1:0', METRICS_PORT: '0', MEMORY_LIMIT_BYTES: '8388608', ...env };
  const node = await startLogCache(readConfig(vars), log);
  const client = new LogCacheClient({ address: node.address, tls: undefined });
  t.teardown(async () => {
    await client[Symbol.asyncDispose]();
    await node[Symbol.asyncDispose]();
  });
  return {
    client,
    address: node.address,
    page: async () => (await fetch(`http://127.0.0.1:${node.metricsPort}/metrics`)).text(),
  };
}
