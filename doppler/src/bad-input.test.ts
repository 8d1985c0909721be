/**
 * What a Doppler makes of bad input, row by row: how the call ends that brought it, what is
 * counted, and that a stream and a subscriber beside it notice nothing.
 */

import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import { status } from '@grpc/grpc-js';
import { MAX_MESSAGE_BYTES } from '@standpipe/plumbing';
import { eventually } from '@standpipe/plumbing/testing';
import {
  dopplerIngestorService,
  egressService,
  ingressService,
  type RawMethod,
} from '@standpipe/protos';
import { field, number, numberedLog } from '@standpipe/protos/testing';
import test, { type ExecutionContext } from 'ava';
import { envelopes, responses, type Started, startedDoppler, v1Log } from './testing-doppler.ts';

const NOT_UTF_8 = Buffer.from([0xff, 0xfe]);
const LOG = field(4, field(1, 'hello'));
const { batchSender, sender, send } = ingressService;
const { pusher } = dopplerIngestorService;

const UNKNOWN_METHODS: readonly (readonly [string, string])[] = [
  [
    '/plumbing.Doppler/ContainerMetrics',
    'unknown method ContainerMetrics for service plumbing.Doppler',
  ],
  ['/plumbing.Doppler/RecentLogs', 'unknown method RecentLogs for service plumbing.Doppler'],
  ['/loggregator.v2.EgressQuery/ContainerMetrics', 'unknown service loggregator.v2.EgressQuery'],
  ['/grpc.health.v1.Health/Check', 'unknown service grpc.health.v1.Health'],
];

for (const [path, details] of UNKNOWN_METHODS) {
  test(`${path}, which is gone or never was, is UNIMPLEMENTED and counted`, async (t) => {
    const { client, undisturbed, refused } = await watched(t);
    const ended = await client.ask({ ...send, path }, Buffer.alloc(0));
    t.deepEqual(ended, { code: status.UNIMPLEMENTED, details });
    t.is(await refused('UNIMPLEMENTED'), 1);
    await undisturbed();
  });
}

const WITH_BAD_TEXT: readonly (readonly [string, Buffer])[] = [
  ['a source id', Buffer.concat([field(2, NOT_UTF_8), LOG])],
  ['an instance id', Buffer.concat([field(8, NOT_UTF_8), LOG])],
  ['a tag’s key', Buffer.concat([field(9, field(1, NOT_UTF_8), field(2, 'x')), LOG])],
  ['a tag’s value', Buffer.concat([field(9, field(1, 'x'), field(2, NOT_UTF_8)), LOG])],
  ['a deprecated tag', Buffer.concat([field(3, field(2, field(1, NOT_UTF_8))), LOG])],
  ['a counter’s name', field(5, field(1, NOT_UTF_8))],
  ['a unit', field(6, field(1, field(1, 'x'), field(2, field(1, NOT_UTF_8))))],
  ['an event’s title', field(10, field(1, NOT_UTF_8))],
];

for (const [what, envelope] of WITH_BAD_TEXT) {
  test(`invalid UTF-8 in ${what} of v2 ends its call with INTERNAL, as Go does`, async (t) => {
    const { client, doppler, undisturbed } = await watched(t);
    for (const [method, bytes] of [
      [batchSender, field(1, envelope)],
      [sender, envelope],
    ] as const) {
      const { call, ended } = client.send(method);
      call.write(bytes);
      t.is((await ended).code, status.INTERNAL);
    }
    t.is(doppler.counts.malformed.value, 2);
    await undisturbed();
  });
}

test('invalid UTF-8 in the payload of a log is fine, for it is bytes', async (t) => {
  const { client, subscribe, doppler } = await watched(t);
  const reader = await subscribe({ selectors: [{ source_id: 'bytes', log: {} }] });
  const batch = field(1, field(2, 'bytes'), field(4, field(1, NOT_UTF_8)));
  t.is((await client.ask(send, batch)).code, status.OK);
  await eventually(() => reader.messages.length === 1);
  t.deepEqual(reader.messages[0], batch);
  t.is(doppler.counts.malformed.value, 0);
});

test('invalid UTF-8 in v1 is accepted: v1 readers get the same bytes, v2 readers repaired text', async (t) => {
  const { push, subscribe, subscribeV1, undisturbed, doppler } = await watched(t);
  const v1 = await subscribeV1({ filter: { appID: 'app' } });
  const v2 = await subscribe({ selectors: [{ source_id: 'app', log: {} }] });
  const log = field(8, field(1, 'x'), number(2, 1), number(3, 1), field(4, 'app'));
  const bad = Buffer.concat([
    ...[field(1, 'rep'), number(2, 5), log],
    field(17, field(1, 'tag'), field(2, NOT_UTF_8)),
  ]);
  push(bad);
  await eventually(() => v1.messages.length === 1 && v2.messages.length === 1);
  t.deepEqual(responses(v1), [bad]);
  t.is(envelopes(v2)[0]?.tags?.tag, '\ufffd\ufffd');
  t.is(doppler.counts.malformed.value, 0);
  await undisturbed();
});

const BAD_V1: readonly (readonly [string, Buffer])[] = [
  ['garbage', Buffer.from('garbage')],
  ['nothing', Buffer.alloc(0)],
  ['no origin', number(2, 5)],
  ['no event type', field(1, 'rep')],
  [
    'a log without its time',
    Buffer.concat([field(1, 'rep'), number(2, 5), field(8, field(1, 'x'), number(2, 1))]),
  ],
  [
    'a metric without its unit',
    Buffer.concat([field(1, 'rep'), number(2, 6), field(9, field(1, 'x'))]),
  ],
];

for (const [what, payload] of BAD_V1) {
  test(`a v1 envelope of ${what} is passed over and counted, and its stream lives`, async (t) => {
    const { push, subscribeV1, undisturbed, doppler } = await watched(t);
    const reader = await subscribeV1({ filter: { appID: 'app' } });
    const good = v1Log('app', 'after');
    push(payload);
    push(good);
    await eventually(() => reader.messages.length === 1);
    t.deepEqual(responses(reader), [good]);
    t.is(doppler.counts.malformed.value, 1);
    t.is(doppler.counts.ingress.value, 1, 'it does not count as ingress');
    await undisturbed();
  });
}

test('an event type of v1 without its body, and one that nobody knows, pass on as they are', async (t) => {
  const { push, subscribe, subscribeV1, undisturbed } = await watched(t);
  const v1 = await subscribeV1({ shardID: 's' });
  const v2 = await subscribe({ selectors: [{ source_id: '/', log: {} }] });
  const empty = Buffer.concat([field(1, 'rep'), number(2, 5)]);
  const unknown = Buffer.concat([field(1, 'rep'), number(2, 42)]);
  push(empty);
  push(unknown);
  await eventually(() => responses(v1).length === 2 && v2.messages.length === 1);
  t.deepEqual(responses(v1), [empty, unknown]);
  t.is(envelopes(v2)[0]?.log?.payload?.length, 0, 'a log of zero values');
  await undisturbed();
});

const STREAMS_IN: readonly (readonly [string, RawMethod])[] = [
  ['BatchSender', batchSender],
  ['Sender', sender],
  ['Pusher, which the original wedges,', pusher],
];

for (const [name, method] of STREAMS_IN) {
  test(`${name} ends with RESOURCE_EXHAUSTED at 10 MiB and one byte, counted`, async (t) => {
    const { client, undisturbed, refused } = await watched(t);
    const { call, ended } = client.send(method);
    call.write(Buffer.alloc(MAX_MESSAGE_BYTES + 1));
    const details = `grpc: received message larger than max (${MAX_MESSAGE_BYTES + 1} vs. ${MAX_MESSAGE_BYTES})`;
    t.deepEqual(await ended, { code: status.RESOURCE_EXHAUSTED, details });
    t.is(await refused('RESOURCE_EXHAUSTED'), 1);
    await undisturbed();
  });
}

test('Pusher takes a message of exactly 10 MiB', async (t) => {
  const { client, doppler } = await watched(t);
  const filled = (size: number): Buffer => {
    const log = field(8, field(1, Buffer.alloc(size)), number(2, 1), number(3, 1));
    return field(1, field(1, 'rep'), number(2, 5), log);
  };
  const spare = MAX_MESSAGE_BYTES - 100;
  const message = filled(spare - (filled(spare).length - MAX_MESSAGE_BYTES));
  t.is(message.length, MAX_MESSAGE_BYTES);
  client.send(pusher).call.write(message);
  await eventually(() => doppler.counts.ingress.value === 1);
});

test('a request whose selectors cannot be read is INTERNAL and counted', async (t) => {
  const { client, doppler, undisturbed } = await watched(t);
  const { ended } = client.subscribe(egressService.batchedReceiver, Buffer.from([0x22, 0x7f]));
  t.is((await ended).code, status.INTERNAL);
  t.is(doppler.counts.malformed.value, 1);
  await undisturbed();
});

test('garbage on the port, and a half-open connection, disturb nobody', async (t) => {
  const { doppler, undisturbed } = await watched(t);
  const silent = connectTcp(doppler.grpcPort, '127.0.0.1');
  t.teardown(() => silent.destroy());
  const garbage = connectTcp(doppler.grpcPort, '127.0.0.1');
  garbage.on('error', () => undefined); // It is hung up on.
  garbage.write('GET / HTTP/1.1\r\n\r\n');
  await once(garbage, 'close');
  const text = await metricsOf(doppler.metricsPort);
  t.regex(text, /^connections_refused\{[^}]*listener="grpc"[^}]*\} 1$/m);
  await undisturbed();
});

interface Watched extends Started {
  /** Calls that ended with this code, as the metrics tell. */
  refused(code: string): Promise<number>;
  /** Waits until a stream that was open before still brings envelopes to a subscriber of before. */
  undisturbed(): Promise<void>;
}

async function watched(t: ExecutionContext): Promise<Watched> {
  const started = await startedDoppler(t);
  const witness = await started.subscribe({ selectors: [{ source_id: 'witness', log: {} }] });
  return {
    ...started,
    refused: async (code) => {
      const line = new RegExp(`^grpc_refused\\{[^}]*code="${code}"[^}]*\\} (\\d+)$`, 'm');
      return eventually(async () =>
        Number(line.exec(await metricsOf(started.doppler.metricsPort))?.[1]),
      );
    },
    undisturbed: async () => {
      started.sendBatch([numberedLog('witness', 1)]);
      await eventually(() => witness.messages.length === 1);
    },
  };
}

async function metricsOf(port: number): Promise<string> {
  return (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
}
