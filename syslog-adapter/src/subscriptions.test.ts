import { type Clock, dial, readTls, systemClock } from '@standpipe/plumbing';
import { eventually, spyLog, testTls } from '@standpipe/plumbing/testing';
import test, { type ExecutionContext } from 'ava';
import { type DrainBinding, parseBindings } from './bindings.ts';
import { Subscriptions } from './subscriptions.ts';
import { FakeProxy } from './testing.ts';

test('many small changes end in few streams, each selector in exactly one', async (t) => {
  const { proxy, subscriptions } = await started(t);
  for (let apps = 1; apps <= 30; apps += 1) {
    subscriptions.bind(bindingsOf(apps));
    t.true(subscriptions.streamCount <= 8);
  }
  await eventually(() => sourcesOf(proxy).length === 2 * 30, { timeoutMs: 20_000 });
  t.is(new Set(sourcesOf(proxy)).size, 30);
  t.is(proxy.readers.length, subscriptions.streamCount);
});

test('many drains at once are few streams', async (t) => {
  const { proxy, subscriptions } = await started(t);
  subscriptions.bind(bindingsOf(6000));
  t.is(subscriptions.streamCount, 3);
  await eventually(() => sourcesOf(proxy).length === 2 * 6000);
  t.is(new Set(sourcesOf(proxy)).size, 6000);
});

test('binding the same again changes nothing', async (t) => {
  const { proxy, subscriptions } = await started(t);
  subscriptions.bind(bindingsOf(10));
  await eventually(() => proxy.readers.length === 1);
  subscriptions.bind(bindingsOf(10));
  t.is(subscriptions.streamCount, 1);
  t.is(proxy.requests.length, 1);
});

test('binding nothing ends all streams', async (t) => {
  const { proxy, subscriptions } = await started(t);
  subscriptions.bind(bindingsOf(10));
  await eventually(() => proxy.readers.length === 1);
  subscriptions.bind([]);
  await eventually(() => proxy.readers.length === 0);
  t.is(subscriptions.streamCount, 0);
});

test('a proxy that ends each stream is asked again ever more slowly, not in a loop', async (t) => {
  const waits: number[] = [];
  const sleep = async (ms: number): Promise<void> => void waits.push(ms);
  const { proxy, subscriptions } = await started(t, { now: () => 0, sleep });
  proxy.isHangingUp = true;
  subscriptions.bind(bindingsOf(1));
  await eventually(() => waits.length > 9);
  // Doubled from 10 ms to 2 s, less a fifth at most.
  const [first = 0, second = 0] = waits;
  t.true(first <= 10 && second > 10, `${waits}`);
  t.true(
    waits.slice(8).every((ms) => ms >= 1600),
    `${waits}`,
  );
});

async function started(t: ExecutionContext, clock: Clock = systemClock) {
  const tls = await testTls('reverselogproxy', 'syslogadapter');
  const proxy = await FakeProxy.listen(tls.reverselogproxy);
  const client = dial({
    address: proxy.address,
    tls: readTls(tls.syslogadapter),
    serverName: 'reverselogproxy',
  });
  const subscriptions = new Subscriptions({
    client,
    shardId: 's',
    log: spyLog(),
    clock,
    onBatch: () => {},
  });
  t.teardown(async () => {
    await subscriptions[Symbol.asyncDispose]();
    client.close();
    await proxy[Symbol.asyncDispose]();
  });
  return { proxy, subscriptions };
}

/** Apps 0 to `count`, each with a drain for logs and events. */
function bindingsOf(count: number): readonly DrainBinding[] {
  const entries = Array.from({ length: count }, (_, n) => ({
    url: 'syslog://h:1',
    app_id: `app ${n}`,
  }));
  return parseBindings(JSON.stringify(entries), { perApp: 5, metadata: true }).drains;
}

/** The source of each selector that somebody reads now. */
function sourcesOf(proxy: FakeProxy): string[] {
  const sources: string[] = [];
  for (const { request } of proxy.readers) {
    for (const { source_id } of request.selectors ?? []) sources.push(source_id ?? '');
  }
  return sources;
}
