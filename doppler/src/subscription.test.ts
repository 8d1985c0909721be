import { status } from '@grpc/grpc-js';
import { listenGrpc, Metrics, readTls } from '@standpipe/plumbing';
import { eventually, spyLog, testTls } from '@standpipe/plumbing/testing';
import { Batch, egressService, loggregator, scanBatch } from '@standpipe/protos';
import { encodeBatch, numberedLog, numberOf } from '@standpipe/protos/testing';
import test, { type ExecutionContext } from 'ava';
import { egressV2 } from './egress-v2.ts';
import { dopplerMetrics } from './metrics.ts';
import { Router } from './router.ts';
import { SlowSubscribers } from './slow-subscribers.ts';
import { Subscriptions } from './subscription.ts';
import { connect, type Subscriber, wireTo } from './testing.ts';

const LOGS: loggregator.v2.IEgressBatchRequest = { selectors: [{ log: {} }] };

test('a stalled subscriber loses exactly the oldest, counted; another loses nothing', async (t) => {
  const { subscribe, route, counts, log } = await setUp(t, { bufferSize: 1000 });
  const stalled = await subscribe({ ...LOGS, shard_id: 'slow' });
  const healthy = await subscribe(LOGS);
  stalled.call.pause();

  const sent = 40_000;
  for (let first = 0; first < sent; first += 100) {
    route(first, 100, Buffer.alloc(200));
    await eventually(() => countOf(healthy) === first + 100);
  }
  const dropped = counts.droppedEgress.value;
  t.true(dropped > 0);
  stalled.call.resume();
  await eventually(() => countOf(stalled) === sent - dropped);

  const numbers = numbersOf(stalled);
  const oldest = numbers.findIndex((number, at) => number !== at);
  const before = Array.from({ length: oldest }, (_, n) => n);
  const after = Array.from({ length: sent - oldest - dropped }, (_, n) => oldest + dropped + n);
  t.deepEqual(numbers, [...before, ...after], 'one gap, as long as the count says');
  t.true(after.length >= 1000, 'and what its queue could hold came after it');
  t.deepEqual(
    numbersOf(healthy),
    Array.from({ length: sent }, (_, n) => n),
  );
  t.is(counts.droppedEgress.value, dropped);
  t.is(counts.egress.value, 2 * sent - dropped);

  const line = log.lines.find(({ text }) => text.startsWith('dropped'));
  t.is(line?.fields.shard_id, 'slow');
  t.is(line?.fields.selectors, 'log of any source');
  t.regex(String(line?.fields.peer), /127\.0\.0\.1/);
});

test('a subscriber that cancels is unsubscribed at once, and another goes on', async (t) => {
  const { subscribe, route, counts } = await setUp(t);
  const leaving = await subscribe(LOGS);
  const staying = await subscribe(LOGS);
  leaving.call.cancel();
  t.is((await leaving.ended).code, status.CANCELLED);
  await eventually(() => counts.subscriptions.value === 1);
  route(0, 10);
  await eventually(() => countOf(staying) === 10);
  t.is(countOf(leaving), 0);
  t.is(counts.droppedEgress.value, 0);
});

test('a subscriber whose connection breaks is unsubscribed', async (t) => {
  const { address, subscribe, counts } = await setUp(t);
  const wire = await wireTo(address);
  t.teardown(() => wire[Symbol.asyncDispose]());
  using other = await connect(wire.address);
  const broken = await subscribe(LOGS, other);
  wire.cut();
  t.is((await broken.ended).code, status.UNAVAILABLE);
  await eventually(() => counts.subscriptions.value === 0);
});

test('what waits for a subscriber that leaves counts as dropped', async (t) => {
  const { subscribe, route, counts } = await setUp(t, { bufferSize: 100_000 });
  const leaving = await subscribe(LOGS);
  leaving.call.pause();
  const sent = 20_000;
  for (let first = 0; first < sent; first += 100) route(first, 100, Buffer.alloc(300));
  await eventually(() => counts.egress.value > 0);
  leaving.call.cancel();
  await eventually(() => counts.subscriptions.value === 0);
  t.true(counts.droppedEgress.value > 0);
  t.is(counts.egress.value + counts.droppedEgress.value, sent);
});

test('envelopes that waited together leave together, at most a thousand to a message', async (t) => {
  const { subscribe, route } = await setUp(t);
  const { messages } = await subscribe(LOGS);
  for (let n = 0; n < 2500; n += 1) route(n, 1);
  await eventually(() => messages.flatMap(decode).length === 2500);
  const sizes = messages.map((message) => decode(message).length);
  t.true(Math.max(...sizes) <= 1000);
  t.true(messages.length < 50, `${messages.length} messages`);
});

test('a lone envelope is sent at once', async (t) => {
  const { subscribe, route } = await setUp(t);
  const subscriber = await subscribe(LOGS);
  route(0, 1);
  await eventually(() => countOf(subscriber) === 1, { timeoutMs: 1000 });
  t.pass();
});

test('closing sends what waits, then ends the streams well and refuses new ones', async (t) => {
  const { subscribe, open, route, subscriptions } = await setUp(t);
  const subscriber = await subscribe(LOGS);
  route(0, 5000);
  subscriptions.close();
  t.deepEqual(await subscriber.ended, { code: status.OK, details: 'OK' });
  t.is(countOf(subscriber), 5000);
  t.is((await open(LOGS).ended).code, status.UNAVAILABLE);
});

test('a request without selectors, or with none of a kind, is accepted and stays silent', async (t) => {
  const { client, subscribe, route } = await setUp(t);
  const silent = [await subscribe({}), await subscribe({ selectors: [{ source_id: 'a' }] })];
  const told = await subscribe(LOGS);
  route(0, 10);
  await eventually(() => countOf(told) === 10);
  await client.subscribe(egressService.receiver, Buffer.alloc(0)).ended; // Behind all that was sent.
  for (const subscriber of silent) t.is(countOf(subscriber), 0);
});

test('legacy_selector and tag preference are left to the reverse log proxy: neither changes anything', async (t) => {
  const { subscribe, route } = await setUp(t);
  const legacy = await subscribe({ legacy_selector: { log: {} } });
  const plain = await subscribe(LOGS);
  const preferring = await subscribe({ ...LOGS, use_preferred_tags: true });
  route(0, 10);
  await eventually(() => countOf(plain) === 10 && countOf(preferring) === 10);
  t.deepEqual(Buffer.concat(preferring.messages), Buffer.concat(plain.messages));
  t.is(countOf(legacy), 0);
});

test('Receiver is refused and says what to use instead', async (t) => {
  const { client } = await setUp(t);
  const { ended } = client.subscribe(egressService.receiver, Buffer.alloc(0));
  t.deepEqual(await ended, { code: status.UNIMPLEMENTED, details: 'use BatchedReceiver instead' });
});

test('a request that cannot be read is refused, and so is one of too many selectors', async (t) => {
  const { client, open, counts } = await setUp(t);
  const malformed = client.subscribe(egressService.batchedReceiver, Buffer.from([0x0a, 0xff]));
  const { code, details } = await malformed.ended;
  t.is(code, status.INTERNAL);
  t.regex(details, /malformed request/);
  t.is(counts.malformed.value, 1);
  const selectors = Array.from({ length: 10_001 }, (_, n) => ({ source_id: `${n}`, log: {} }));
  t.like(await open({ selectors }).ended, {
    code: status.RESOURCE_EXHAUSTED,
    details: 'more than 10000 selectors',
  });
  t.is(counts.subscriptions.value, 0);
});

test('a request that lists one selector so often that it would get copy upon copy is refused', async (t) => {
  const { open, subscribe, counts } = await setUp(t);
  const copies = (count: number) =>
    Array.from({ length: count }, (_, n) => ({
      gauge: { names: n % 2 ? ['a', 'b'] : ['b', 'a'] },
    }));
  t.like(await open({ selectors: copies(11) }).ended, {
    code: status.RESOURCE_EXHAUSTED,
    details: 'the same selector more than 10 times',
  });
  t.is(counts.subscriptions.value, 0);
  await subscribe({ selectors: copies(10) });
});

test('one subscription too many is refused, counted, and disturbs nobody', async (t) => {
  const { open, subscribe, route, counts } = await setUp(t, { maxSubscriptions: 1 });
  const first = await subscribe(LOGS);
  t.is((await open(LOGS).ended).code, status.RESOURCE_EXHAUSTED);
  t.is(counts.refusedSubscriptions.value, 1);
  route(0, 10);
  await eventually(() => countOf(first) === 10);
});

async function setUp(t: ExecutionContext, { bufferSize = 10_000, maxSubscriptions = 100 } = {}) {
  const router = new Router({ cache: { put: () => undefined } });
  const metrics = new Metrics({ origin: 'doppler' });
  const counts = dopplerMetrics(metrics);
  const log = spyLog();
  const bufferBytes = 16 * 1024 * 1024;
  const subscriptions = new Subscriptions({
    metrics: counts,
    slow: new SlowSubscribers({ metrics, log }),
    log,
    bufferBytes,
    maxSubscriptions,
  });
  const tls = readTls((await testTls('doppler')).doppler);
  const services = [egressV2({ router, subscriptions, bufferSize })];
  const listener = await listenGrpc({ address: '127.0.0.1:0', tls, services, log, drainMs: 100 });
  const client = await connect(listener.address);
  t.teardown(async () => {
    client[Symbol.dispose]();
    await listener[Symbol.asyncDispose]();
  });

  const open = (request: loggregator.v2.IEgressBatchRequest, by = client): Subscriber => {
    const bytes = loggregator.v2.EgressBatchRequest.encode(request).finish();
    return by.subscribe(egressService.batchedReceiver, Buffer.from(bytes));
  };
  const subscribe = async (
    request: loggregator.v2.IEgressBatchRequest,
    by = client,
  ): Promise<Subscriber> => {
    const before = counts.subscriptions.value;
    const subscriber = open(request, by);
    await eventually(() => counts.subscriptions.value === before + 1);
    return subscriber;
  };

  const batch = new Batch();
  /** Routes `count` logs numbered from `first`, with a filling that makes them large. */
  const route = (first: number, count: number, filling?: Buffer): void => {
    const logs = Array.from({ length: count }, (_, at) => ({
      ...numberedLog('a', first + at),
      ...(filling ? { instance_id: filling.toString('latin1') } : {}),
    }));
    if (!scanBatch(encodeBatch(logs), batch)) throw new Error(batch.mistake);
    router.route(batch);
  };
  return { address: listener.address, client, counts, log, subscriptions, open, subscribe, route };
}

function decode(message: Buffer) {
  return loggregator.v2.EnvelopeBatch.decode(message).batch;
}

function numbersOf({ messages }: Subscriber): number[] {
  return messages.flatMap(decode).map(({ log }) => numberOf(log?.payload) ?? -1);
}

const counted = new WeakMap<Subscriber, { messages: number; envelopes: number }>();

/** How many envelopes have come; what was counted before is not decoded again. */
function countOf(subscriber: Subscriber): number {
  const known = counted.get(subscriber) ?? { messages: 0, envelopes: 0 };
  counted.set(subscriber, known);
  for (; known.messages < subscriber.messages.length; known.messages += 1) {
    known.envelopes += decode(subscriber.messages[known.messages] ?? Buffer.alloc(0)).length;
  }
  return known.envelopes;
}
