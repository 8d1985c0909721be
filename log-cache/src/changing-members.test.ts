import {
  type GrpcListener,
  listenGrpc,
  Metrics,
  readTls,
  type Tls,
  type Zone,
} from '@standpipe/plumbing';
import {
  eventually,
  ManualMembers,
  type SpyLog,
  spyLog,
  testTls,
} from '@standpipe/plumbing/testing';
import { ownerOf } from '@standpipe/protos';
import test, { type ExecutionContext } from 'ava';
import { createClusterReader, createLogCache, type LogCache } from './log-cache.ts';
import { readRequest } from './reader.ts';
import { batchOf, line, metricOf, numbers } from './testing.ts';

const SOURCES: readonly string[] = Array.from({ length: 30 }, (_, n) => `source-${n}`);

interface Node {
  readonly cache: LogCache;
  readonly members: ManualMembers;
  readonly metrics: Metrics;
  readonly log: SpyLog;
  readonly listener: GrpcListener;
  /** Tells the node who its zone are. */
  tell(nodes: readonly Node[]): void;
}

test('a node that is added gets what it owns from then on, and its readers find what was before', async (t) => {
  const [first, second, added] = await three(t);
  const front = new ManualMembers(zoneOf([first, second]));
  const reader = createClusterReader({
    metrics: new Metrics({ origin: 'test' }),
    members: front,
    tls: await tlsOf(),
    log: spyLog(),
  });
  t.teardown(() => reader[Symbol.asyncDispose]());
  first.tell([first, second]);
  second.tell([first, second]);
  first.cache.put(batchOf(SOURCES.map((source) => line(source, 1))));
  await eventually(() => first.cache.store.size + second.cache.store.size === SOURCES.length);

  for (const node of [first, second, added]) node.tell([first, second, added]);
  front.set(zoneOf([first, second, added]));
  first.cache.put(batchOf(SOURCES.map((source) => line(source, 2))));
  const moved = SOURCES.filter((source) => ownerOf(source, 3) === 2);
  t.true(moved.length > 0);
  await eventually(() => added.cache.store.size === moved.length);
  await eventually(() => second.cache.store.size + first.cache.store.size === 60 - moved.length);
  for (const asked of [reader, first.cache.reader, second.cache.reader, added.cache.reader]) {
    for (const source of SOURCES) {
      const { batch, unreachable } = await asked.read(readRequest(source));
      // The new one can't know what was before it.
      const isAll = asked !== added.cache.reader || !moved.includes(source);
      t.deepEqual(numbers(batch), isAll ? [1, 2] : [2], source);
      t.deepEqual(unreachable, []);
    }
  }
});

test('a node that has left is sent what waited for it, and read from until it is gone', async (t) => {
  const [first, second, gone] = await three(t);
  for (const node of [first, second, gone]) node.tell([first, second, gone]);
  first.cache.put(batchOf(SOURCES.map((source) => line(source, 1))));
  first.tell([first, second]);
  await eventually(() => {
    const caches = [first, second, gone].map(({ cache }) => cache.store.size);
    return caches.reduce((total, size) => total + size, 0) === SOURCES.length;
  });
  const left = [...gone.cache.store.meta().keys()];
  t.true(left.length > 0);
  const { reader } = first.cache;
  for (const source of SOURCES) {
    const { batch, unreachable } = await reader.read(readRequest(source));
    t.deepEqual([numbers(batch), unreachable], [[1], []]);
  }
  t.is((await reader.meta(false)).sources.size, SOURCES.length);

  await gone.listener[Symbol.asyncDispose]();
  const told: string[] = [];
  for (const source of SOURCES) {
    const { batch, unreachable } = await reader.read(readRequest(source));
    t.is(batch.count, left.includes(source) ? 0 : 1);
    told.push(...unreachable);
  }
  t.deepEqual(told, ['az1/2'], 'once, and then it is waited for no more');
  t.is(metricOf(first.metrics, 'ingress_dropped'), 0);
});

test('a node that is none of its zone says so, keeps all, and answers for all', async (t) => {
  const [first, second, lost] = await three(t);
  for (const node of [first, second, lost]) node.tell([first, second]);
  lost.cache.put(batchOf(SOURCES.map((source) => line(source, 1))));
  t.is(lost.cache.store.size, SOURCES.length);
  t.true(lost.log.lines.some(({ level, text }) => level === 'error' && /can not tell/.test(text)));
  first.cache.put(batchOf(SOURCES.map((source) => line(source, 2))));
  await eventually(() => first.cache.store.size + second.cache.store.size === SOURCES.length);
  for (const source of SOURCES) {
    const { batch } = await lost.cache.reader.read(readRequest(source));
    t.deepEqual(numbers(batch), [2]);
  }

  lost.tell([first, second, lost]);
  const size = lost.cache.store.size;
  lost.cache.put(batchOf(SOURCES.map((source) => line(source, 3))));
  const own = SOURCES.filter((source) => ownerOf(source, 3) === 2).length;
  t.is(lost.cache.store.size, size + own, 'it has found its place');
});

test('members that are disposed of are listened to no more', async (t) => {
  const members = new ManualMembers(zoneOf([]));
  const reader = createClusterReader({
    metrics: new Metrics({ origin: 'test' }),
    members,
    tls: undefined,
    log: spyLog(),
  });
  t.is(members.listeners, 1);
  await reader[Symbol.asyncDispose]();
  t.is(members.listeners, 0);
});

async function tlsOf(): Promise<Tls> {
  const { doppler } = await testTls({ name: 'doppler', dns: ['log-cache'] });
  return readTls(doppler);
}

/** Nodes that are each none of its zone, until they are told. */
async function three(t: ExecutionContext): Promise<[Node, Node, Node]> {
  const tls = await tlsOf();
  return [await start(t, tls), await start(t, tls), await start(t, tls)];
}

async function start(t: ExecutionContext, tls: Tls): Promise<Node> {
  const metrics = new Metrics({ origin: 'test' });
  const log = spyLog();
  const members = new ManualMembers(zoneOf([]));
  let address = '';
  const cache = createLogCache({
    members,
    zone: 'az1',
    index: (addresses) => (addresses.includes(address) ? addresses.indexOf(address) : undefined),
    tls,
    metrics,
    log,
    memoryLimitBytes: 64 * 2 ** 20,
  });
  const { services } = cache;
  const listener = await listenGrpc({ address: '127.0.0.1:0', tls, services, log, drainMs: 0 });
  address = listener.address;
  t.teardown(async () => {
    await listener[Symbol.asyncDispose]();
    await cache[Symbol.asyncDispose]();
  });
  const tell = (nodes: readonly Node[]): void => members.set(zoneOf(nodes));
  return { cache, members, metrics, log, listener, tell };
}

function zoneOf(nodes: readonly Pick<Node, 'listener'>[]): readonly Zone[] {
  const addresses = nodes.map(({ listener }) => listener.address);
  return [{ name: 'az1', addresses: addresses.length > 0 ? addresses : ['nobody.invalid:1'] }];
}
