/** A gateway, a node behind it, and an owner that takes calls and never answers, over real gRPC. */

import { status } from '@grpc/grpc-js';
import { listenGrpc } from '@standpipe/plumbing';
import { eventually, spyLog } from '@standpipe/plumbing/testing';
import test, { type ExecutionContext } from 'ava';
import { LogCacheClient, READ_DEADLINE_MS, SUSPECTED_MS } from '../client.ts';
import { ReadError, readRequest } from '../reader.ts';
import { batchOf, line } from '../testing.ts';
import { both, type Cluster, cluster, OF_SHARD_0, OF_SHARD_1, silent } from '../testing-cluster.ts';
import { readConfig } from './config.ts';
import { NODE_TIMES, startGateway } from './gateway.ts';
import { NodeReader } from './node-reader.ts';

/** The owner that hangs. */
const HUNG = 'az1/1';
const OWNER_MS = 200;
const COUNT = `count_over_time(log_lines_total{source_id=~"${OF_SHARD_0}|${OF_SHARD_1}"}[1h])`;

test('a gateway reads what is there, and names an owner that hangs', async (t) => {
  const { front } = await hanging(t, { readDeadlineMs: OWNER_MS });
  // Long the first time, and short from then on.
  for (let turn = 0; turn < 2; turn += 1) {
    const theirs = await answer(`${front}/read/${OF_SHARD_1}`);
    t.deepEqual([theirs.status, theirs.missing], [200, HUNG]);
    t.deepEqual(theirs.body, { envelopes: { batch: [] } });
  }
  const ours = await answer(`${front}/read/${OF_SHARD_0}`);
  t.deepEqual([ours.status, ours.missing], [200, null]);
  t.like(ours.body, { envelopes: { batch: { length: 1 } } });
});

test('a gateway tells of the sources of the others, and names an owner that hangs', async (t) => {
  const { front } = await hanging(t, { readDeadlineMs: OWNER_MS });
  const { status, missing, body } = await answer(`${front}/meta`);
  t.deepEqual([status, missing], [200, HUNG]);
  t.like(body, { meta: { [OF_SHARD_0]: { count: '1' } } });
});

test('a query at a gateway has an answer within its time, and names an owner that hangs', async (t) => {
  const { front } = await hanging(t);
  const query = new URLSearchParams({ query: COUNT });
  await eventually(
    async () => {
      const { status, missing, body } = await answer(`${front}/query?${query}&timeout=2s`);
      if (status !== 200) return false; // A machine that is busy takes longer.
      t.is(missing, HUNG);
      t.like(body, { data: { result: { length: 1 } } });
      return true;
    },
    { timeoutMs: 60_000 },
  );
});

test('a query does not wait long for an owner that has just let a reader wait', async (t) => {
  const { front } = await hanging(t, { readDeadlineMs: OWNER_MS, QUERY_TIMEOUT: '10m' });
  t.is((await answer(`${front}/read/${OF_SHARD_1}`)).missing, HUNG);
  const query = new URLSearchParams({ query: COUNT });
  const { status, missing } = await answer(`${front}/query?${query}`);
  t.deepEqual([status, missing], [200, HUNG]);
});

test('who has less time than an owner still gets what the others have', async (t) => {
  const { front, client } = await hanging(t, { clientDeadlineMs: 2000 });
  const read = { ...readRequest(OF_SHARD_1) };
  const headers = { 'Grpc-Timeout': '2S' };
  await eventually(
    async () => {
      const overGrpc = client.ask(read, { local: false }).catch(() => undefined);
      const overHttp = answer(`${front}/read/${OF_SHARD_1}`, headers);
      const [asked, got] = await Promise.all([overGrpc, overHttp]);
      return asked?.unreachable[0] === HUNG && got.status === 200 && got.missing === HUNG;
    },
    { timeoutMs: 60_000 },
  );
  t.pass();
});

test('a gateway waits clearly longer for its node than that for an owner', (t) => {
  t.true(NODE_TIMES.readDeadlineMs > 2 * READ_DEADLINE_MS);
  t.true(NODE_TIMES.suspectedMs > 2 * SUSPECTED_MS);
});

test('a call that was given up is told in Go’s words', async (t) => {
  const { started } = await hanging(t);
  const { address } = both(started.nodes)[1].listener;
  const client = new LogCacheClient({ address, tls: started.tls, readDeadlineMs: OWNER_MS });
  t.teardown(() => client[Symbol.asyncDispose]());
  const reader = new NodeReader({ client, address });
  const late = await t.throwsAsync(reader.read(readRequest('a')), { instanceOf: ReadError });
  t.deepEqual([late?.code, late?.message], [status.DEADLINE_EXCEEDED, 'context deadline exceeded']);
  const left = await t.throwsAsync(reader.read(readRequest('a'), { gone: AbortSignal.abort() }), {
    instanceOf: ReadError,
  });
  t.deepEqual([left?.code, left?.message], [status.CANCELLED, 'context canceled']);
});

interface Settings {
  /** How long the nodes wait for one another. */
  readonly readDeadlineMs?: number;
  /** How long the client waits. */
  readonly clientDeadlineMs?: number;
  readonly QUERY_TIMEOUT?: string;
}

interface Hanging {
  readonly started: Cluster;
  /** Where the gateway is asked. */
  readonly front: string;
  /** Of the node that lives. */
  readonly client: LogCacheClient;
}

/** Two nodes, each with an envelope, of which the second hangs, and a gateway in front of the first. */
async function hanging(t: ExecutionContext, settings: Settings = {}): Promise<Hanging> {
  const { readDeadlineMs, clientDeadlineMs, QUERY_TIMEOUT = '10s' } = settings;
  const started = await cluster(t, { az1: 2 }, readDeadlineMs ? { readDeadlineMs } : {});
  const [first, second] = both(started.nodes);
  const now = BigInt(Date.now()) * 1_000_000n;
  first.cache.put(batchOf([line(OF_SHARD_0, now, 1)]));
  second.cache.put(batchOf([line(OF_SHARD_1, now, 1)]));
  second.hang();
  const { services } = first.cache;
  const plain = { address: '127.0.0.1:0', tls: undefined, services, log: silent(), drainMs: 0 };
  const { address, ...listener } = await listenGrpc(plain);
  t.teardown(() => listener[Symbol.asyncDispose]());
  const vars = { ADDR: '127.0.0.1:0', LOG_CACHE_ADDR: address, METRICS_PORT: '0', QUERY_TIMEOUT };
  const gateway = await startGateway(readConfig(vars), spyLog());
  t.teardown(() => gateway[Symbol.asyncDispose]());
  const client = new LogCacheClient({ address, tls: undefined, readDeadlineMs: clientDeadlineMs });
  t.teardown(() => client[Symbol.asyncDispose]());
  return { started, front: `http://${gateway.address}/api/v1`, client };
}

interface Answer {
  readonly status: number;
  readonly missing: string | null;
  readonly body: unknown;
}

async function answer(url: string, headers: Record<string, string> = {}): Promise<Answer> {
  const response = await fetch(url, { headers });
  const missing = response.headers.get('Standpipe-Partial');
  return { status: response.status, missing, body: await response.json() };
}
