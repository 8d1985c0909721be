import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { handleClientStreamingCall } from '@grpc/grpc-js';
import { createLogCache } from '@standpipe/log-cache';
import { listenGrpc, Metrics, readTls, staticMembers } from '@standpipe/plumbing';
import { eventually, spyLog, testTls } from '@standpipe/plumbing/testing';
import { Batch, ingressService, loggregator, scanBatch } from '@standpipe/protos';
import { encodeBatch, numberedLog } from '@standpipe/protos/testing';
import test, { type ExecutionContext } from 'ava';
import { WebSocket } from 'ws';
import { readConfig } from './config.ts';
import { KEEP_ALIVE_TEXT } from './consumer.ts';
import { EVENT_TITLE } from './slow-consumer-event.ts';
import { ask, FakeDoppler, openSettings } from './testing.ts';
import {
  type Overrides,
  startTrafficController,
  type TrafficController,
} from './traffic-controller.ts';

const GUID = '73467cc3-261a-472e-80e8-d6eadfd30d98';

test('an app stream asks the Doppler for that app alone, and hands its bytes on unchanged', async (t) => {
  const { controller, doppler } = await start(t);
  const { received } = await connect(t, controller, `/apps/${GUID}/stream`);
  const stream = await doppler.opened();
  t.is(stream.request.shardID, '');
  t.is(stream.request.filter?.appID, GUID);
  const bytes = Buffer.from([0, 1, 2, 255, 254]);
  stream.send([bytes]);
  await eventually(() => received.length === 1);
  t.deepEqual(received[0], bytes);
});

const filters: readonly (readonly [query: string, filter: 'log' | 'metric' | undefined])[] = [
  ['?filter-type=logs', 'log'],
  ['?filter-type=metrics', 'metric'],
  ['?filter-type=others', undefined],
  ['?', undefined],
  ['', undefined],
];
test('an app stream may be of `system`, where the metrics of v1 that name no app go', async (t) => {
  const { controller, doppler } = await start(t);
  await connect(t, controller, '/apps/system/stream');
  t.is((await doppler.opened()).request.filter?.appID, 'system');
});

for (const [query, filter] of filters) {
  test(`/firehose/my@id${query} asks for ${filter ?? 'everything'} under its id`, async (t) => {
    const { controller, doppler } = await start(t);
    await connect(t, controller, `/firehose/my@id${query}`);
    const { request } = await doppler.opened();
    t.is(request.shardID, 'my@id');
    t.deepEqual(
      [Boolean(request.filter?.log), Boolean(request.filter?.metric)],
      [filter === 'log', filter === 'metric'],
    );
  });
}

test('one binary message for each envelope, of any size, over TLS; and requests are in the access log', async (t) => {
  const { gateway } = await testTls('gateway');
  const folder = mkdtempSync(join(tmpdir(), 'traffic-controller-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const accessLog = join(folder, 'access.log');
  const { controller, doppler } = await start(
    t,
    {},
    {
      TRAFFIC_CONTROLLER_OUTGOING_CERT_FILE: gateway.cert,
      TRAFFIC_CONTROLLER_OUTGOING_KEY_FILE: gateway.key,
      TRAFFIC_CONTROLLER_SECURITY_EVENT_LOG: accessLog,
    },
  );
  const options = { ca: readFileSync(gateway.ca), servername: 'gateway' };
  const client = new WebSocket(`wss://${controller.address}/firehose/a`, options);
  t.teardown(() => client.terminate());
  const lengths: number[] = [];
  client.on('message', (data: Buffer) => lengths.push(data.length));
  const stream = await doppler.opened();
  const sizes = [0, 100, 70_000, 1_000_000];
  stream.send(sizes.map((size) => Buffer.alloc(size)));
  await eventually(() => lengths.length === sizes.length);
  t.deepEqual(lengths, sizes);
  await eventually(() => /\|GET \/firehose\/a\|/.test(readFileSync(accessLog, 'utf8')));
});

test('closing the websocket ends the streams of that consumer and of no other', async (t) => {
  const { controller, doppler } = await start(t);
  const leaver = await connect(t, controller, '/firehose/a');
  await doppler.opened();
  const stays = await connect(t, controller, '/firehose/b');
  await doppler.opened(1);
  leaver.client.close();
  await eventually(() => doppler.open.length === 1);
  t.is(doppler.open[0]?.request.shardID, 'b');
  doppler.open[0]?.send(['still']);
  await eventually(() => stays.received.length === 1);
});

test('numbered envelopes of two Dopplers arrive exactly once, each in its order', async (t) => {
  const { controller, doppler, other } = await start(t);
  const { received } = await connect(t, controller, '/firehose/a');
  const streams = [await doppler.opened(), await other.opened()];
  for (let n = 0; n < 2000; n += 1) {
    for (const [index, stream] of streams.entries()) {
      const numbered = Array.from({ length: 5 }, (_, k) => `${index} ${n * 5 + k}`);
      if (!stream.send(numbered)) await new Promise((resolve) => setImmediate(resolve));
    }
  }
  await eventually(() => received.length === 20_000);
  for (const index of [0, 1]) {
    const own = received.map(String).filter((text) => text.startsWith(`${index} `));
    t.deepEqual(
      own,
      Array.from({ length: 10_000 }, (_, n) => `${index} ${n}`),
    );
  }
});

test('a Doppler whose stream fails, or that dies and returns, closes no websocket', async (t) => {
  const { controller, doppler, other, tls } = await start(t);
  const { client, received } = await connect(t, controller, '/firehose/a');
  (await doppler.opened()).end(new Error('not today'));
  await eventually(() => doppler.subscriptions.length === 2);
  await doppler[Symbol.asyncDispose]();
  (await other.opened()).send(['meanwhile']);
  await eventually(() => received.length === 1);

  const back = await FakeDoppler.listen(tls, doppler.address);
  t.teardown(() => back[Symbol.asyncDispose]());
  (await back.opened()).send(['again']);
  await eventually(() => received.length === 2);
  t.is(client.readyState, WebSocket.OPEN);
});

test('a client that never pongs is closed with 1008, and no other is', async (t) => {
  const { controller } = await start(t, { limits: { pongWithinMs: 1500 } });
  const silent = await connect(t, controller, '/firehose/a', { autoPong: false });
  const polite = await connect(t, controller, '/firehose/b');
  const [code, reason] = (await once(silent.client, 'close')) as [number, Buffer];
  t.deepEqual([code, reason.toString()], [1008, KEEP_ALIVE_TEXT]);
  t.is(polite.client.readyState, WebSocket.OPEN);
});

test('a slow consumer is counted, told to the agent and closed; others lose nothing', async (t) => {
  const agent = await FakeAgent.listen();
  t.teardown(() => agent[Symbol.asyncDispose]());
  const { controller, doppler } = await start(
    t,
    { limits: { slowAfterMs: 100 } },
    { AGENT_GRPC_ADDRESS: agent.address },
  );
  const headers = { 'X-Forwarded-For': '10.1.2.3' };
  const slow = await connect(t, controller, '/firehose/slow', { headers });
  const slowStream = await doppler.opened();
  const quick = await connect(t, controller, '/firehose/quick');
  const quickStream = await doppler.opened(1);

  slow.client.pause();
  const closed = once(slow.client, 'close');
  const payloads = Array.from({ length: 100 }, () => Buffer.alloc(1000));
  let sent = 0;
  while (slowStream.open) {
    if (slowStream.send(payloads)) sent += 100;
    await new Promise((resolve) => setImmediate(resolve));
  }
  const { title, body } = await eventually(() => agent.events[0] ?? undefined).then(orFail);
  t.is(title, EVENT_TITLE);
  const { tags, deprecated_tags, source_id } = agent.envelopes.find(({ event }) => event) ?? {};
  t.deepEqual([tags, deprecated_tags, source_id], [{}, {}, 'traffic_controller']);
  t.regex(
    body,
    /^Remote Address: 127\.0\.0\.1:\d+\nX-Forwarded-For: 10\.1\.2\.3\nPath: \/firehose\/slow\n/,
  );
  t.is(count(controller, 'doppler_proxy.slow_consumer'), 1);
  t.true(sent > 1000);

  slow.client.resume();
  const [code, reason] = (await closed) as [number, Buffer];
  t.is(code, 1000);
  t.regex(reason.toString(), /slow consumer/);
  quickStream.send(['quick']);
  await eventually(() => quick.received.length === 1);
  t.is(
    count(controller, 'ingress'),
    count(controller, 'egress', 'firehose') + count(controller, 'dropped', 'slow_consumer'),
  );
});

test('its metrics reach the agent under the names, units and tags of the original', async (t) => {
  const agent = await FakeAgent.listen();
  t.teardown(() => agent[Symbol.asyncDispose]());
  const vars = {
    AGENT_GRPC_ADDRESS: agent.address,
    TRAFFIC_CONTROLLER_METRIC_EMITTER_INTERVAL: '100ms',
  };
  const { controller } = await start(t, {}, vars);
  await connect(t, controller, '/firehose/a');
  const unitOf = (name: string): unknown =>
    agent.envelopes.findLast(({ gauge }) => gauge?.metrics?.[name]?.value)?.gauge?.metrics?.[name]
      ?.unit;
  await eventually(() => unitOf('doppler_proxy.firehoses') === 'connections');

  const told = (): string[] =>
    agent.envelopes.flatMap(({ counter, gauge, deprecated_tags: tags }) =>
      [counter?.name ?? '', ...Object.keys(gauge?.metrics ?? {})].map((name) => {
        const texts = Object.entries(tags).map(([tag, { text }]) => `${tag}=${text}`);
        return [name, ...texts].join(' ');
      }),
    );
  const wanted = [
    'ingress origin=O metric_version=2.0 protocol=grpc',
    'egress origin=O metric_version=2.0 endpoint=firehose',
    'egress origin=O metric_version=2.0 endpoint=stream',
    'doppler_proxy.firehoses origin=O metric_version=2.0',
    'doppler_proxy.app_streams origin=O metric_version=2.0',
    'doppler_proxy.slow_consumer origin=O metric_version=2.0',
  ].map((one) => one.replace('=O', '=loggregator.trafficcontroller'));
  await eventually(() => wanted.every((one) => told().includes(one)));
  t.true(agent.envelopes.every(({ source_id }) => source_id === 'traffic_controller'));
});

test('500 consumers all get everything, and are counted while they are there', async (t) => {
  const { controller, doppler } = await start(t);
  const consumers = await Promise.all(
    Array.from({ length: 500 }, (_, n) => connect(t, controller, `/firehose/${n}`)),
  );
  await eventually(() => doppler.open.length === 500);
  t.is(count(controller, 'doppler_proxy.firehoses'), 500);
  for (const stream of doppler.open) stream.send(['one', 'two']);
  await eventually(() => consumers.every(({ received }) => received.length === 2));
  t.is(count(controller, 'egress', 'firehose'), 1000);
  for (const { client } of consumers) client.close();
  await eventually(() => count(controller, 'doppler_proxy.firehoses') === 0);
  await eventually(() => doppler.open.length === 0);
});

test('half a handshake, headers without an end and bytes that are no HTTP disturb nobody', async (t) => {
  const { controller, doppler } = await start(t);
  const { received } = await connect(t, controller, '/firehose/a');
  const stream = await doppler.opened();
  const rows: readonly (readonly [what: string, bytes: string, answer: RegExp])[] = [
    ['half', 'GET /firehose/x HTTP/1.1\r\nUpgrade: webs', /^HTTP\/1\.1 408 /],
    ['endless', `GET / HTTP/1.1\r\nX: ${'x'.repeat(80_000)}`, /^HTTP\/1\.1 431 /],
    ['garbage', '\x16\x03\x01\x00\x00no HTTP\r\n\r\n', /^HTTP\/1\.1 400 /],
    ['NUL', 'GET /firehose/\0 HTTP/1.1\r\n\r\n', /^HTTP\/1\.1 400 /],
    [
      'two lengths',
      'POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n',
      /^.* 400 /,
    ],
  ];
  const answers = rows.map(async ([what, bytes, expected]) => {
    t.regex(await sayRaw(controller.address, bytes), expected, what);
  });
  for (let n = 0; n < 100; n += 1) {
    stream.send([`${n}`]);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await Promise.all(answers);
  await eventually(() => received.length === 100);
});

test('egress is counted by door, and so are connections', async (t) => {
  const { controller, doppler } = await start(t);
  const app = await connect(t, controller, `/apps/${GUID}/stream`);
  (await doppler.opened()).send(['one', 'two', 'three']);
  await eventually(() => app.received.length === 3);
  t.is(count(controller, 'egress', 'stream'), 3);
  t.is(count(controller, 'egress', 'firehose'), 0);
  t.is(count(controller, 'doppler_proxy.app_streams'), 1);
  t.is(count(controller, 'dopplers'), 2);
  const { body } = await ask(`127.0.0.1:${controller.metricsPort}`, '/metrics');
  t.regex(body, /^egress\{.*endpoint="stream".*\} 3$/m);
});

test('at the end everybody gets what waits and a close frame, within seconds', async (t) => {
  const { controller, doppler } = await start(t);
  const consumers = await Promise.all([
    connect(t, controller, '/firehose/a'),
    connect(t, controller, `/apps/${GUID}/stream`),
  ]);
  await doppler.opened(1);
  for (const stream of doppler.open) stream.send(['last words']);
  await eventually(() => count(controller, 'ingress') === 2);
  const closes = consumers.map(({ client }) => once(client, 'close'));
  await controller[Symbol.asyncDispose]();
  for (const [index, close] of closes.entries()) {
    const [code] = (await close) as [number];
    t.is(code, 1001);
    t.deepEqual(consumers[index]?.received.map(String), ['last words']);
  }
  await t.throwsAsync(ask(controller.address, '/'), { code: 'ECONNREFUSED' });
});

test('a client that reads nothing does not hold up the end', async (t) => {
  const { controller, doppler } = await start(t, { drainMs: 100 });
  const { client } = await connect(t, controller, '/firehose/a');
  client.pause();
  const stream = await doppler.opened();
  const waiting = () => count(controller, 'ingress') - count(controller, 'egress', 'firehose');
  while (waiting() < 1000) {
    stream.send(Array.from({ length: 100 }, () => Buffer.alloc(1000)));
    await new Promise((resolve) => setImmediate(resolve));
  }
  await controller[Symbol.asyncDispose]();
  t.is(
    count(controller, 'ingress'),
    count(controller, 'egress', 'firehose') + count(controller, 'dropped', 'shutdown'),
  );
});

test('it serves while no Doppler can be reached', async (t) => {
  const { controller, doppler, other } = await start(t);
  await doppler[Symbol.asyncDispose]();
  await other[Symbol.asyncDispose]();
  const { client } = await connect(t, controller, '/firehose/a');
  t.is(client.readyState, WebSocket.OPEN);
});

test('/api/v1 reads what the Dopplers keep, and follows it until it ends', async (t) => {
  const { doppler: tls } = await testTls({ name: 'doppler', dns: ['log-cache'] });
  const metrics = new Metrics({ origin: 'test' });
  const members = staticMembers([]);
  const options = { members, zone: 'a', index: 0, tls: readTls(tls), metrics, log: spyLog() };
  const cache = createLogCache(options);
  const batch = new Batch();
  t.true(scanBatch(encodeBatch([numberedLog('an-app', 7)]), batch));
  cache.put(batch);
  const node = await listenGrpc({
    address: '127.0.0.1:0',
    tls: readTls(tls),
    log: spyLog(),
    services: cache.services,
  });
  t.teardown(async () => {
    await node[Symbol.asyncDispose]();
    await cache[Symbol.asyncDispose]();
  });
  const { controller } = await start(t, {}, { ROUTER_ADDRS: node.address });
  const { status, body } = await ask(controller.address, '/api/v1/read/an-app?start_time=0');
  t.is(status, 200);
  const [envelope] = JSON.parse(body).envelopes.batch;
  t.is(Buffer.from(envelope.log.payload, 'base64').toString(), 'line 7');

  const request = http.get(`http://${controller.address}/api/v1/tail/an-app?start_time=0`);
  const [tail] = (await once(request, 'response')) as [http.IncomingMessage];
  let events = '';
  tail.on('data', (part) => {
    events += part;
  });
  await eventually(() => events.includes('"envelopes"'));
  t.true(scanBatch(encodeBatch([numberedLog('an-app', 8)]), batch));
  cache.put(batch);
  await eventually(() => events.split('"envelopes"').length === 3);
  const ended = once(tail, 'end');
  await controller[Symbol.asyncDispose]();
  await ended;
});

test('/v2/read is what the gateway says, as it says it, until either side goes', async (t) => {
  const gateway = new FakeGateway();
  gateway.server.listen(0, '127.0.0.1');
  await once(gateway.server, 'listening');
  t.teardown(() => gateway.server.close());
  const { port } = gateway.server.address() as AddressInfo; // It listens on TCP.
  const { controller } = await start(t, {}, { LOG_STREAM_ADDR: `127.0.0.1:${port}` });

  const request = http.get(`http://${controller.address}/v2/read?log&shard_id=a`);
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  t.is(response.statusCode, 200);
  t.is(response.headers['content-type'], 'text/event-stream');
  const [first] = (await once(response, 'data')) as [Buffer];
  t.is(first.toString(), 'data: {"batch":[]}\n\n');
  t.deepEqual(gateway.urls, ['/v2/read?log&shard_id=a']);
  request.destroy();
  await eventually(() => gateway.gone === 1);

  const refused = await ask(controller.address, '/v2/read');
  t.deepEqual([refused.status, refused.body], [404, 'no kind']);
});

/** An agent that keeps what it is sent. */
class FakeAgent implements AsyncDisposable {
  readonly envelopes: loggregator.v2.Envelope[] = [];
  address = '';
  #stop: () => PromiseLike<void> = () => Promise.resolve();

  static async listen(): Promise<FakeAgent> {
    const agent = new FakeAgent();
    const { metron } = await testTls('metron');
    const listener = await listenGrpc({
      address: '127.0.0.1:0',
      tls: readTls(metron),
      log: spyLog(),
      drainMs: 0,
      services: [{ definition: ingressService, implementation: agent.#implementation() }],
    });
    agent.address = listener.address;
    agent.#stop = () => listener[Symbol.asyncDispose]();
    return agent;
  }

  get events(): loggregator.v2.IEvent[] {
    return this.envelopes.flatMap(({ event }) => event ?? []);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stop();
  }

  #implementation(): Record<string, handleClientStreamingCall<Buffer, Buffer>> {
    const unused = (): void => undefined;
    return {
      send: unused,
      batchSender: unused,
      sender: (call, answer) => {
        call.on('data', (bytes: Buffer) => {
          this.envelopes.push(loggregator.v2.Envelope.decode(bytes));
        });
        call.on('end', () => answer(null, Buffer.alloc(0)));
        call.on('error', unused);
      },
    };
  }
}

class FakeGateway {
  readonly urls: (string | undefined)[] = [];
  gone = 0;
  readonly server = http.createServer((request, response) => {
    if (!request.url?.includes('log')) {
      response.writeHead(404).end('no kind');
      return;
    }
    this.urls.push(request.url);
    response.writeHead(200, { 'Content-Type': 'text/event-stream' });
    response.write('data: {"batch":[]}\n\n');
    response.on('close', () => {
      this.gone += 1;
    });
  });
}

interface Started {
  readonly controller: TrafficController;
  readonly doppler: FakeDoppler;
  readonly other: FakeDoppler;
  readonly tls: Awaited<ReturnType<typeof testTls>>['doppler'];
}

async function start(
  t: ExecutionContext,
  overrides: Overrides = {},
  vars: Readonly<Record<string, string>> = {},
): Promise<Started> {
  const { doppler: tls } = await testTls('doppler');
  const [doppler, other] = [await FakeDoppler.listen(tls), await FakeDoppler.listen(tls)];
  const settings = { ...(await openSettings([doppler, other])), ...vars };
  const controller = await startTrafficController(readConfig(settings), {
    log: spyLog(),
    ...overrides,
  });
  t.teardown(async () => {
    await controller[Symbol.asyncDispose]();
    await doppler[Symbol.asyncDispose]();
    await other[Symbol.asyncDispose]();
  });
  return { controller, doppler, other, tls };
}

async function connect(
  t: ExecutionContext,
  { address }: TrafficController,
  path: string,
  options: WebSocket.ClientOptions = {},
): Promise<{ readonly client: WebSocket; readonly received: Buffer[] }> {
  const client = new WebSocket(`ws://${address}${path}`, options);
  t.teardown(() => client.terminate());
  const received: Buffer[] = [];
  client.on('message', (data: Buffer) => received.push(data));
  await once(client, 'open');
  return { client, received };
}

/** Says it on a connection of its own, and resolves with what came when that is closed. */
async function sayRaw(address: string, bytes: string): Promise<string> {
  const [host, port] = address.split(':');
  const client = net.connect({ host, port: Number(port) });
  let answer = '';
  client.on('data', (part) => {
    answer += part;
  });
  client.write(bytes);
  await once(client, 'close');
  return answer;
}

function count({ metrics }: TrafficController, name: string, label?: string): number {
  for (const series of metrics.series()) {
    const labels = Object.values(series.labels);
    if (series.name === name && (label === undefined || labels.includes(label))) {
      return series.value;
    }
  }
  throw new Error(`there is no metric ${name}`);
}

function orFail<T>(value: T | undefined): T & { title: string; body: string } {
  if (value === undefined) throw new Error('eventually gives nothing that is not there');
  return value as T & { title: string; body: string }; // An event has both.
}
