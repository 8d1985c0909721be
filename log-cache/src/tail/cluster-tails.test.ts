import { listenGrpc, Metrics, staticMembers } from '@standpipe/plumbing';
import { eventually, ManualMembers } from '@standpipe/plumbing/testing';
import test, { type ExecutionContext } from 'ava';
import { LogCacheClient } from '../client.ts';
import { createClusterReader, createLogCache } from '../log-cache.ts';
import { ReadError, type ReadRequest, readRequest } from '../reader.ts';
import { batchOf, line, numbers } from '../testing.ts';
import { both, type Cluster, cluster, OF_SHARD_1, silent } from '../testing-cluster.ts';
import type { Gap, Place, Tails, ZoneChunk } from './tail.ts';

/** Owners that come back are tried again after up to three seconds. */
function soon<T>(check: () => T): Promise<unknown> {
  return eventually(check, { timeoutMs: 30_000 });
}

/** Reads a tail on its own, as fast as it comes. */
class Follower {
  readonly seen: number[] = [];
  readonly gaps: (Gap & { readonly zone: string })[] = [];
  readonly places = new Map<string, Place>();
  missing: readonly string[] = [];
  ended = false;
  error: unknown;
  readonly #gone = new AbortController();

  constructor(
    tails: Tails,
    fields: Partial<ReadRequest> & { after?: ReadonlyMap<string, Place> } = {},
  ) {
    const { after = new Map(), ...rest } = fields;
    const backlog = rest.startTime !== undefined;
    const request = { read: readRequest(OF_SHARD_1, rest), backlog, after };
    void this.#read(tails.tail(request, this.#gone.signal));
  }

  leave(): void {
    this.#gone.abort();
  }

  async #read(chunks: AsyncIterable<ZoneChunk>): Promise<void> {
    try {
      for await (const { zone, batch, place, gaps, missing } of chunks) {
        this.seen.push(...numbers(batch));
        this.gaps.push(...gaps.map((gap) => ({ ...gap, zone })));
        if (place !== undefined) this.places.set(zone, place);
        this.missing = missing ?? this.missing;
      }
    } catch (error) {
      this.error = error;
    }
    this.ended = true;
  }
}

function frontDoor(
  t: ExecutionContext,
  { zones, tls }: Cluster,
  members = staticMembers(zones),
): Tails {
  const reader = createClusterReader({
    metrics: new Metrics({ origin: 'test' }),
    members,
    tls,
    log: silent(),
  });
  t.teardown(() => reader[Symbol.asyncDispose]());
  return reader;
}

test('follows the owner in each zone, from every node and from the front door', async (t) => {
  const started = await cluster(t, { az1: 1, az2: 2 });
  const [one, two, three] = started.nodes;
  const all = [one?.cache.tails, two?.cache.tails, three?.cache.tails, frontDoor(t, started)];
  const followers = all.map((tails) => new Follower(tails as Tails));
  await soon(() => followers.every(({ places }) => places.size === 2));
  one?.cache.put(batchOf([line(OF_SHARD_1, 1), line('another', 7)]));
  three?.cache.put(batchOf([line(OF_SHARD_1, 2)]));
  two?.cache.put(batchOf([line(OF_SHARD_1, 3)])); // Goes to its owner first.
  await soon(() => followers.every(({ seen }) => seen.length === 3));
  for (const { seen, gaps, missing } of followers) {
    t.deepEqual(seen.toSorted(), [1, 2, 3]);
    t.deepEqual([gaps, missing], [[], []]);
  }
});

test('goes on without loss or repeat at an owner that was away', async (t) => {
  const started = await cluster(t, { az1: 2 });
  const [first, second] = both(started.nodes);
  const front = frontDoor(t, started);
  const followers = [new Follower(front), new Follower(first.cache.tails)];
  await soon(() => followers.every(({ places }) => places.size === 1));
  second.cache.put(batchOf([line(OF_SHARD_1, 5, 1), line(OF_SHARD_1, 5, 2)]));
  await soon(() => followers.every(({ seen }) => seen.length === 2));
  await second.stop();
  await soon(() => followers.every(({ missing }) => missing[0] === 'az1/1'));
  second.cache.put(batchOf([line(OF_SHARD_1, 5, 3), line(OF_SHARD_1, 2, 4)]));

  const { services } = second.cache;
  const { address } = second.listener;
  const again = await listenGrpc({
    address,
    tls: started.tls,
    services,
    log: silent(),
    drainMs: 0,
  });
  t.teardown(() => again[Symbol.asyncDispose]());
  await soon(() => followers.every(({ seen }) => seen.length === 4));
  second.cache.put(batchOf([line(OF_SHARD_1, 6, 5)]));
  await soon(() => followers.every(({ seen }) => seen.length === 5));
  for (const { seen, gaps, missing } of followers) {
    t.deepEqual(seen, [1, 2, 3, 4, 5]);
    t.deepEqual([gaps, missing], [[], []]);
  }
});

test('says that there is a gap when the owner has begun anew', async (t) => {
  const started = await cluster(t, { az1: 2 });
  const [first, second] = both(started.nodes);
  const follower = new Follower(first.cache.tails);
  await soon(() => follower.places.size === 1);
  second.cache.put(batchOf([line(OF_SHARD_1, 5, 1)]));
  await soon(() => follower.seen.length === 1);
  await second.stop();

  const anew = createLogCache({
    members: staticMembers(started.zones),
    zone: 'az1',
    index: 1,
    tls: started.tls,
    metrics: new Metrics({ origin: 'test' }),
    log: silent(),
  });
  const { services } = anew;
  const { address } = second.listener;
  const again = await listenGrpc({
    address,
    tls: started.tls,
    services,
    log: silent(),
    drainMs: 0,
  });
  t.teardown(async () => {
    await again[Symbol.asyncDispose]();
    await anew[Symbol.asyncDispose]();
  });
  const later = Date.now() * 1e6;
  await soon(() => follower.gaps.length === 1);
  t.like(follower.gaps, [{ zone: 'az1', reason: 'unknown' }]);
  anew.put(batchOf([line(OF_SHARD_1, later, 2)]));
  await soon(() => follower.seen.length === 2);
  t.deepEqual(follower.seen, [1, 2]);
});

test('gives what came while an owner could not be reached at first', async (t) => {
  const started = await cluster(t, { az1: 2 });
  const [, second] = both(started.nodes);
  const { services } = second.cache;
  await second.stop();
  const follower = new Follower(frontDoor(t, started));
  await soon(() => follower.missing.length === 1);
  second.cache.put(batchOf([line(OF_SHARD_1, 1), line(OF_SHARD_1, Date.now() * 1e6, 2)]));
  const { address } = second.listener;
  const again = await listenGrpc({
    address,
    tls: started.tls,
    services,
    log: silent(),
    drainMs: 0,
  });
  t.teardown(() => again[Symbol.asyncDispose]());
  await soon(() => follower.seen.length === 1);
  t.deepEqual([follower.seen, follower.gaps, follower.missing], [[2], [], []]);
});

test('follows whoever becomes the owner, and says what it can not know', async (t) => {
  const started = await cluster(t, { az1: 2 });
  const [first, second] = both(started.nodes);
  const members = new ManualMembers(started.zones);
  const follower = new Follower(frontDoor(t, started, members));
  await soon(() => follower.places.size === 1);
  const now = Date.now() * 1e6;
  second.cache.put(batchOf([line(OF_SHARD_1, now, 1)]));
  await soon(() => follower.seen.length === 1);

  const addresses = [second.listener.address, first.listener.address];
  members.set([{ name: 'az1', addresses }]);
  await soon(() => follower.gaps.length === 1);
  const client = new LogCacheClient({ address: first.listener.address, tls: started.tls });
  t.teardown(() => client[Symbol.asyncDispose]());
  await client.send(batchOf([line(OF_SHARD_1, now + 1000, 2)]).pack(), { localOnly: true });
  second.cache.put(batchOf([line(OF_SHARD_1, now + 2000, 3)]));
  await soon(() => follower.seen.length === 2);
  t.deepEqual(follower.seen, [1, 2]);
  t.like(follower.gaps, [{ zone: 'az1', reason: 'unknown' }]);
});

test('is refused as a whole what an owner refuses', async (t) => {
  const started = await cluster(t, { az1: 2 });
  for (const tails of [frontDoor(t, started), ...started.nodes.map(({ cache }) => cache.tails)]) {
    const follower = new Follower(tails, { matches: '(' });
    await soon(() => follower.ended);
    t.true(follower.error instanceof ReadError);
  }
});

test('ends when its reader leaves, and when the node ends its tails', async (t) => {
  const started = await cluster(t, { az1: 2 });
  const [first, second] = both(started.nodes);
  const followers = [first, second, first].map(({ cache }) => new Follower(cache.tails));
  await soon(() => followers.every(({ places }) => places.size === 1));
  followers[0]?.leave();
  await soon(() => followers[0]?.ended);
  first.cache.endTails();
  await soon(() => followers[2]?.ended);
  t.false(followers[1]?.ended);
  second.cache.endTails();
  await soon(() => followers[1]?.ended);
  t.deepEqual(
    followers.map(({ error }) => error),
    [undefined, undefined, undefined],
  );
});

test('a client of a node gets what all nodes have', async (t) => {
  const started = await cluster(t, { az1: 2, az2: 1 });
  const [first, second, third] = started.nodes;
  const client = new LogCacheClient({ address: first?.listener.address ?? '', tls: started.tls });
  t.teardown(() => client[Symbol.asyncDispose]());
  const remote: Tails = { tail: (request, gone) => client.tail(request, { local: false, gone }) };
  const follower = new Follower(remote, { startTime: 1n });
  await soon(() => follower.places.size === 2);
  second?.cache.put(batchOf([line(OF_SHARD_1, 1)]));
  third?.cache.put(batchOf([line(OF_SHARD_1, 2)]));
  await soon(() => follower.seen.length === 2);
  const { places } = follower;
  follower.leave();
  await soon(() => follower.ended);
  second?.cache.put(batchOf([line(OF_SHARD_1, 1, 3)]));
  const next = new Follower(remote, { startTime: 1n, after: places });
  await soon(() => next.seen.length === 1);
  t.deepEqual([next.seen, next.gaps], [[3], []]);
  next.leave();
});
