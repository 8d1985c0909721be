import { once } from 'node:events';
import { connect } from 'node:net';
import { status } from '@grpc/grpc-js';
import { dial, readTls } from '@standpipe/plumbing';
import { eventually } from '@standpipe/plumbing/testing';
import type { loggregator } from '@standpipe/protos';
import test from 'ava';
import { Reader } from './testing.ts';
import { certificates, started, startProxy } from './testing-proxy.ts';

const ANY_LOG = { selectors: [{ log: {} }], use_preferred_tags: true };

const BAD: readonly (readonly [string, loggregator.v2.IEgressBatchRequest, string])[] = [
  ['no selectors', {}, 'Selectors cannot be empty'],
  [
    'a selector with only a source',
    { selectors: [{ log: {} }, { source_id: 'a' }] },
    'Selectors must have a Message',
  ],
  [
    'a legacy selector without kind',
    { legacy_selector: { source_id: 'a' } },
    'Selectors must have a Message',
  ],
];

for (const [what, request, text] of BAD) {
  for (const method of ['batchedReceiver', 'receiver'] as const) {
    test(`R4: ${method} refuses ${what}`, async (t) => {
      const { read, dopplers } = await started(t);
      const { code, details } = await (await read(request, { method })).ended;
      t.is(code, status.INVALID_ARGUMENT);
      t.is(details, text);
      t.is(dopplers[0].requests.length, 0);
    });
  }
}

test('a request that cannot be read is INTERNAL, and the next one is served', async (t) => {
  const { read } = await started(t);
  const bad = await read({ selectors: [{ log: {} }] }, { raw: Buffer.from([0x12, 0x7f]) });
  t.is((await bad.ended).code, status.INTERNAL);
  const good = await read(ANY_LOG);
  t.is(good.messages.length, 0);
});

test('a selector with invalid UTF-8 is INTERNAL, as a request that cannot be read', async (t) => {
  const { read, dopplers } = await started(t);
  // selectors { source_id: "\xff" log {} }
  const raw = Buffer.from('22050a01ff1200', 'hex');
  const bad = await read({}, { raw });
  t.is((await bad.ended).code, status.INTERNAL);
  t.is(dopplers[0].requests.length, 0);
});

test('a request of 4 MiB is read; one byte more is RESOURCE_EXHAUSTED, in the words of Go', async (t) => {
  const { read, dopplers } = await started(t);
  const large = (byteLength: number): Buffer => {
    const selectors = Buffer.from('22021200', 'hex');
    // Field 100 is unknown: a tag of two bytes, a length of four.
    const padding = Buffer.alloc(byteLength - selectors.length - 6);
    const head = Buffer.from([0xa2, 0x06, 0, 0, 0, 0]);
    for (let n = 0; n < 4; n += 1) {
      head[2 + n] = ((padding.length >> (7 * n)) & 0x7f) | (n < 3 ? 0x80 : 0);
    }
    return Buffer.concat([selectors, head, padding]);
  };
  const most = 4 * 1024 * 1024;
  await read({}, { raw: large(most) });
  await eventually(() => dopplers[0].requests.length === 1);

  const { code, details } = await (await read({}, { raw: large(most + 1) })).ended;
  t.is(code, status.RESOURCE_EXHAUSTED);
  t.is(details, 'grpc: received message larger than max (4194305 vs. 4194304)');
  t.is(dopplers[0].requests.length, 1);
});

for (const path of [
  '/loggregator.v2.Egress/Unheard',
  '/loggregator.v2.EgressQuery/ContainerMetrics',
  '/loggregator.v2.Ingress/Send',
]) {
  test(`${path} is UNIMPLEMENTED and counted, and disturbs nobody`, async (t) => {
    const { proxy, open, dopplers, metric, tls } = await started(t);
    const reader = await open(ANY_LOG);
    const { address } = proxy;
    const client = dial({ address, tls: readTls(tls.gateway), serverName: 'reverselogproxy' });
    const same = (bytes: Buffer): Buffer => bytes;
    const code = await new Promise((resolve) => {
      client.makeUnaryRequest(path, same, same, Buffer.alloc(0), (error) => resolve(error?.code));
    });
    client.close();
    t.is(code, status.UNIMPLEMENTED);
    await eventually(() => metric('grpc_refused') === 1);
    dopplers[0].sendLines('a', 0, 1);
    await eventually(() => reader.envelopes.length === 1);
  });
}

test('the reader after 2000 is told that its subscription cannot be set up', async (t) => {
  const proxy = await startProxy(['127.0.0.1:1'], { maxEgressStreams: 3000 });
  t.teardown(() => proxy[Symbol.asyncDispose]());
  const { gateway } = await certificates();
  using first = new Reader({ address: proxy.address, tls: gateway, request: ANY_LOG });
  const others = Array.from({ length: 1999 }, () => first.again(ANY_LOG));
  await Promise.all([first.answered, ...others.map(({ answered }) => answered)]);
  const { code, details } = await first.again(ANY_LOG).ended;
  t.is(code, status.UNKNOWN);
  t.is(details, 'unable to setup subscription');

  others[0]?.call.cancel();
  await others[0]?.ended;
  await eventually(async () => {
    const again = first.again(ANY_LOG);
    await again.answered;
    return again.isAccepted;
  });
});

test('R2: of more than 500 connections the rest get no service, until one of them goes', async (t) => {
  const { proxy, read, metric } = await started(t);
  const [host, port] = proxy.address.split(':');
  const sockets = Array.from({ length: 500 }, () => connect(Number(port), host));
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
  });
  await Promise.all(sockets.map((socket) => once(socket, 'connect')));
  const refused = await read(ANY_LOG);
  t.is((await refused.ended).code, status.UNAVAILABLE);
  t.true(metric('connections_refused') >= 1);

  for (const socket of sockets.slice(0, 5)) socket.destroy();
  await eventually(async () => {
    const reader = await read(ANY_LOG);
    return reader.isAccepted;
  });
});

test('R8: once it stops there are no new streams, and who asks is told UNAVAILABLE', async (t) => {
  const { proxy, open } = await started(t);
  const reader = await open(ANY_LOG);
  const stopped = proxy[Symbol.asyncDispose]();
  const { code } = await reader.again(ANY_LOG).ended;
  t.is(code, status.UNAVAILABLE);
  t.is((await reader.ended).code, status.OK);
  await stopped;
});
