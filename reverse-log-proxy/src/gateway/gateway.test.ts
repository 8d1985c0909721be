import { once } from 'node:events';
import http from 'node:http';
import { status } from '@grpc/grpc-js';
import { readTls } from '@standpipe/plumbing';
import { eventually, spyLog, testTls } from '@standpipe/plumbing/testing';
import { encodeBatch, longOf, numberedLog } from '@standpipe/protos/testing';
import test, { type ExecutionContext } from 'ava';
import { FakeEgress, type FakeEgressOptions } from '../testing.ts';
import type { GatewayConfig } from './config.ts';
import { type Gateway, startGateway } from './gateway.ts';

test('G1: flushes its headers before any data', async (t) => {
  const { read } = await started(t);
  const { response } = await read('?log');
  t.is(response.statusCode, 200);
  t.is(response.headers['content-type'], 'text/event-stream');
  t.is(response.headers['cache-control'], 'no-cache');
  t.is(response.headers.connection, 'keep-alive');
});

test('G1: sends each batch as one data line of JSON and a blank line', async (t) => {
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
  const { read, proxy } = await started(t, { streamTimeoutMs: 200 });
  const stream = await read('?log');
  await once(stream.response, 'end');
  t.is(stream.text, 'event: closing\ndata: closing due to stream timeout\n\n');
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
];

for (const [method, path, code, body] of REFUSALS) {
  test(`G5: answers ${method} ${path} with ${code}`, async (t) => {
    const { gateway } = await started(t);
    const response = await fetch(`http://${gateway.address}${path}`, { method });
    t.is(response.status, code);
    t.is(await response.text(), body);
    t.is(response.headers.get('content-type'), 'text/plain; charset=utf-8');
    t.is(response.headers.get('x-content-type-options'), 'nosniff');
  });
}

const UNAVAILABLE =
  '{"message":"streaming is temporarily unavailable","error":"streaming_unavailable"}\n\n';

test('G5: answers 503 when there is no proxy', async (t) => {
  const { gateway, proxy } = await started(t);
  await proxy[Symbol.asyncDispose]();
  const response = await fetch(`http://${gateway.address}/v2/read?log`);
  t.is(response.status, 503);
  t.is(await response.text(), UNAVAILABLE);
});

test('G5: answers 503 when the proxy refuses, which the original cannot tell', async (t) => {
  const refusal = { code: status.RESOURCE_EXHAUSTED, details: 'max egress streams reached: 1' };
  const { gateway } = await started(t, {}, { refusal });
  const response = await fetch(`http://${gateway.address}/v2/read?log`);
  t.is(response.status, 503);
  t.is(await response.text(), UNAVAILABLE);
});

test("G5: ends the answer when the proxy's stream ends, and sends no event for it", async (t) => {
  const { read, proxy } = await started(t);
  const stream = await read('?log');
  proxy.sendLines('a', 0, 1);
  await eventually(() => stream.text.endsWith('\n\n'));
  const { length } = stream.text;
  await proxy[Symbol.asyncDispose]();
  await once(stream.response, 'end');
  t.is(stream.text.length, length);
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

test('a client that leaves leaves its shard at once', async (t) => {
  const { read, proxy, gateway } = await started(t);
  const stream = await read('?log&shard_id=s');
  t.is(proxy.calls.length, 1);
  stream.response.destroy();
  await eventually(() => proxy.calls.length === 0);
  await eventually(() => metricOf(gateway, 'streams') === 0);
});

test('a client that does not read stops the stream of the proxy, and nobody else’s', async (t) => {
  const { read, proxy, gateway } = await started(t);
  const slow = await read('?log', { reading: false });
  const other = await read('?log');
  const [stalled, free] = proxy.calls;
  const bytes = encodeBatch(Array.from({ length: 100 }, (_, n) => numberedLog('a', n)));
  let sent = 0;
  // The kernel, the gateway and the windows between take some; then the stream takes no more.
  await eventually(() => {
    for (let round = 0; round < 100; round += 1) {
      if (!stalled || stalled.writableNeedDrain) return true;
      stalled.write(bytes);
      sent += 1;
    }
    return false;
  });
  t.true(sent < 20_000);

  free?.write(bytes);
  await eventually(() => other.text.endsWith('\n\n'));
  slow.response.resume();
  await eventually(() => slow.events() === sent, { timeoutMs: 30_000 });
  t.is(metricOf(gateway, 'egress'), (sent + 1) * 100);
});

test('a batch that cannot be read is counted, and the stream goes on', async (t) => {
  const { read, proxy, gateway } = await started(t);
  const stream = await read('?log');
  proxy.send(Buffer.from([0x0a, 0x09, 0x01]));
  proxy.sendLines('a', 0, 1);
  await eventually(() => stream.text.endsWith('\n\n'));
  t.is(stream.events(), 1);
  t.is(metricOf(gateway, 'malformed'), 1);
});

test('streams end when the gateway ends', async (t) => {
  const { read, gateway } = await started(t);
  const stream = await read('?log');
  const ended = once(stream.response, 'end');
  await gateway[Symbol.asyncDispose]();
  await ended;
  t.is(stream.text, '');
});

test('fifty clients at once each get everything', async (t) => {
  const { read, proxy } = await started(t);
  const streams = await Promise.all(Array.from({ length: 50 }, () => read('?log')));
  for (let round = 0; round < 10; round += 1) proxy.sendLines('a', round, round + 1);
  await eventually(() => streams.every((stream) => stream.events() === 10));
  t.pass();
});

test('serves HTTPS, and refuses plain HTTP there', async (t) => {
  const { gateway, tls } = await started(t, {}, {}, true);
  const { ca } = readTls(tls.gateway);
  const https = await import('node:https');
  const request = https.get(`https://${gateway.address}/v2/read?x`, { ca, servername: 'gateway' });
  const [response] = await once(request, 'response');
  t.is(response.statusCode, 400);
  await t.throwsAsync(fetch(`http://${gateway.address}/v2/read?log`));
});

interface Stream {
  readonly response: http.IncomingMessage;
  /** What came so far. */
  readonly text: string;
  /** How many events came so far. */
  events(): number;
}

interface Started {
  readonly gateway: Gateway;
  readonly proxy: FakeEgress;
  readonly tls: Awaited<ReturnType<typeof certificates>>;
  read(query: string, options?: { reading?: boolean }): Promise<Stream>;
}

async function started(
  t: ExecutionContext,
  config: Partial<GatewayConfig> = {},
  proxyOptions: Partial<FakeEgressOptions> = {},
  isSecure = false,
): Promise<Started> {
  const tls = await certificates();
  const proxy = await FakeEgress.listen({
    tls: tls.reverselogproxy,
    answersAtOnce: true,
    ...proxyOptions,
  });
  const gateway = await startGateway(
    {
      address: '127.0.0.1:0',
      https: isSecure ? tls.gateway : undefined,
      proxyAddress: proxy.address,
      proxyName: 'reverselogproxy',
      tls: tls.gateway,
      streamTimeoutMs: 60_000,
      heartbeatMs: 15_000,
      access: undefined,
      observability: { metricsPort: 0, statsdAddress: '', metricsIntervalMs: 60_000 },
      ...config,
    },
    spyLog(),
  );
  const agent = new http.Agent();
  t.teardown(async () => {
    agent.destroy();
    await gateway[Symbol.asyncDispose]();
    await proxy[Symbol.asyncDispose]();
  });

  const read: Started['read'] = async (query, { reading = true } = {}) => {
    const before = proxy.calls.length;
    const request = http.get(`http://${gateway.address}/v2/read${query}`, { agent });
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    response.on('error', () => {}); // It is cut when a test ends.
    await eventually(() => proxy.calls.length > before || query.includes('x'));
    let text = '';
    response.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    if (!reading) response.pause();
    return {
      response,
      get text() {
        return text;
      },
      events: () => text.split('\n\n').length - 1,
    };
  };
  return { gateway, proxy, tls, read };
}

function certificates() {
  return testTls('reverselogproxy', 'gateway');
}

function metricOf({ metrics }: Gateway, name: string): number {
  let sum = 0;
  for (const series of metrics.series()) if (series.name === name) sum += series.value;
  return sum;
}
