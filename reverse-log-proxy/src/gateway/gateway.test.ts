import { once } from 'node:events';
import { connect } from 'node:net';
import { status } from '@grpc/grpc-js';
import { eventually } from '@standpipe/plumbing/testing';
import { encodeBatch, longOf } from '@standpipe/protos/testing';
import test from 'ava';
import { FakeEgress } from '../testing.ts';
import { type Stream, started } from './testing.ts';

const APP = '73467cc3-261a-472e-80e8-d6eadfd30d98';

test('G1: flushes its headers before any data', async (t) => {
  const { read } = await started(t);
  const { response } = await read('?log');
  t.is(response.statusCode, 200);
  t.is(response.headers['content-type'], 'text/event-stream');
  t.is(response.headers['cache-control'], 'no-cache');
  t.is(response.headers.connection, 'keep-alive');
});

test('G1: a batch is one data line of JSON, zero values and snake-case keys in it, and a blank line', async (t) => {
  const { read, proxy } = await started(t);
  const stream = await read('?log');
  const log = { payload: Buffer.from('hi'), type: 0 };
  proxy.send(encodeBatch([{ source_id: 'a', log }]));
  proxy.send(
    encodeBatch([
      { timestamp: longOf(1n), source_id: 'b', instance_id: '7', tags: { k: 'v' }, log },
      { gauge: { metrics: { zero: { unit: '', value: 0 } } } },
    ]),
  );
  proxy.send(Buffer.alloc(0));
  const first =
    'data: {"batch":[{"timestamp":"0","source_id":"a","instance_id":"","deprecated_tags":{},"tags":{},"log":{"payload":"aGk=","type":"OUT"}}]}\n\n';
  const second =
    'data: {"batch":[{"timestamp":"1","source_id":"b","instance_id":"7","deprecated_tags":{},"tags":{"k":"v"},"log":{"payload":"aGk=","type":"OUT"}},{"timestamp":"0","source_id":"","instance_id":"","deprecated_tags":{},"tags":{},"gauge":{"metrics":{"zero":{"unit":"","value":0}}}}]}\n\n';
  const third = 'data: {"batch":[]}\n\n';
  await eventually(() => stream.text.length >= (first + second + third).length);
  t.is(stream.text, first + second + third);
});

test('every line of a stream ends with LF alone, whatever an envelope holds', async (t) => {
  const { read, proxy } = await started(t, { heartbeatMs: 300 });
  const stream = await read('?log');
  await eventually(() => stream.text.startsWith('event: heartbeat\n'));
  const tags = { 'a\r\nb': 'c\r\n\r\nd\u2028e' };
  proxy.send(encodeBatch([{ source_id: 'x\r\ny', tags, log: { payload: Buffer.from('\r\n') } }]));
  await eventually(() => /^data: \{"batch"[^\n]*\n\n/m.test(stream.text));
  t.false(stream.text.includes('\r'));
  const [, json] = /^data: (\{"batch"[^\n]*)\n/m.exec(stream.text) ?? [];
  const [envelope] = JSON.parse(json ?? '').batch;
  t.deepEqual([envelope.source_id, envelope.tags], ['x\r\ny', tags]);
});

test('G2: sends a heartbeat of exactly three lines when nothing came for a while', async (t) => {
  const { read, proxy } = await started(t, { heartbeatMs: 300 });
  const stream = await read('?log');
  const before = Math.floor(Date.now() / 1000);
  await eventually(() => stream.text.includes('\n\n'));
  const beat = /^event: heartbeat\ndata: (\d+)\n\n/.exec(stream.text);
  t.true(Number(beat?.[1]) >= before);
  proxy.sendLines('a', 0, 1);
  await eventually(() => stream.text.includes('data: {"batch"'));
  t.regex(stream.text, /^(?:event: heartbeat\ndata: \d+\n\n)+data: \{.*\}\n\n/);
});

test('G3: passes shard and deterministic name on, and always prefers tags', async (t) => {
  const { read, proxy } = await started(t);
  await read('?log&shard_id=s&deterministic_name=d');
  const [request] = proxy.requests;
  t.is(request?.shard_id, 's');
  t.is(request?.deterministic_name, 'd');
  t.true(request?.use_preferred_tags);
});

test('G4: says that it closes at the stream timeout, and closes', async (t) => {
  const { read, proxy, metric } = await started(t, { streamTimeoutMs: 200 });
  const stream = await read('?log');
  await once(stream.response, 'end');
  t.is(stream.text, 'event: closing\ndata: closing due to stream timeout\n\n');
  t.is(metric('streams_ended', { reason: 'timeout' }), 1);
  await eventually(() => proxy.calls.length === 0);
});

const REFUSALS: readonly (readonly [string, string, number, string])[] = [
  ['GET', '/v2/read', 400, '{"message":"query cannot be empty","error":"empty_query"}\n\n'],
  ['GET', '/v2/read?', 400, '{"message":"query cannot be empty","error":"empty_query"}\n\n'],
  [
    'GET',
    '/v2/read?source_id=a',
    400,
    '{"message":"query must provide at least one envelope type","error":"missing_envelope_type"}\n\n',
  ],
  [
    'POST',
    '/v2/read?log',
    405,
    '{"message":"method not allowed","error":"method_not_allowed"}\n\n',
  ],
  ['GET', '/', 404, '404 page not found\n'],
  ['GET', '/v2/read/?log', 404, '404 page not found\n'],
  ['DELETE', '/v2/reads', 404, '404 page not found\n'],
];

for (const [method, path, code, body] of REFUSALS) {
  test(`G5: answers ${method} ${path} with ${code}, in a body labelled as plain text`, async (t) => {
    const { gateway, metric } = await started(t);
    const response = await fetch(`http://${gateway.address}${path}`, { method });
    t.is(response.status, code);
    t.is(metric('refused'), 1);
    t.is(await response.text(), body);
    t.is(response.headers.get('content-type'), 'text/plain; charset=utf-8');
    t.is(response.headers.get('x-content-type-options'), 'nosniff');
  });
}

const UNAVAILABLE =
  '{"message":"streaming is temporarily unavailable","error":"streaming_unavailable"}\n\n';

test('what is refused, and bytes that are no HTTP, disturb no reader', async (t) => {
  const { read, gateway, proxy, metric } = await started(t);
  const reader = await read('?log');
  for (const [method, path] of REFUSALS) {
    await (await fetch(`http://${gateway.address}${path}`, { method })).text();
  }
  const socket = connect(gateway.port, '127.0.0.1');
  socket.end('\x16\x03\x01 not http\r\n\r\n');
  await once(socket.resume(), 'close');
  t.is(metric('refused'), REFUSALS.length);
  t.is(metric('http_refused', { status: '400' }), 1);
  proxy.sendLines('a', 0, 1);
  await eventually(() => reader.events() === 1);
});

test('G5: answers 503 when there is no proxy for a while', async (t) => {
  const { gateway, proxy, metric } = await started(t);
  await proxy[Symbol.asyncDispose]();
  const response = await fetch(`http://${gateway.address}/v2/read?log`);
  t.is(response.status, 503);
  t.is(await response.text(), UNAVAILABLE);
  t.is(metric('unavailable'), 1);
});

test('G5: answers 503 when the proxy refuses, which the original cannot tell', async (t) => {
  const refusal = { code: status.RESOURCE_EXHAUSTED, details: 'max egress streams reached: 1' };
  const { gateway, proxy, log } = await started(t, {}, { refusal });
  const response = await fetch(`http://${gateway.address}/v2/read?log`);
  t.is(response.status, 503);
  t.is(await response.text(), UNAVAILABLE);
  t.is(proxy.requests.length, 1);
  t.true(log.lines.some(({ fields }) => fields.reason === refusal.details));
});

test('answers 400 when the proxy finds fault with the request', async (t) => {
  const refusal = { code: status.INVALID_ARGUMENT, details: 'Selectors must have a Message' };
  const { gateway } = await started(t, {}, { refusal });
  const response = await fetch(`http://${gateway.address}/v2/read?log`);
  t.is(response.status, 400);
  t.is(
    await response.text(),
    '{"message":"Selectors must have a Message","error":"invalid_argument"}\n\n',
  );
});

test('a proxy that restarts is waited for, so that clients do not give up', async (t) => {
  const { gateway, proxy, tls } = await started(t, { proxyWaitMs: 10_000 });
  const { address } = proxy;
  await proxy[Symbol.asyncDispose]();
  const answer = fetch(`http://${gateway.address}/v2/read?log`);
  const returned = await FakeEgress.listen({
    tls: tls.reverselogproxy,
    address,
    answersAtOnce: true,
    refusal: { code: status.UNAVAILABLE, details: 'not yet' },
  });
  t.teardown(() => returned[Symbol.asyncDispose]());
  await eventually(() => returned.requests.length > 1);
  returned.refusal = undefined;
  const response = await answer;
  t.is(response.status, 200);
  await response.body?.cancel();
});

test('G5: an upstream error ends the stream, and the last event says so', async (t) => {
  const { read, proxy, metric } = await started(t);
  const stream = await read('?log');
  proxy.sendLines('a', 0, 1);
  await eventually(() => stream.text.endsWith('\n\n'));
  const { length } = stream.text;
  await proxy[Symbol.asyncDispose]();
  await once(stream.response, 'end');
  t.is(
    stream.text.slice(length),
    'event: closing\ndata: closing due to the end of the upstream stream\n\n',
  );
  t.is(metric('streams_ended', { reason: 'upstream' }), 1);
});

test('reads a proxy that answers nothing before its first batch, as the original', async (t) => {
  const { read, proxy } = await started(t, {}, { answersAtOnce: false });
  const stream = await read('?log');
  t.is(stream.response.statusCode, 200);
  proxy.sendLines('a', 0, 1);
  await eventually(() => stream.text.endsWith('\n\n'));
});

test('takes a proxy back that died and returned', async (t) => {
  const { gateway, proxy, tls } = await started(t);
  const { address } = proxy;
  await proxy[Symbol.asyncDispose]();
  const returned = await FakeEgress.listen({
    tls: tls.reverselogproxy,
    address,
    answersAtOnce: true,
  });
  t.teardown(() => returned[Symbol.asyncDispose]());
  await eventually(async () => {
    const response = await fetch(`http://${gateway.address}/v2/read?log`);
    await response.body?.cancel();
    return response.status === 200;
  });
  t.pass();
});

test('a batch that cannot be read is counted, and the stream goes on', async (t) => {
  const { read, proxy, metric } = await started(t);
  const stream = await read('?log');
  proxy.send(Buffer.from([0x0a, 0x09, 0x01]));
  proxy.sendLines('a', 0, 1);
  await eventually(() => stream.text.endsWith('\n\n'));
  t.is(stream.events(), 1);
  t.is(metric('malformed'), 1);
});

test('streams end when the gateway ends, and are told why', async (t) => {
  const { read, gateway } = await started(t);
  const stream = await read('?log');
  const ended = once(stream.response, 'end');
  await gateway[Symbol.asyncDispose]();
  await ended;
  t.is(stream.text, 'event: closing\ndata: closing due to shutdown\n\n');
});

test.serial('500 clients at once each get everything', async (t) => {
  const { read, proxy } = await started(t);
  const streams: Stream[] = [];
  while (streams.length < 500) {
    streams.push(...(await Promise.all(Array.from({ length: 20 }, () => read('?log')))));
  }
  for (let round = 0; round < 10; round += 1) proxy.sendLines('a', round, round + 1);
  await eventually(() => streams.every((stream) => stream.events() === 10));
  t.pass();
});

test('a query may name a thousand sources; one that is too long is refused and counted', async (t) => {
  const { read, gateway, proxy, metric } = await started(t);
  const sources = (count: number): string => `&source_id=${APP}`.repeat(count);
  await read(`?log${sources(1000)}`);
  t.is(proxy.requests[0]?.selectors?.length, 1000);
  const answer = await fetch(`http://${gateway.address}/v2/read?log${sources(1500)}`);
  t.is(answer.status, 431);
  t.is(metric('http_refused', { status: '431' }), 1);
});
