import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { Metrics } from '@standpipe/plumbing';
import { eventually, ManualClock } from '@standpipe/plumbing/testing';
import { plumbing } from '@standpipe/protos';
import test, { type ExecutionContext } from 'ava';
import { type ClientOptions, WebSocket, WebSocketServer } from 'ws';
import {
  CONSUMER_LIMITS,
  Consumer,
  GOING_AWAY_TEXT,
  KEEP_ALIVE_TEXT,
  type Peer,
  WEBSOCKET_OPTIONS,
} from './consumer.ts';
import { PIECE_BYTES } from './frames.ts';
import { type TrafficControllerMetrics, trafficControllerMetrics } from './metrics.ts';
import type { Subscription } from './upstream.ts';

test('pings at once, and again 15 s after each pong', async (t) => {
  const { clock, consumer, client, pings } = await connect(t);
  await eventually(() => pings() === 1);
  await answered(client, consumer);
  await clock.advance(14_999);
  consumer.tick();
  await answered(client, consumer);
  t.is(pings(), 1);
  await clock.advance(1);
  consumer.tick();
  await eventually(() => pings() === 2);
});

test('answered pings keep it open', async (t) => {
  const { clock, consumer, client, pings } = await connect(t);
  for (let ping = 1; ping <= 5; ping += 1) {
    await eventually(() => pings() === ping);
    await answered(client, consumer);
    await clock.advance(15_000);
    consumer.tick();
  }
  t.is(client.readyState, WebSocket.OPEN);
});

test('closes with 1008 and the known text for the keep-alive alone: when no pong comes within 30 s', async (t) => {
  const { clock, consumer, client, counters, subscription } = await connect(t, { autoPong: false });
  const closed = closeOf(client);
  await clock.advance(29_999);
  consumer.tick();
  t.is(client.readyState, WebSocket.OPEN);
  await clock.advance(1);
  consumer.tick();
  t.deepEqual(await closed, [1008, KEEP_ALIVE_TEXT]);
  t.is(counters.keepAliveFailures.value, 1);
  t.true(subscription.cancelled);
});

test('sends each envelope once, in order, and counts it by its door', async (t) => {
  const { consumer, client, counters } = await connect(t);
  const received = collect(client);
  for (let n = 0; n < 1000; n += 10) consumer.accept(numbered(n, 10));
  await eventually(() => received.length === 1000);
  t.deepEqual(received, numbers(1000));
  t.deepEqual(
    [counters.ingress.value, counters.egress.firehose.value, counters.egress.stream.value],
    [1000, 1000, 0],
  );
});

test('what arrives in one turn leaves in one write', async (t) => {
  const { consumer, client, writes } = await connect(t);
  const received = collect(client);
  const before = writes();
  for (let n = 0; n < 50; n += 5) consumer.accept(numbered(n, 5));
  await eventually(() => received.length === 50);
  t.is(writes() - before, 1);
});

test('reads no more when a slow client fills the queue, and goes on when it reads', async (t) => {
  const { consumer, client, connection, subscription, counters } = await connect(t);
  const received = collect(client);
  client.pause();
  let sent = 0;
  let highest = 0;
  while (!subscription.paused) {
    consumer.accept(numbered(sent, 50, 1000));
    sent += 50;
    await turn();
    highest = Math.max(highest, connection.writableLength);
  }
  t.true(highest <= CONSUMER_LIMITS.socketBytes + PIECE_BYTES + 1000);
  t.true(sent - counters.egress.firehose.value <= CONSUMER_LIMITS.queueEnvelopes + 50);

  client.resume();
  await eventually(() => !subscription.paused);
  await eventually(() => received.length === sent);
  t.deepEqual(received, numbers(sent));
});

test('a slow consumer, which takes nothing for 5 s, is closed with 1000 and a reason, and counted', async (t) => {
  const { clock, consumer, client, subscription, counters, slow } = await connect(t);
  const closed = closeOf(client);
  client.pause();
  await fill(consumer, subscription);
  await clock.advance(4999);
  consumer.tick();
  t.is(counters.slowConsumers.value, 0);
  await clock.advance(1);
  consumer.tick();
  t.is(counters.slowConsumers.value, 1);
  t.true(subscription.cancelled);
  t.deepEqual(slow, [consumer.peer]);

  client.resume();
  t.deepEqual(await closed, [1000, 'slow consumer: envelopes waited 5 s for this connection']);
  t.true(counters.dropped.slow_consumer.value > 0);
  t.is(
    counters.ingress.value,
    counters.egress.firehose.value + counters.dropped.slow_consumer.value,
  );
});

test('a slow client that does not take the close frame either is cut off', async (t) => {
  const { clock, consumer, client, connection, subscription } = await connect(t);
  client.pause();
  await fill(consumer, subscription);
  await clock.advance(5000);
  consumer.tick();
  await clock.advance(4999);
  consumer.tick();
  t.false(connection.destroyed);
  await clock.advance(1);
  consumer.tick();
  await consumer.gone;
  t.true(connection.destroyed);
});

test('a client that takes a little in every 5 s is not slow', async (t) => {
  const { clock, consumer, client, subscription, counters } = await connect(t);
  client.pause();
  await fill(consumer, subscription);
  for (let step = 0; step < 4; step += 1) {
    await clock.advance(4000);
    const written = counters.egress.firehose.value;
    client.resume();
    await eventually(() => counters.egress.firehose.value > written);
    client.pause();
    await fill(consumer, subscription);
    consumer.tick();
  }
  t.is(counters.slowConsumers.value, 0);
  t.is(client.readyState, WebSocket.OPEN);
});

test('a busy client that leaves by itself is no slow consumer, and its streams end at once', async (t) => {
  const { clock, consumer, client, subscription, counters } = await connect(t);
  client.pause();
  await fill(consumer, subscription);
  client.terminate();
  await consumer.gone;
  t.true(subscription.cancelled);
  await clock.advance(60_000);
  consumer.tick();
  t.is(counters.slowConsumers.value, 0);
  t.is(
    counters.ingress.value,
    counters.egress.firehose.value + counters.dropped.disconnected.value,
  );
});

test("echoes the client's close and ends its streams", async (t) => {
  const { consumer, client, subscription } = await connect(t);
  client.close(4321, 'enough');
  t.deepEqual(await closeOf(client), [4321, 'enough']);
  await consumer.gone;
  t.true(subscription.cancelled);
});

test('what comes after the client has closed is dropped and counted', async (t) => {
  const { consumer, client, counters } = await connect(t);
  client.close();
  await consumer.gone;
  consumer.accept(numbered(0, 7));
  t.deepEqual([counters.ingress.value, counters.dropped.disconnected.value], [7, 7]);
});

test('reads frames of the client and throws them away', async (t) => {
  const { consumer, client } = await connect(t);
  const received = collect(client);
  client.send('hello');
  client.send(Buffer.alloc(60_000));
  consumer.accept(numbered(0, 1));
  await eventually(() => received.length === 1);
  t.is(client.readyState, WebSocket.OPEN);
});

test('closes with 1009 when a frame of the client is longer than it may be', async (t) => {
  const { client } = await connect(t);
  client.send(Buffer.alloc(70_000));
  const [code] = await closeOf(client);
  t.is(code, 1009);
});

test('answers the pings of a client, but fills no memory for one that reads no answers', async (t) => {
  const { client, connection } = await connect(t);
  client.ping('hello');
  const [data] = (await once(client, 'pong')) as [Buffer];
  t.is(data.toString(), 'hello');

  client.pause();
  let highest = 0;
  for (let quiet = 0; quiet < 100; quiet += 1) {
    for (let n = 0; n < 2000; n += 1) client.ping(Buffer.alloc(125));
    await turn();
    highest = Math.max(highest, connection.writableLength);
  }
  await eventually(() => client.bufferedAmount === 0);
  highest = Math.max(highest, connection.writableLength);
  t.true(highest <= CONSUMER_LIMITS.socketBytes + 1000);
});

/** What a client may send that RFC 6455 forbids, as bytes. */
const garbage: readonly (readonly [what: string, bytes: number[], code: number])[] = [
  ['a frame that is not masked', [0x82, 0x01, 0x41], 1002],
  ['a reserved kind of frame', [0x83, 0x80, 0, 0, 0, 0], 1002],
  ['reserved bits', [0xf2, 0x80, 0, 0, 0, 0], 1002],
  ['a continuation of nothing', [0x80, 0x80, 0, 0, 0, 0], 1002],
  ['a ping in pieces', [0x09, 0x80, 0, 0, 0, 0], 1002],
  ['a text that is not UTF-8', [0x81, 0x81, 0, 0, 0, 0, 0xff], 1007],
  ['a close with half a code', [0x88, 0x81, 0, 0, 0, 0, 0x03], 1002],
  [
    'a length that nobody has room for',
    [0x82, 0xff, 0x7f, 255, 255, 255, 255, 255, 255, 255],
    1009,
  ],
];
for (const [what, bytes, code] of garbage) {
  test(`closes with ${code} when a client sends ${what}`, async (t) => {
    const { consumer, client, subscription, counters } = await connect(t);
    rawOf(client).write(Buffer.from(bytes));
    const [closed] = await closeOf(client);
    t.is(closed, code);
    rawOf(client).destroy();
    await consumer.gone;
    t.true(subscription.cancelled);
    t.is(counters.badFrames.value, 1);
  });
}

test('a message of the client may come in pieces', async (t) => {
  const { consumer, client } = await connect(t);
  const received = collect(client);
  for (const fin of [false, false, true]) client.send('piece', { fin });
  consumer.accept(numbered(0, 1));
  await eventually(() => received.length === 1);
  await answered(client, consumer);
  t.is(client.readyState, WebSocket.OPEN);
});

test('leaves out what is no batch, counts it, and goes on', async (t) => {
  const { consumer, client, counters, malformed } = await connect(t);
  const received = collect(client);
  consumer.accept(Buffer.from('no batch'));
  consumer.accept(numbered(0, 2));
  await eventually(() => received.length === 2);
  t.deepEqual([counters.malformed.value, counters.ingress.value, malformed.length], [1, 2, 1]);
});

test('at the end, what waits is sent before the close frame 1001', async (t) => {
  const { consumer, client, subscription, counters } = await connect(t);
  const received = collect(client);
  const closed = closeOf(client);
  client.pause();
  const sent = await fill(consumer, subscription);
  consumer.drain();
  t.true(subscription.cancelled);
  client.resume();
  t.deepEqual(await closed, [1001, GOING_AWAY_TEXT]);
  t.deepEqual(received, numbers(sent));
  t.is(counters.dropped.shutdown.value, 0);
});

test('a drain that is cut drops what waits, and counts it', async (t) => {
  const { consumer, client, subscription, counters } = await connect(t);
  client.pause();
  await fill(consumer, subscription);
  consumer.drain();
  consumer.cut();
  await consumer.gone;
  t.is(counters.ingress.value, counters.egress.firehose.value + counters.dropped.shutdown.value);
  t.true(counters.dropped.shutdown.value > 0);
});

class SpySubscription implements Subscription {
  paused = false;
  cancelled = false;
  pause(): void {
    this.paused = true;
  }
  resume(): void {
    this.paused = false;
  }
  [Symbol.dispose](): void {
    this.cancelled = true;
  }
}

interface Connected {
  readonly clock: ManualClock;
  readonly consumer: Consumer;
  readonly client: WebSocket;
  readonly connection: Duplex;
  readonly subscription: SpySubscription;
  readonly counters: TrafficControllerMetrics;
  readonly slow: Peer[];
  readonly malformed: Peer[];
  readonly pings: () => number;
  readonly writes: () => number;
}

async function connect(t: ExecutionContext, options: ClientOptions = {}): Promise<Connected> {
  const clock = new ManualClock(1_000_000);
  const counters = trafficControllerMetrics(new Metrics({ origin: 'test' }));
  const subscription = new SpySubscription();
  const slow: Peer[] = [];
  const malformed: Peer[] = [];
  let writes = 0;
  const server = http.createServer();
  const websockets = new WebSocketServer(WEBSOCKET_OPTIONS);
  const entered = new Promise<{ consumer: Consumer; connection: Duplex }>((resolve) => {
    server.on('upgrade', (request, connection: Duplex, head) => {
      websockets.handleUpgrade(request, connection, head, (socket) => {
        const write = connection.write.bind(connection) as (...args: unknown[]) => boolean;
        connection.write = (...args: unknown[]) => {
          writes += 1;
          return write(...args);
        };
        const peer = { door: 'firehose', path: '/firehose/a', remoteAddress: '', forwardedFor: '' };
        const consumer = new Consumer({
          socket,
          connection,
          peer: peer as Peer, // A literal that widened.
          limits: CONSUMER_LIMITS,
          metrics: counters,
          clock,
          onSlow: (peer) => slow.push(peer),
          onMalformed: (peer) => malformed.push(peer),
        });
        consumer.attach(subscription);
        resolve({ consumer, connection });
      });
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo; // It listens on TCP.

  const client = new WebSocket(`ws://127.0.0.1:${port}/`, options);
  let pings = 0;
  client.on('ping', () => {
    pings += 1;
  });
  t.teardown(() => {
    client.terminate();
    server.close();
  });
  await once(client, 'open');
  const base = { clock, client, subscription, counters, slow, malformed };
  return { ...base, ...(await entered), pings: () => pings, writes: () => writes };
}

/** Gives until the queue is full, and says how many envelopes that took. */
async function fill(consumer: Consumer, subscription: SpySubscription): Promise<number> {
  let sent = 0;
  while (!subscription.paused) {
    consumer.accept(numbered(sent, 50, 1000));
    sent += 50;
    await turn();
  }
  return sent;
}

/** The server has had the client's pong when it has what the client sends after it. */
async function answered(client: WebSocket, consumer: Consumer): Promise<void> {
  const received = collect(client);
  client.ping();
  await once(client, 'pong');
  consumer.accept(numbered(0, 1));
  await eventually(() => received.length > 0);
}

function numbered(first: number, count: number, length = 0): Buffer {
  const payload = Array.from({ length: count }, (_, index) =>
    Buffer.from(`${first + index} `.padEnd(length, 'x')),
  );
  return Buffer.from(plumbing.BatchResponse.encode({ payload }).finish());
}

/** The connection under a client, for bytes that it would not send. */
function rawOf(client: WebSocket): Duplex {
  return (client as unknown as { readonly _socket: Duplex })._socket; // It has no public name.
}

function collect(client: WebSocket): number[] {
  const received: number[] = [];
  client.on('message', (data: Buffer) => received.push(Number.parseInt(data.toString(), 10)));
  return received;
}

function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, n) => n);
}

async function closeOf(client: WebSocket): Promise<[number, string]> {
  const [code, reason] = (await once(client, 'close')) as [number, Buffer];
  return [code, reason.toString()];
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
