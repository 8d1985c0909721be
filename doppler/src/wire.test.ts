/**
 * What Go peers send to a Doppler and get from it, against bytes written by the field numbers of
 * loggregator-api, of plumbing and of sonde-go alone: in a mixed fleet, either side may be theirs.
 */

import { eventually } from '@standpipe/plumbing/testing';
import {
  dopplerIngestorService,
  dopplerService,
  egressService,
  ingressService,
} from '@standpipe/protos';
import { contents, double, field, fieldsInOrder, number } from '@standpipe/protos/testing';
import test from 'ava';
import type { Subscriber } from './testing.ts';
import { startedDoppler } from './testing-doppler.ts';

const TIME = 1_700_000_000_123_456_789n;
const V2_HEAD = [number(1, TIME), field(2, 'app'), field(8, '0')];
const V2_LOG = field(4, field(1, 'hello'), number(2, 1));
const tag = (key: string, value: string): Buffer => field(9, field(1, key), field(2, value));
const v1Tag = (key: string, value: string): Buffer => field(17, field(1, key), field(2, value));

/** An envelope of an agent, with a field that no version has yet. */
const FROM_AGENT = Buffer.concat([
  ...V2_HEAD,
  V2_LOG,
  ...['deployment', 'job', 'index', 'ip', 'origin'].map((key) => tag(key, `the ${key}`)),
  tag('source_type', 'APP/PROC/WEB'),
  tag('own', 'x'),
  field(99, 'of a later version'),
]);

/** The same in v1. */
const AS_V1 = [
  field(1, 'the origin'),
  number(2, 5),
  number(6, TIME),
  field(13, 'the deployment'),
  field(14, 'the job'),
  field(15, 'the index'),
  field(16, 'the ip'),
];
const AS_V1_LOG = [
  field(1, 'hello'),
  number(2, 2),
  number(3, TIME),
  field(4, 'app'),
  field(5, 'APP/PROC/WEB'),
  field(6, '0'),
];

/** A v1 envelope that came by UDP, with fields that no version has yet. */
const V1_FROM_AGENT = Buffer.concat([
  field(1, 'rep'),
  number(2, 5),
  number(6, TIME),
  field(8, field(1, 'hello'), number(2, 1), number(3, 5), field(4, 'app'), field(99, 'later')),
  v1Tag('own', 'x'),
  field(98, 'of a later version'),
]);

const ANY_LOG = field(4, field(2));

test('a Go agent’s BatchSender, a Go RLP’s BatchedReceiver: the very bytes pass, unknown fields too', async (t) => {
  const { client, opened } = await startedDoppler(t);
  const reader = await opened(() => client.subscribe(egressService.batchedReceiver, ANY_LOG));
  const batch = Buffer.concat([field(1, FROM_AGENT), field(1, FROM_AGENT)]);
  client.send(ingressService.batchSender).call.write(batch);
  await eventually(() => reader.messages.length === 1);
  t.deepEqual(reader.messages, [batch]);
});

test('a Go process’s Sender: an envelope by itself passes as a batch of one', async (t) => {
  const { client, opened } = await startedDoppler(t);
  const reader = await opened(() => client.subscribe(egressService.batchedReceiver, ANY_LOG));
  client.send(ingressService.sender).call.write(FROM_AGENT);
  await eventually(() => reader.messages.length === 1);
  t.deepEqual(reader.messages, [field(1, FROM_AGENT)]);
});

test('Send is answered with an empty SendResponse', async (t) => {
  const { client } = await startedDoppler(t);
  t.deepEqual(await client.ask(ingressService.send, field(1, FROM_AGENT)), {
    code: 0,
    details: 'OK',
  });
});

test('what a selector picks from a batch goes out as the bytes of the picked, in one batch', async (t) => {
  const { client, opened } = await startedDoppler(t);
  const request = field(4, field(1, 'app'), field(2));
  const reader = await opened(() => client.subscribe(egressService.batchedReceiver, request));
  const other = field(1, field(2, 'other'), V2_LOG);
  const counter = field(1, field(2, 'app'), field(5, field(1, 'requests')));
  const batch = [field(1, FROM_AGENT), other, counter, field(1, FROM_AGENT)];
  client.send(ingressService.batchSender).call.write(Buffer.concat(batch));
  await eventually(() => reader.messages.length === 1);
  t.deepEqual(reader.messages[0], Buffer.concat([field(1, FROM_AGENT), field(1, FROM_AGENT)]));
});

test('a Go agent’s Pusher, a Go TC’s BatchSubscribe: the very bytes pass, unknown fields too', async (t) => {
  const { client, opened } = await startedDoppler(t);
  const request = Buffer.concat([field(1, 'nozzle'), field(2, field(2))]);
  const reader = await opened(() => client.subscribe(dopplerService.batchSubscribe, request));
  client.send(dopplerIngestorService.pusher).call.write(field(1, V1_FROM_AGENT));
  await eventually(() => reader.messages.length === 1);
  t.deepEqual(reader.messages, [field(1, V1_FROM_AGENT)]);
});

test('Subscribe gives a Response with one payload', async (t) => {
  const { client, opened } = await startedDoppler(t);
  const request = field(2, field(1, 'app'));
  const reader = await opened(() => client.subscribe(dopplerService.subscribe, request));
  client.send(dopplerIngestorService.pusher).call.write(field(1, V1_FROM_AGENT));
  await eventually(() => reader.messages.length === 1);
  t.deepEqual(reader.messages, [field(1, V1_FROM_AGENT)]);
});

test('a v2 log is sent to a v1 subscriber as exactly these bytes', async (t) => {
  const { client, opened } = await startedDoppler(t);
  const request = field(2, field(1, 'app'), field(2));
  const reader = await opened(() => client.subscribe(dopplerService.batchSubscribe, request));
  client.send(ingressService.batchSender).call.write(field(1, FROM_AGENT));
  await eventually(() => reader.messages.length === 1);
  const log = field(8, ...AS_V1_LOG);
  t.deepEqual(
    fieldsOf(reader),
    sorted(...AS_V1, log, v1Tag('own', 'x'), v1Tag('source_id', 'app')),
  );
});

test('a v2 counter and a v2 gauge are sent to a v1 subscriber as exactly these bytes', async (t) => {
  const { client, opened } = await startedDoppler(t);
  const request = field(2, field(1, 'system'), field(3));
  const reader = await opened(() => client.subscribe(dopplerService.subscribe, request));
  const { call } = client.send(ingressService.sender);
  const head = [field(1, ''), number(2, 7), number(6, TIME)];
  const places = [13, 14, 15, 16].map((place) => field(place, ''));
  const tags = [v1Tag('instance_id', '0'), v1Tag('source_id', 'app')];

  call.write(Buffer.concat([...V2_HEAD, field(5, field(1, 'c'), number(2, 300), number(3, 301))]));
  await eventually(() => reader.messages.length === 1);
  const counter = field(10, field(1, 'c'), number(2, 300), number(3, 301));
  t.deepEqual(fieldsOf(reader), sorted(...head, counter, ...places, ...tags));

  const value = field(2, field(1, 'ms'), double(2, 1.5));
  call.write(Buffer.concat([...V2_HEAD, field(6, field(1, field(1, 'latency'), value))]));
  await eventually(() => reader.messages.length === 2);
  reader.messages.shift();
  const [origin, , time] = head;
  const metric = field(9, field(1, 'latency'), double(2, 1.5), field(3, 'ms'));
  const expected = [origin, number(2, 6), time, metric, ...places, ...tags] as Buffer[];
  t.deepEqual(fieldsOf(reader), sorted(...expected));
});

test('a v1 log is sent to a v2 subscriber with __v1_type and five tags that are always there, as exactly these bytes', async (t) => {
  const { client, opened } = await startedDoppler(t);
  const reader = await opened(() => client.subscribe(egressService.batchedReceiver, ANY_LOG));
  client.send(dopplerIngestorService.pusher).call.write(field(1, V1_FROM_AGENT));
  await eventually(() => reader.messages.length === 1);
  const tags = [
    ...['deployment', 'job', 'index', 'ip'].map((key) => tag(key, '')),
    ...[tag('origin', 'rep'), tag('own', 'x'), tag('source_type', '')],
    tag('__v1_type', 'LogMessage'),
  ];
  t.deepEqual(
    fieldsOf(reader),
    sorted(
      number(1, TIME),
      field(2, 'app'),
      field(8, ''),
      field(4, field(1, 'hello'), number(2, 0)),
      ...tags,
    ),
  );
});

/** The fields of the only envelope that a subscriber has, in any order. */
function fieldsOf({ messages }: Subscriber): readonly string[] {
  const [frame, another] = messages.flatMap((message) => contents(message, 1));
  if (frame === undefined || another !== undefined) throw new Error('not one envelope');
  return fieldsInOrder(frame).toSorted();
}

function sorted(...fields: readonly Buffer[]): readonly string[] {
  return fieldsInOrder(Buffer.concat(fields)).toSorted();
}
