import { Metrics, readTls, type TlsFiles } from '@standpipe/plumbing';
import {
  eventually,
  type LogLine,
  ManualClock,
  type SpyLog,
  spyLog,
  testTls,
} from '@standpipe/plumbing/testing';
import { loggregator } from '@standpipe/protos';
import { numberOf } from '@standpipe/protos/testing';
import test, { type ExecutionContext } from 'ava';
import { proxyMetrics } from './metrics.ts';
import { FakeEgress } from './testing.ts';
import { Upstream } from './upstream.ts';

const REQUEST = Buffer.from(
  loggregator.v2.EgressBatchRequest.encode({ shard_id: 'a', selectors: [{ log: {} }] }).finish(),
);

test('a reader has a stream from every Doppler, over connections that readers share', async (t) => {
  const { dopplers, read } = await start(t, 2);
  const numbers = [read(), read()];
  await eventually(() => dopplers.every(({ calls }) => calls.length === 2));
  for (const [index, doppler] of dopplers.entries()) doppler.sendLines('s', index, index + 1);
  await eventually(() => numbers.every(({ length }) => length === 2));
  for (const received of numbers) t.deepEqual(received.toSorted(), [0, 1]);
  t.true(dopplers.every(({ requests }) => requests.every(({ shard_id }) => shard_id === 'a')));
});

test('a Doppler that is listed later is added to running readers; those before are left alone', async (t) => {
  const { dopplers, upstream, read, listen } = await start(t, 1);
  const [first] = dopplers;
  if (!first) return t.fail();
  const numbers = read();
  await eventually(() => first.calls.length === 1);
  const late = await listen();
  for (let n = 0; n < 3; n += 1) upstream.follow([late.address, first.address]);
  await eventually(() => late.calls.length === 1);
  late.sendLines('s', 0, 1);
  first.sendLines('s', 1, 2);
  await eventually(() => numbers.length === 2);
  t.deepEqual([first.requests.length, late.requests.length], [1, 1]);
});

test('a Doppler no longer listed serves its streams until they end, gets no new ones and is then left', async (t) => {
  const { dopplers, upstream, read, metrics } = await start(t, 2);
  const [stays, goes] = dopplers;
  if (!stays || !goes) return t.fail();
  const numbers = read();
  await eventually(() => goes.calls.length === 1);
  upstream.follow([stays.address]);
  goes.sendLines('s', 5, 6);
  await eventually(() => numbers.length === 1);
  read();
  await eventually(() => stays.calls.length === 2);
  for (const call of goes.calls) call.end();
  await eventually(() => counted(metrics, 'log_router_disconnects') === 1);
  upstream.follow([stays.address, goes.address]);
  await eventually(() => goes.requests.length === 3, {
    what: 'both readers, once it is listed again',
  });
  t.is(stays.requests.length, 2);
});

test('a Doppler that is listed again while it still serves is not doubled', async (t) => {
  const { dopplers, upstream, read } = await start(t, 2);
  const [stays, returns] = dopplers;
  if (!stays || !returns) return t.fail();
  const first = read();
  await eventually(() => returns.calls.length === 1);
  upstream.follow([stays.address]);
  const second = read();
  upstream.follow([stays.address, returns.address]);
  await eventually(() => returns.calls.length === 2);
  returns.sendLines('s', 7, 8);
  await eventually(() => first.length === 1 && second.length === 1);
  t.is(returns.requests.length, 2);
});

test('a Doppler that is not up yet is read when it is, and again when it has restarted', async (t) => {
  const { dopplers, read, tls, log, clock } = await start(t, 1);
  let [doppler] = dopplers;
  if (!doppler) return t.fail();
  const { address } = doppler;
  await doppler[Symbol.asyncDispose]();
  const numbers = read();
  await eventually(() => log.lines.some(({ text }) => text === 'a Doppler cannot be reached'));
  for (let n = 0; n < 2; n += 1) {
    const running = await FakeEgress.listen({ tls, address });
    t.teardown(() => running[Symbol.asyncDispose]());
    doppler = running;
    await eventually(async () => {
      await clock.advance(2000);
      return running.calls.length === 1;
    });
    running.sendLines('s', n, n + 1);
    await eventually(() => numbers.length === n + 1);
    await running[Symbol.asyncDispose]();
  }
  t.deepEqual(numbers, [0, 1]);
});

test('streams that end at once climb one ladder per Doppler, however many readers there are, and one line tells of it', async (t) => {
  const refusal = { code: 2, details: 'not today' };
  const { dopplers, read, clock, log } = await start(t, 1, { refusal });
  const [doppler] = dopplers;
  if (!doppler) return t.fail();
  const told = (): LogLine[] =>
    log.lines.filter(({ text }) => text === 'a stream from a Doppler ended');
  for (let n = 0; n < 3; n += 1) read();
  for (const [index, rungMs] of [1, 10, 100, 1000, 2000, 2000].entries()) {
    await eventually(() => told().length === 3 * (index + 1) && clock.sleeping === 1);
    await clock.advance(rungMs * 0.7);
    t.is(doppler.requests.length, 3 * (index + 1));
    await clock.advance(rungMs);
  }
  t.true(told().every(({ key }) => key === `lost ${doppler.address}`));
});

test('a reader that leaves disturbs no other', async (t) => {
  const { dopplers, upstream, read } = await start(t, 1);
  const [doppler] = dopplers;
  if (!doppler) return t.fail();
  const leaver = upstream.subscribe(REQUEST, () => t.fail());
  const numbers = read();
  await eventually(() => doppler.calls.length === 2);
  leaver[Symbol.dispose]();
  await eventually(() => doppler.calls.length === 1);
  doppler.sendLines('s', 1, 2);
  await eventually(() => numbers.length === 1);
  t.is(doppler.requests.length, 2);
});

interface Started {
  readonly upstream: Upstream;
  readonly dopplers: readonly FakeEgress[];
  readonly clock: ManualClock;
  readonly log: SpyLog;
  readonly metrics: Metrics;
  readonly tls: TlsFiles;
  /** Subscribes; what is returned fills with the numbers of what comes. */
  readonly read: () => number[];
  /** One more Doppler, which is not listed. */
  readonly listen: () => Promise<FakeEgress>;
}

async function start(
  t: ExecutionContext,
  count: number,
  options: { readonly refusal?: { readonly code: number; readonly details: string } } = {},
): Promise<Started> {
  const { doppler: tls, reverselogproxy } = await testTls('doppler', 'reverselogproxy');
  const clock = new ManualClock();
  const log = spyLog();
  const metrics = new Metrics({ origin: 'test' });
  const upstream = new Upstream({
    tls: readTls(reverselogproxy),
    metrics: proxyMetrics(metrics),
    log,
    clock,
  });
  t.teardown(() => upstream[Symbol.dispose]());
  const listen = async (): Promise<FakeEgress> => {
    const doppler = await FakeEgress.listen({ tls, ...options });
    t.teardown(() => doppler[Symbol.asyncDispose]());
    return doppler;
  };
  const dopplers = await Promise.all(Array.from({ length: count }, listen));
  upstream.follow(dopplers.map(({ address }) => address));
  const read = (): number[] => {
    const numbers: number[] = [];
    const subscription = upstream.subscribe(REQUEST, (bytes) => {
      const { batch } = loggregator.v2.EnvelopeBatch.decode(bytes);
      for (const { log: line } of batch) numbers.push(numberOf(line?.payload) ?? -1);
    });
    t.teardown(() => subscription[Symbol.dispose]());
    return numbers;
  };
  return { upstream, dopplers, clock, log, metrics, tls, read, listen };
}

function counted(metrics: Metrics, name: string): number | undefined {
  return [...metrics.series()].find((series) => series.name === name)?.value;
}
