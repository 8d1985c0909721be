import { status } from '@grpc/grpc-js';
import { eventually } from '@standpipe/plumbing/testing';
import { loggregator } from '@standpipe/protos';
import { encodeBatch, numberedLog, numberOf } from '@standpipe/protos/testing';
import test from 'ava';
import { FakeEgress, type Reader } from './testing.ts';
import { certificates, started } from './testing-proxy.ts';

const ANY_LOG = { selectors: [{ log: {} }], use_preferred_tags: true };

test('R1: BatchedReceiver delivers what every Doppler sends, as the very bytes', async (t) => {
  const { open, dopplers } = await started(t);
  const reader = await open(ANY_LOG);
  for (const [index, doppler] of dopplers.entries()) {
    const bytes = encodeBatch([numberedLog(`source ${index}`, 1), { timer: { name: 'http' } }]);
    const before = reader.messages.length;
    doppler.send(bytes);
    await eventually(() => reader.messages.length > before);
    t.deepEqual(reader.messages.at(-1), bytes);
  }
});

test('R1: batches of more than ten envelopes stay whole', async (t) => {
  const { open, dopplers } = await started(t);
  const reader = await open(ANY_LOG);
  dopplers[0].sendLines('a', 0, 100);
  await eventually(() => reader.messages.length === 1);
  t.is(reader.envelopes.length, 100);
});

test('R1: Receiver delivers each envelope by itself, and in order', async (t) => {
  const { open, dopplers } = await started(t);
  for (const use_preferred_tags of [true, false]) {
    const reader = await open({ ...ANY_LOG, use_preferred_tags }, { method: 'receiver' });
    dopplers[0].sendLines('a', 0, 50);
    dopplers[0].sendLines('a', 50, 60);
    await eventually(() => reader.messages.length === 60);
    const envelopes = reader.messages.map((bytes) => loggregator.v2.Envelope.decode(bytes));
    t.deepEqual(
      envelopes.map(({ log }) => numberOf(log?.payload)),
      range(0, 60),
    );
    t.is('source_type' in (envelopes[0]?.tags ?? {}), use_preferred_tags);
    reader[Symbol.dispose]();
    await eventually(() => dopplers[0].calls.length === 0);
  }
});

test('R2: a connection beyond the limit gets no service, and is counted', async (t) => {
  const { open, read, metric } = await started(t, { maxConnections: 1 });
  const first = await open(ANY_LOG);
  const { code } = await (await read(ANY_LOG)).ended;
  t.is(code, status.UNAVAILABLE);
  t.true(metric('connections_refused') >= 1);
  t.is(metric('subscriptions'), 1);
  t.is(first.messages.length, 0);
});

test('R3: a reader beyond the limit is refused, and counted', async (t) => {
  const { read, metric } = await started(t, { maxEgressStreams: 1 });
  const first = await read(ANY_LOG);
  for (const method of ['batchedReceiver', 'receiver'] as const) {
    const { code, details } = await (await read({}, { method })).ended;
    t.is(code, status.RESOURCE_EXHAUSTED);
    t.is(details, 'unable to create stream, max egress streams reached: 1');
  }
  t.is(metric('rejected_streams'), 2);
  first[Symbol.dispose]();
  await eventually(() => metric('subscriptions') === 0);
  await eventually(async () => {
    using again = await read(ANY_LOG);
    return metric('rejected_streams') === 2 && again.messages.length === 0;
  });
});

test('R5: a legacy selector counts when there are no others, and is never passed on', async (t) => {
  const { read, dopplers } = await started(t);
  const legacy_selector = { source_id: 'old', counter: { name: 'c' } };
  await read({ legacy_selector });
  await read({ legacy_selector, selectors: [{ source_id: 'new', log: {} }] });
  await eventually(() => dopplers[0].requests.length === 2);
  const sources = dopplers[0].requests.map(({ selectors }) => selectors?.map((s) => s.source_id));
  t.deepEqual(sources.sort(), [['new'], ['old']]);
  t.true(dopplers[0].requests.every((request) => request.legacy_selector == null));
});

test('passes shard, tag preference and deterministic name on; Receiver forgets the name', async (t) => {
  const { read, dopplers } = await started(t);
  const request = { ...ANY_LOG, shard_id: 's', deterministic_name: 'd' };
  await read(request);
  await eventually(() => dopplers.every(({ requests }) => requests.length === 1));
  for (const { requests } of dopplers) {
    t.is(requests[0]?.shard_id, 's');
    t.is(requests[0]?.deterministic_name, 'd');
    t.true(requests[0]?.use_preferred_tags);
  }
  await read(request, { method: 'receiver' });
  await eventually(() => dopplers[0].requests.length === 2);
  t.is(dopplers[0].requests[1]?.shard_id, 's');
  t.is(dopplers[0].requests[1]?.deterministic_name, '');
});

test('R6: preferred tags are all in tags, by default all are deprecated ones', async (t) => {
  const { open, dopplers } = await started(t);
  const preferring = await open(ANY_LOG);
  const others = await open({ selectors: [{ log: {} }] });
  dopplers[0].send(
    encodeBatch([
      {
        tags: { kept: 'x', both: 'new' },
        deprecated_tags: {
          decimal: { decimal: 0.8 },
          integer: { integer: 18 },
          both: { text: 'old' },
        },
        log: {},
      },
      { tags: { plain: 'y' }, log: {} },
    ]),
  );
  await eventually(() => preferring.messages.length === 1 && others.messages.length === 1);
  t.deepEqual(
    preferring.envelopes.map(({ tags, deprecated_tags }) => ({ tags, deprecated_tags })),
    [
      { tags: { kept: 'x', both: 'old', decimal: '0.8', integer: '18' }, deprecated_tags: {} },
      { tags: { plain: 'y' }, deprecated_tags: {} },
    ],
  );
  const [first, second] = others.envelopes;
  t.deepEqual(first?.tags, {});
  t.is(first?.deprecated_tags?.kept?.text, 'x');
  t.is(first?.deprecated_tags?.both?.text, 'new');
  t.is(first?.deprecated_tags?.decimal?.decimal, 0.8);
  t.is(second?.deprecated_tags?.plain?.text, 'y');
});

test('R7: a reader that vanishes leaves every Doppler at once', async (t) => {
  const { open, dopplers, metric } = await started(t);
  const reader = await open({ ...ANY_LOG, shard_id: 's' });
  await eventually(() => dopplers.every(({ calls }) => calls.length === 1));
  reader[Symbol.dispose]();
  await eventually(() => dopplers.every(({ calls }) => calls.length === 0));
  await eventually(() => metric('subscriptions') === 0);
  t.pass();
});

test('R8: when it stops, readers get what waits for them and their calls end with OK', async (t) => {
  const { open, dopplers, proxy, metric } = await started(t);
  const slow = await open(ANY_LOG, { reading: false });
  const lines = 9000;
  for (let from = 0; from < lines; from += 100) dopplers[0].sendLines('a', from, from + 100);
  await eventually(() => metric('ingress') === lines);

  const stopped = proxy[Symbol.asyncDispose]();
  slow.resume();
  const { code, details } = await slow.ended;
  await stopped;
  t.is(code, status.OK, details);
  t.deepEqual(numbersOf(slow), range(0, lines));
  t.is(metric('dropped'), 0);
});

test('R9: a reader that stalls loses exactly the oldest, counted, and nobody else loses any', async (t) => {
  const { open, dopplers, metric, log } = await started(t);
  const stalled = await open(ANY_LOG, { reading: false });
  const other = await open(ANY_LOG);
  const lines = 40_000;
  for (let from = 0; from < lines; from += 100) {
    dopplers[0].sendLines('a', from, from + 100);
    if (from % 2000 === 0) await eventually(() => metric('ingress') === 2 * (from + 100));
  }
  await eventually(() => metric('ingress') === 2 * lines);
  const dropped = metric('dropped');
  t.true(dropped > 0);
  await eventually(() => other.envelopes.length === lines);
  t.deepEqual(numbersOf(other), range(0, lines));

  stalled.resume();
  await eventually(() => metric('egress') === 2 * lines - dropped);
  await eventually(() => stalled.envelopes.length === lines - dropped);
  // What the stream held when it stalled, then a gap, then the newest.
  const numbers = numbersOf(stalled);
  const gap = numbers.findIndex((number, index) => number !== index);
  t.deepEqual(numbers.slice(gap), range(lines - (numbers.length - gap), lines));
  t.true(log.lines.some(({ text }) => text === 'dropped the oldest envelopes of a slow reader'));
});

test('R9: counts what comes, what goes, and who is there', async (t) => {
  const { open, dopplers, metric } = await started(t);
  t.is(metric('subscriptions'), 0);
  const reader = await open(ANY_LOG);
  t.is(metric('subscriptions'), 1);
  await eventually(() => metric('log_router_connects') === 2);
  dopplers[0].sendLines('a', 0, 10);
  await eventually(() => reader.messages.length === 1);
  t.is(metric('ingress'), 10);
  await eventually(() => metric('egress') === 10);
  t.is(metric('log_router_disconnects'), 0);
});

test('a Doppler that dies is taken back when it returns, and the others go on', async (t) => {
  const { open, dopplers, metric, tls } = await started(t);
  const [mortal, other] = dopplers;
  const reader = await open(ANY_LOG);
  await eventually(() => metric('log_router_connects') === 2);
  const { address } = mortal;
  await mortal[Symbol.asyncDispose]();
  other.sendLines('a', 0, 10);
  await eventually(() => reader.envelopes.length === 10);
  await eventually(() => metric('log_router_disconnects') >= 1);

  const returned = await FakeEgress.listen({ tls: tls.doppler, address });
  t.teardown(() => returned[Symbol.asyncDispose]());
  await eventually(() => returned.calls.length === 1);
  returned.sendLines('a', 10, 20);
  await eventually(() => reader.envelopes.length === 20);
  t.deepEqual(numbersOf(reader), range(0, 20));
});

test('starts with no Doppler there, and reads them when they come', async (t) => {
  const { read, dopplers, tls } = await started(t);
  const addresses = dopplers.map(({ address }) => address);
  await Promise.all(dopplers.map((doppler) => doppler[Symbol.asyncDispose]()));
  const reader = await read(ANY_LOG);
  const came = await Promise.all(
    addresses.map((address) => FakeEgress.listen({ tls: tls.doppler, address })),
  );
  for (const doppler of came) t.teardown(() => doppler[Symbol.asyncDispose]());
  await eventually(() => came.every(({ calls }) => calls.length === 1));
  came[0]?.sendLines('a', 0, 1);
  came[1]?.sendLines('a', 1, 2);
  await eventually(() => reader.envelopes.length === 2);
  t.pass();
});

const ENDINGS = {
  refuses: { refusal: { code: status.RESOURCE_EXHAUSTED, details: 'no' } },
  'ends each stream after a batch': { farewell: encodeBatch([numberedLog('a', 1)]) },
} as const;

for (const [behaviour, options] of Object.entries(ENDINGS)) {
  test(`a Doppler that ${behaviour} is asked again ever more slowly, not in a loop`, async (t) => {
    const tls = await certificates();
    const doppler = await FakeEgress.listen({ tls: tls.doppler, ...options });
    t.teardown(() => doppler[Symbol.asyncDispose]());
    const { read } = await started(t, {}, [doppler.address]);
    const first = eventually(() => doppler.requests.length > 0).then(() => performance.now());
    await Promise.all([read(ANY_LOG), read(ANY_LOG), read(ANY_LOG)]);
    // Three readers ask at most thrice before waits of 1, 10, 100, 1000 and 2000 ms, less a fifth.
    await eventually(() => doppler.requests.length > 15);
    t.true(performance.now() - (await first) > 1500);
  });
}

test('a batch that cannot be read is counted, and disturbs nothing', async (t) => {
  const { open, dopplers, metric } = await started(t);
  const reader = await open(ANY_LOG);
  dopplers[0].send(Buffer.from([0x0a, 0x7f, 0x01]));
  dopplers[0].sendLines('a', 0, 10);
  await eventually(() => reader.envelopes.length === 10);
  t.is(metric('malformed'), 1);
  t.is(metric('ingress'), 10);
});

test('a batch too large for clients with the default limit of 4 MiB comes in pieces', async (t) => {
  const { open, dopplers } = await started(t);
  const reader = await open(ANY_LOG);
  const payload = Buffer.alloc(60 * 1024, 'x');
  dopplers[0].send(encodeBatch(Array.from({ length: 100 }, () => ({ log: { payload } }))));
  await eventually(() => reader.envelopes.length === 100);
  t.true(reader.messages.every(({ length }) => length < 4 * 1024 * 1024));
});

test('a port that is in use is told by its address', async (t) => {
  const { proxy } = await started(t);
  const error = await t.throwsAsync(started(t, { address: proxy.address }));
  t.regex(error.message, new RegExp(`${proxy.address}: the port is in use`));
});

function numbersOf(reader: Reader): (number | undefined)[] {
  return reader.envelopes.map(({ log }) => numberOf(log?.payload));
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, index) => from + index);
}
