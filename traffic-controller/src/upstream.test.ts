import { dial, readTls } from '@standpipe/plumbing';
import { eventually, ManualClock, type SpyLog, spyLog, testTls } from '@standpipe/plumbing/testing';
import { plumbing } from '@standpipe/protos';
import test, { type ExecutionContext } from 'ava';
import { FakeDoppler } from './testing.ts';
import { type Subscription, Upstream } from './upstream.ts';

const REQUEST = Buffer.from(plumbing.SubscriptionRequest.encode({ shardID: 'a' }).finish());

test('a consumer gets what every Doppler sends', async (t) => {
  const { upstream, dopplers } = await start(t, 2);
  const { received } = subscribe(t, upstream);
  for (const [index, doppler] of dopplers.entries()) {
    const stream = await doppler.opened();
    t.is(stream.request.shardID, 'a');
    stream.send([`from ${index}`]);
  }
  await eventually(() => received.length === 2);
  t.deepEqual(received.toSorted(), ['from 0', 'from 1']);
});

test('consumers share one connection to a Doppler', async (t) => {
  const { upstream, dopplers, dials } = await start(t, 1);
  for (let n = 0; n < 5; n += 1) subscribe(t, upstream);
  await eventually(() => dopplers[0]?.open.length === 5);
  t.is(dials(), 1);
});

test('a Doppler that is not up yet is connected to when it is', async (t) => {
  const { upstream, dopplers, tls, log } = await start(t, 1);
  const [doppler] = dopplers;
  const address = doppler?.address ?? '';
  await doppler?.[Symbol.asyncDispose]();
  const { received } = subscribe(t, upstream);
  await eventually(() => log.lines.some(({ text }) => text === 'a Doppler can not be reached'));

  const back = await FakeDoppler.listen(tls, address);
  t.teardown(() => back[Symbol.asyncDispose]());
  (await back.opened()).send(['hello']);
  await eventually(() => received.length === 1);
  t.is(upstream.connected, 1);
});

test('a Doppler that dies and returns is read again, and the others all the while', async (t) => {
  const { upstream, dopplers, tls } = await start(t, 2);
  const [mortal, other] = dopplers;
  if (!mortal || !other) return t.fail();
  const { received } = subscribe(t, upstream);
  await mortal.opened();
  await mortal[Symbol.asyncDispose]();
  (await other.opened()).send(['meanwhile']);
  await eventually(() => received.includes('meanwhile'));

  const back = await FakeDoppler.listen(tls, mortal.address);
  t.teardown(() => back[Symbol.asyncDispose]());
  (await back.opened()).send(['again']);
  await eventually(() => received.includes('again'));
  t.is(other.subscriptions.length, 1);
});

test('a stream that had lived a second is opened again at once when it ends', async (t) => {
  const { upstream, dopplers, clock } = await start(t, 1);
  const doppler = dopplers[0];
  if (!doppler) return t.fail();
  const { received } = subscribe(t, upstream);
  for (let n = 0; n < 3; n += 1) {
    const stream = await doppler.opened();
    stream.send([`${n}`]);
    await eventually(() => received.length === n + 1);
    await clock.advance(1000);
    stream.end();
  }
  t.deepEqual(received, ['0', '1', '2']);
});

test('a Doppler that ends each stream after one message is called by the ladder, and told of once', async (t) => {
  const { upstream, dopplers, clock, log } = await start(t, 1);
  const doppler = dopplers[0];
  if (!doppler) return t.fail();
  const { received } = subscribe(t, upstream);
  for (const [index, rungMs] of [1, 10, 100, 1000].entries()) {
    const stream = await doppler.opened();
    stream.send([`${index}`]);
    await eventually(() => received.length === index + 1);
    stream.end();
    await eventually(() => clock.sleeping === 1);
    await clock.advance(rungMs * 0.7);
    t.is(doppler.subscriptions.length, index + 1);
    while (clock.sleeping > 0) await clock.advance(Math.min(rungMs, 100));
  }
  const told = log.lines.filter(({ text }) => text === 'a subscription ended');
  t.deepEqual(new Set(told.map(({ key }) => key)), new Set([`stream ${doppler.address}`]));
});

test('streams that end at once climb one ladder, however many there are', async (t) => {
  const { upstream, dopplers, clock, log } = await start(t, 1);
  const doppler = dopplers[0];
  if (!doppler) return t.fail();
  const ends = () => log.lines.filter(({ text }) => text === 'a subscription ended').length;
  for (let n = 0; n < 3; n += 1) subscribe(t, upstream);
  for (const [index, rungMs] of [1, 10, 100, 1000, 10_000, 10_000].entries()) {
    const expected = 3 * (index + 1);
    await eventually(() => doppler.subscriptions.length === expected);
    for (const stream of doppler.open) stream.end(new Error('not today'));
    await eventually(() => ends() === expected && clock.sleeping === 1);
    await clock.advance(rungMs * 0.7);
    t.is(doppler.subscriptions.length, expected);
    while (clock.sleeping > 0) await clock.advance(Math.min(rungMs, 100));
  }
});

test('a consumer that leaves cancels its streams at once and disturbs nobody', async (t) => {
  const { upstream, dopplers } = await start(t, 2);
  const leaver = subscribe(t, upstream);
  const { received } = subscribe(t, upstream);
  await eventually(() => dopplers.every(({ open }) => open.length === 2));
  leaver.subscription[Symbol.dispose]();
  await eventually(() => dopplers.every(({ open }) => open.length === 1));
  for (const doppler of dopplers) doppler.open[0]?.send(['still here']);
  await eventually(() => received.length === 2);
  t.is(leaver.received.length, 0);
});

test('a paused consumer stops its Dopplers and loses nothing, and others go on', async (t) => {
  const { upstream, dopplers } = await start(t, 1);
  const doppler = dopplers[0];
  if (!doppler) return t.fail();
  const slow = subscribe(t, upstream);
  const slowStream = await doppler.opened();
  slow.subscription.pause();
  const other = subscribe(t, upstream);
  const otherStream = await doppler.opened(1);

  // More than the window of the whole connection stands still in one stream.
  let sent = 0;
  for (let quiet = 0; quiet < 20; sent += 1) {
    quiet = slowStream.send([`${sent} `.padEnd(50_000, 'x')]) ? 0 : quiet + 1;
    await new Promise((resolve) => setImmediate(resolve));
  }
  t.true(sent * 50_000 > 2 * 1024 * 1024);
  t.is(slow.received.length, 0);
  otherStream.send(['through']);
  await eventually(() => other.received.length === 1);

  slow.subscription.resume();
  await eventually(() => slow.received.length === sent);
  t.deepEqual(
    slow.received.map((text) => Number.parseInt(text, 10)),
    Array.from({ length: sent }, (_, n) => n),
  );
});

test('a Doppler that is listed later is added to running consumers, and none twice', async (t) => {
  const { upstream, dopplers } = await start(t, 2, { listed: 1 });
  const [first, late] = dopplers;
  if (!first || !late) return t.fail();
  const { received } = subscribe(t, upstream);
  await first.opened();
  upstream.follow([first.address, late.address]);
  upstream.follow([late.address, first.address]);
  (await late.opened()).send(['late']);
  await eventually(() => received.length === 1);
  t.deepEqual([first.subscriptions.length, late.subscriptions.length], [1, 1]);
});

test('a Doppler no longer listed serves its streams until they end, and gets no new ones', async (t) => {
  const { upstream, dopplers } = await start(t, 2);
  const [stays, goes] = dopplers;
  if (!stays || !goes) return t.fail();
  const { received } = subscribe(t, upstream);
  const stream = await goes.opened();
  upstream.follow([stays.address]);
  stream.send(['still']);
  await eventually(() => received.includes('still'));
  subscribe(t, upstream);
  await eventually(() => stays.open.length === 2);
  stream.end();
  await eventually(() => goes.open.length === 0 || upstream.connected === 2);
  stays.open[0]?.send(['after']);
  await eventually(() => received.includes('after'));
  t.is(goes.subscriptions.length, 1);
});

test('a Doppler that is listed again while it still serves is neither doubled nor reconnected', async (t) => {
  const { upstream, dopplers, dials } = await start(t, 2);
  const [stays, returns] = dopplers;
  if (!stays || !returns) return t.fail();
  const { received } = subscribe(t, upstream);
  const stream = await returns.opened();
  upstream.follow([stays.address]);
  const late = subscribe(t, upstream);
  upstream.follow([stays.address, returns.address]);
  const lateStream = await returns.opened(1);
  stream.send(['to the first']);
  lateStream.send(['to the second']);
  await eventually(() => received.length === 1 && late.received.length === 1);
  t.deepEqual([...received, ...late.received], ['to the first', 'to the second']);
  t.is(returns.subscriptions.length, 2);
  t.is(dials(), 2);
});

test('a Doppler no longer listed is hung up on when its last stream ends, and dialled when listed again', async (t) => {
  const { upstream, dopplers, dials } = await start(t, 2);
  const [stays, goes] = dopplers;
  if (!stays || !goes) return t.fail();
  const { received } = subscribe(t, upstream);
  const leaver = subscribe(t, upstream);
  await eventually(() => stays.open.length === 2);
  const stream = await goes.opened();
  await goes.opened(1);
  upstream.follow([stays.address]);
  leaver.subscription[Symbol.dispose]();
  await eventually(() => goes.open.length === 1);
  t.is(upstream.connected, 2);
  for (const open of goes.open) open.end();
  await eventually(() => upstream.connected === 1);
  t.false(stream.open);
  upstream.follow([stays.address, goes.address]);
  (await goes.opened()).send(['back']);
  await eventually(() => received.includes('back'));
  t.is(dials(), 3);
});

test('a Doppler that comes and goes is not told of in every line of the log', async (t) => {
  const { upstream, dopplers, log, tls } = await start(t, 1);
  subscribe(t, upstream);
  let [doppler] = dopplers;
  for (let n = 0; n < 2 && doppler; n += 1) {
    await doppler.opened();
    const { address } = doppler;
    await doppler[Symbol.asyncDispose]();
    doppler = await FakeDoppler.listen(tls, address);
    const back = doppler;
    t.teardown(() => back[Symbol.asyncDispose]());
  }
  await doppler?.opened();
  const about = log.lines.filter(({ fields }) => fields.doppler !== undefined);
  t.true(about.length > 3);
  t.deepEqual(
    about.filter(({ key }) => key === undefined),
    [],
    'all are limited',
  );
});

test('a wrong certificate is told by its reason', async (t) => {
  const { metron, trafficcontroller } = await testTls('metron', 'trafficcontroller');
  const doppler = await FakeDoppler.listen(metron);
  const log = spyLog();
  const upstream = new Upstream({
    dial: (address) => dial({ address, tls: readTls(trafficcontroller), serverName: 'doppler' }),
    clock: new ManualClock(),
    log,
  });
  t.teardown(async () => {
    upstream[Symbol.dispose]();
    await doppler[Symbol.asyncDispose]();
  });
  upstream.follow([doppler.address]);
  const line = await eventually(() => log.lines.find(({ level }) => level === 'warn'));
  t.regex(String(line?.fields.reason), /altnames|doppler/);
});

async function start(
  t: ExecutionContext,
  count: number,
  options: { readonly listed?: number } = {},
): Promise<{
  upstream: Upstream;
  dopplers: FakeDoppler[];
  clock: ManualClock;
  log: SpyLog;
  tls: Awaited<ReturnType<typeof testTls>>['doppler'];
  dials: () => number;
}> {
  const { doppler: tls, trafficcontroller } = await testTls('doppler', 'trafficcontroller');
  const clock = new ManualClock();
  const log = spyLog();
  let dials = 0;
  const upstream = new Upstream({
    dial: (address) => {
      dials += 1;
      return dial({ address, tls: readTls(trafficcontroller), serverName: 'doppler' });
    },
    clock,
    log,
  });
  const listening = Array.from({ length: count }, () => FakeDoppler.listen(tls));
  const dopplers = await Promise.all(listening);
  t.teardown(async () => {
    upstream[Symbol.dispose]();
    for (const doppler of dopplers) await doppler[Symbol.asyncDispose]();
  });
  const listed = dopplers.slice(0, options.listed ?? count);
  upstream.follow(listed.map(({ address }) => address));
  return { upstream, dopplers, clock, log, tls, dials: () => dials };
}

function subscribe(
  t: ExecutionContext,
  upstream: Upstream,
): { readonly subscription: Subscription; readonly received: string[] } {
  const received: string[] = [];
  const subscription = upstream.subscribe({
    request: REQUEST,
    accept: (message) => {
      const { payload } = plumbing.BatchResponse.decode(message);
      received.push(...payload.map((bytes) => Buffer.from(bytes).toString()));
    },
  });
  t.teardown(() => subscription[Symbol.dispose]());
  return { subscription, received };
}
