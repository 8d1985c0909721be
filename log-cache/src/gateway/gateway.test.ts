import { mkdtemp, readFile, rm } from 'node:fs/promises';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { listenGrpc } from '@standpipe/plumbing';
import { eventually, spyLog } from '@standpipe/plumbing/testing';
import test, { type ExecutionContext } from 'ava';
import { ask, FakePlatform, NOW_MS, tokenOf } from '../access/testing.ts';
import { LogCacheClient } from '../client.ts';
import { Matcher } from '../promql/matcher.ts';
import { Pacer, SampleBudget } from '../promql/pacer.ts';
import { ReadError, readRequest } from '../reader.ts';
import type { Tails, ZoneChunk, ZonesRequest } from '../tail/tail.ts';
import { batchOf, line, numbers } from '../testing.ts';
import { both, type Cluster, cluster, OF_SHARD_1, silent } from '../testing-cluster.ts';
import { OF_NODE_1, OriginalNode } from '../testing-original.ts';
import { readConfig } from './config.ts';
import { startGateway } from './gateway.ts';
import { NodeReader } from './node-reader.ts';
import { NodeSeries } from './node-series.ts';
import { NodeTails } from './node-tails.ts';

/** A node that comes back is tried again after up to three seconds. */
function soon<T>(check: () => T): Promise<unknown> {
  return eventually(check, { timeoutMs: 30_000 });
}

test('says which nodes its own could not ask, with a read, with meta and with a query', async (t) => {
  const started = await cluster(t, { az1: 2 });
  const [first, second] = both(started.nodes);
  const client = clientOf(t, started);
  const reader = new NodeReader({ client, address: 'here:1' });
  second.cache.put(batchOf([line(OF_SHARD_1, 1)]));
  t.deepEqual(numbers((await reader.read(readRequest(OF_SHARD_1))).batch), [1]);
  t.deepEqual((await reader.meta(false)).unreachable, []);

  await second.stop();
  const { batch, unreachable } = await reader.read(readRequest(OF_SHARD_1));
  t.deepEqual([batch.count, unreachable], [0, ['az1/1']]);
  t.deepEqual((await reader.meta(true)).unreachable, []);
  await soon(async () => (await reader.meta(false)).unreachable.includes('az1/1'));

  using pace = new Pacer({
    budget: new SampleBudget(1000),
    timeoutMs: 60_000,
    signal: new AbortController().signal,
  });
  const matchers = [new Matcher('source_id', '=', OF_SHARD_1)];
  const selection = { matchers, startMs: 0, endMs: Date.now(), labelsOnly: false };
  const selected = await new NodeSeries(client).select(selection, pace);
  t.deepEqual([selected.series, selected.unreachable], [[], ['az1/1']]);
  t.truthy(first);
});

test('searches what one of the original’s gives, and says when there may be more', async (t) => {
  const original = new OriginalNode();
  const address = await listening(t, original);
  const reader = new NodeReader({ client: plainClient(t, address), address });
  original.kept.push(...Array.from({ length: 12_000 }, (_, n) => line(OF_NODE_1, n)));
  const few = await reader.read(readRequest(OF_NODE_1, { contains: '99', limit: 3n }));
  t.deepEqual([numbers(few.batch), few.unreachable], [[99, 199, 299], []]);
  const last = await reader.read(readRequest(OF_NODE_1, { contains: 'line 11999' }));
  t.deepEqual([last.batch.count, last.unreachable], [0, [address]]);
});

test('searches one of the original’s backwards to 1970, and says when there may be more', async (t) => {
  const original = new OriginalNode();
  const address = await listening(t, original);
  const reader = new NodeReader({ client: plainClient(t, address), address });
  original.kept.push(...[-1, 0, 1, 2].map((n) => line(OF_NODE_1, n)));
  const backwards = { contains: 'line 2', limit: 3n, descending: true };
  const all = await reader.read(readRequest(OF_NODE_1, backwards));
  t.deepEqual([numbers(all.batch), all.unreachable], [[2], []]);
  const older = await reader.read(readRequest(OF_NODE_1, { ...backwards, startTime: -5n }));
  t.deepEqual([numbers(older.batch), older.unreachable], [[2], [address]]);
  t.is(original.requests.length, 2);
});

test('a tail goes on without loss or repeat at a node that was away', async (t) => {
  const started = await cluster(t, { az1: 1 });
  const [node] = started.nodes;
  if (node === undefined) throw new Error('a cluster of one');
  const { address } = node.listener;
  const tails = new NodeTails({ client: clientOf(t, started), address, log: spyLog() });
  const follower = follow(tails);
  await soon(() => follower.places === 1);
  node.cache.put(batchOf([line(OF_SHARD_1, 5, 1), line(OF_SHARD_1, 5, 2)]));
  await soon(() => follower.seen.length === 2);
  await node.stop();
  await soon(() => follower.missing[0] === address);
  node.cache.put(batchOf([line(OF_SHARD_1, 5, 3), line(OF_SHARD_1, 2, 4)]));

  const { services } = node.cache;
  const again = await listenGrpc({ address, tls: started.tls, services, log: silent() });
  t.teardown(() => again[Symbol.asyncDispose]());
  await soon(() => follower.seen.length === 4);
  t.deepEqual(follower.seen.toSorted(), [1, 2, 3, 4]);
  t.deepEqual([follower.missing, follower.gaps], [[], 0]);

  tails[Symbol.dispose]();
  await soon(() => follower.ended);
  t.is(follower.error, undefined);
});

test('a tail that was opened while the node was away gets what came since', async (t) => {
  const started = await cluster(t, { az1: 1 });
  const [node] = started.nodes;
  if (node === undefined) throw new Error('a cluster of one');
  const { address } = node.listener;
  const tails = new NodeTails({ client: clientOf(t, started), address, log: spyLog() });
  await node.stop();
  node.cache.put(batchOf([line(OF_SHARD_1, 1)]));
  const follower = follow(tails);
  await soon(() => follower.missing[0] === address);
  const now = BigInt(Date.now() + 60_000) * 1_000_000n;
  node.cache.put(batchOf([line(OF_SHARD_1, now, 2)]));
  const { services } = node.cache;
  const again = await listenGrpc({ address, tls: started.tls, services, log: silent() });
  t.teardown(() => again[Symbol.asyncDispose]());
  await soon(() => follower.seen.length === 1);
  t.deepEqual(follower.seen, [2]);
  tails[Symbol.dispose]();
});

test('a tail at one of the original’s, which have none, is refused', async (t) => {
  const address = await listening(t, new OriginalNode());
  const tails = new NodeTails({ client: plainClient(t, address), address, log: spyLog() });
  const follower = follow(tails);
  await soon(() => follower.ended);
  t.true(follower.error instanceof ReadError);
  t.is((follower.error as ReadError).code, 12);
});

test('ends a query that takes longer than QUERY_TIMEOUT', async (t) => {
  const LOG_CACHE_ADDR = await listening(t, new OriginalNode());
  const vars = { ADDR: '127.0.0.1:0', LOG_CACHE_ADDR, METRICS_PORT: '0', QUERY_TIMEOUT: '10ms' };
  const gateway = await startGateway(readConfig(vars), spyLog());
  t.teardown(() => gateway[Symbol.asyncDispose]());
  const query = 'max_over_time(quantile_over_time(0.5, vector(1)[2h:1s])[2h:1s])';
  const params = new URLSearchParams({ query });
  const response = await fetch(`http://${gateway.address}/api/v1/query?${params}`);
  t.is(response.status, 500);
  t.deepEqual(await response.json(), {
    status: 'error',
    errorType: 'timeout',
    error: 'query timed out in expression evaluation',
  });
});

test('serves tails as events, which end when it does', async (t) => {
  const started = await cluster(t, { az1: 1 });
  const [node] = started.nodes;
  const plain = await listenGrpc({
    address: '127.0.0.1:0',
    tls: undefined,
    services: node?.cache.services ?? [],
    log: silent(),
  });
  t.teardown(() => plain[Symbol.asyncDispose]());
  const vars = { ADDR: '127.0.0.1:0', LOG_CACHE_ADDR: plain.address, METRICS_PORT: '0' };
  const gateway = await startGateway(readConfig(vars), spyLog());
  t.teardown(() => gateway[Symbol.asyncDispose]());
  let text = '';
  let hasEnded = false;
  http.get(`http://${gateway.address}/api/v1/tail/${OF_SHARD_1}`, (response) => {
    t.is(response.statusCode, 200);
    response.setEncoding('utf8').on('data', (part) => {
      text += part;
    });
    response.on('end', () => {
      hasEnded = true;
    });
  });
  await soon(() => text.includes('id: '));
  node?.cache.put(batchOf([line(OF_SHARD_1, 7)]));
  await soon(() => text.includes('"timestamp":"7"'));
  t.regex(text, /^id: az1~/m);
  await gateway[Symbol.asyncDispose]();
  await soon(() => hasEnded);
});

test('asks for tokens when it is told of UAA, and writes down every request', async (t) => {
  const started = await cluster(t, { az1: 1 });
  const plain = await listenGrpc({
    address: '127.0.0.1:0',
    tls: undefined,
    services: started.nodes[0]?.cache.services ?? [],
    log: silent(),
  });
  t.teardown(() => plain[Symbol.asyncDispose]());
  const platform = await FakePlatform.listen(t);
  platform.apps = [{ guid: OF_SHARD_1 }];
  const folder = await mkdtemp(join(tmpdir(), 'standpipe-gateway-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, 'events');
  const gateway = await startGateway(
    readConfig({
      ADDR: '127.0.0.1:0',
      LOG_CACHE_ADDR: plain.address,
      METRICS_PORT: '0',
      UAA_ADDR: platform.origin,
      CAPI_ADDR: platform.origin,
      SECURITY_EVENT_LOG: file,
      INTERNAL_IP: '10.1.2.3',
    }),
    spyLog(),
  );
  t.teardown(() => gateway[Symbol.asyncDispose]());
  const port = Number(gateway.address.split(':').at(-1));
  const expiresInS = Math.floor((Date.now() - NOW_MS) / 1000) + 3600;
  const headers = { authorization: await tokenOf({ expiresInS }), 'x-vcap-request-id': 'id-1' };
  const path = `/api/v1/read/${OF_SHARD_1}`;
  t.is((await ask(port, `${path}?limit=1&descending=true`, { headers })).status, 200);
  t.is((await ask(port, path)).status, 404);
  t.is((await ask(port, '/api/v1/info')).status, 200);
  await gateway[Symbol.asyncDispose]();
  const lines = (await readFile(file, 'utf8')).trimEnd().split('\n');
  t.is(lines.length, 3);
  const request = `${path}?limit=1&amp;descending=true`;
  const asked = `GET ${request}`;
  const head = `CEF:0|cloud_foundry|log_cache|1.0|${asked}|${asked}|0|rt=`;
  t.true(lines[0]?.startsWith(head), lines[0]);
  const facts = `cs2=id-1 request=${request} requestMethod=GET src=127.0.0.1 `;
  t.true(lines[0]?.includes(facts), lines[0]);
  t.true(lines[0]?.endsWith(` dst=10.1.2.3 dpt=${port}`), lines[0]);
});

interface Follower {
  readonly seen: number[];
  places: number;
  gaps: number;
  missing: readonly string[];
  ended: boolean;
  error: unknown;
}

/** Reads a tail on its own, as fast as it comes. */
function follow(tails: Tails): Follower {
  const request: ZonesRequest = {
    read: readRequest(OF_SHARD_1),
    backlog: false,
    after: new Map(),
  };
  const follower: Follower = {
    seen: [],
    places: 0,
    gaps: 0,
    missing: [],
    ended: false,
    error: undefined,
  };
  const take = ({ batch, place, gaps, missing }: ZoneChunk): void => {
    follower.seen.push(...numbers(batch));
    if (place !== undefined) follower.places += 1;
    follower.gaps += gaps.length;
    follower.missing = missing ?? follower.missing;
  };
  const read = async (): Promise<void> => {
    for await (const chunk of tails.tail(request, new AbortController().signal)) take(chunk);
  };
  read()
    .catch((error: unknown) => {
      follower.error = error;
    })
    .finally(() => {
      follower.ended = true;
    });
  return follower;
}

/** A client of a cluster's first node. */
function clientOf(t: ExecutionContext, { nodes, tls }: Cluster): LogCacheClient {
  const client = new LogCacheClient({ address: nodes[0]?.listener.address ?? '', tls });
  t.teardown(() => client[Symbol.asyncDispose]());
  return client;
}

function plainClient(t: ExecutionContext, address: string): LogCacheClient {
  const client = new LogCacheClient({ address, tls: undefined });
  t.teardown(() => client[Symbol.asyncDispose]());
  return client;
}

async function listening(t: ExecutionContext, { services }: OriginalNode): Promise<string> {
  const tls = undefined;
  const listener = await listenGrpc({ address: '127.0.0.1:0', tls, services, log: silent() });
  t.teardown(() => listener[Symbol.asyncDispose]());
  return listener.address;
}
