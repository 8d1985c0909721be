import {
  createLogger,
  listenGrpc,
  Metrics,
  readTls,
  staticMembers,
  type Tls,
} from '@standpipe/plumbing';
import { eventually, testTls } from '@standpipe/plumbing/testing';
import test, { type ExecutionContext } from 'ava';
import { createLogCache, type LogCache } from './log-cache.ts';
import { readRequest } from './reader.ts';
import { batchOf, line, numbers } from './testing.ts';
import { OF_NODE_1, OriginalNode } from './testing-original.ts';

test('sends what an original owns as the original does, and reads it there', async (t) => {
  const { original, cache } = await mixed(t);
  cache.put(batchOf([line(OF_NODE_1, 1), line('src-zero', 2)]));
  await eventually(() => original.kept.length === 1);
  const batch = batchOf([line(OF_NODE_1, 1)]).bytes.toString('hex');
  const length = (batch.length / 2).toString(16).padStart(2, '0');
  t.deepEqual(original.sends, [`0a${length}${batch}1001`], 'envelopes, and local_only');

  const result = await cache.reader.read(readRequest(OF_NODE_1, { limit: 7n, descending: true }));
  t.deepEqual([numbers(result.batch), result.unreachable], [[1], []]);
  const id = Buffer.from(OF_NODE_1).toString('hex');
  t.deepEqual(original.requests, [`0a09${id}20073001`], 'source_id, limit, descending');
  t.is((await cache.reader.meta(false)).sources.get(OF_NODE_1)?.count, 1);
});

test('filters what an original gives, page by page until there is enough', async (t) => {
  const { original, cache } = await mixed(t);
  original.kept.push(...Array.from({ length: 5000 }, (_, n) => line(OF_NODE_1, n)));
  const search = async (fields: Parameters<typeof readRequest>[1]) => {
    original.requests.length = 0;
    const { batch, unreachable } = await cache.reader.read(readRequest(OF_NODE_1, fields));
    return { found: numbers(batch), unreachable, pages: original.requests.length };
  };
  const few = { contains: '99', limit: 3n };
  t.deepEqual(await search(few), { found: [99, 199, 299], unreachable: [], pages: 2 });
  t.deepEqual(await search({ ...few, descending: true }), {
    found: [4999, 4998, 4997],
    unreachable: [],
    pages: 2,
  });
  t.like(await search({ ...few, contains: 'line 4321' }), { found: [4321], unreachable: [] });
  t.like(await search({ matches: '^line 43.1$', startTime: 4000n }), {
    found: [4301, 4311, 4321, 4331, 4341, 4351, 4361, 4371, 4381, 4391],
    unreachable: [],
  });
  t.like(await search({ tags: ['source_type:NOBODY'] }), { found: [], unreachable: [] });
});

test('says so when there is more at an original than it searches', async (t) => {
  const { original, cache } = await mixed(t);
  original.kept.push(...Array.from({ length: 12_000 }, (_, n) => line(OF_NODE_1, n)));
  const { batch, unreachable } = await cache.reader.read(
    readRequest(OF_NODE_1, { contains: 'line 11999' }),
  );
  t.deepEqual([batch.count, unreachable], [0, ['az1/1']]);
  t.is(original.requests.length, 10);
});

test('names an original as missing in a tail, which it does not have', async (t) => {
  const { cache } = await mixed(t);
  const gone = new AbortController();
  const request = { read: readRequest(OF_NODE_1), backlog: false, after: new Map() };
  for await (const { missing } of cache.tails.tail(request, gone.signal)) {
    t.deepEqual(missing, ['az1/1']);
    gone.abort();
  }
});

/** A ring of one node of ours and one of the original's. */
async function mixed(
  t: ExecutionContext,
): Promise<{ readonly original: OriginalNode; readonly cache: LogCache; readonly tls: Tls }> {
  const { doppler } = await testTls({ name: 'doppler', dns: ['log-cache'] });
  const tls = readTls(doppler);
  const log = createLogger('test', { level: 'silent' });
  const original = new OriginalNode();
  const { services } = original;
  const listener = await listenGrpc({ address: '127.0.0.1:0', tls, services, log, drainMs: 0 });
  const cache = createLogCache({
    members: staticMembers([{ name: 'az1', addresses: ['127.0.0.1:1', listener.address] }]),
    zone: 'az1',
    index: 0,
    tls,
    metrics: new Metrics({ origin: 'test' }),
    log,
  });
  t.teardown(async () => {
    await cache[Symbol.asyncDispose]();
    await listener[Symbol.asyncDispose]();
  });
  return { original, cache, tls };
}
