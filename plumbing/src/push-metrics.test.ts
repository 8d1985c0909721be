import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import test, { type ExecutionContext } from 'ava';
import { Metrics } from './metrics.ts';
import { MetricsPusher, pushMetrics, type StatsdClient } from './push-metrics.ts';
import { eventually, spyLog } from './testing.ts';

const NEVER_MS = 3_600_000;

test('sends counters as what they gained, gauges as they are, labels and tags as tags', async (t) => {
  const { address, lines } = await statsdServer(t);
  const metrics = new Metrics({ origin: 'doppler', tags: { zone: 'az1' } });
  const ingress = metrics.counter('ingress', 'Help.');
  const dropped = metrics.counter('dropped', 'Help.', { direction: 'egress' });
  const held = metrics.gauge('cells.held', 'Help.');
  ingress.add(5);
  dropped.add(2);
  held.set(1.5);
  const pusher = pushMetrics(metrics, { address, intervalMs: 20 });
  await eventually(() => lines.length >= 3);
  t.deepEqual(lines.slice(0, 3), [
    'doppler.ingress:5|c|#zone:az1',
    'doppler.dropped:2|c|#zone:az1,direction:egress',
    'doppler.cells.held:1.5|g|#zone:az1',
  ]);
  ingress.add(3);
  await eventually(() => lines.includes('doppler.ingress:3|c|#zone:az1'));
  await pusher[Symbol.asyncDispose]();
  t.is(gained(lines, 'doppler.ingress'), 8);
  t.is(gained(lines, 'doppler.dropped'), 2, 'what gained nothing is not sent');
});

test('sends the last gains when it is disposed of', async (t) => {
  const { address, lines } = await statsdServer(t);
  const metrics = new Metrics({ origin: 'doppler' });
  const pusher = pushMetrics(metrics, { address, intervalMs: NEVER_MS });
  metrics.counter('egress', 'Help.').add(9);
  await pusher[Symbol.asyncDispose]();
  await eventually(() => lines.length > 0);
  t.deepEqual(lines, ['doppler.egress:9|c']);
});

test('keeps each datagram within 1400 bytes, and loses no metric between them', async (t) => {
  const { address, lines, sizes } = await statsdServer(t);
  const metrics = new Metrics({ origin: 'doppler' });
  for (let n = 0; n < 200; n += 1)
    metrics.counter('c', 'Help.', { n: `${n}`, é: 'ü'.repeat(20) }).add(1);
  const pusher = pushMetrics(metrics, { address, intervalMs: NEVER_MS });
  await pusher[Symbol.asyncDispose]();
  await eventually(() => lines.length === 200);
  t.true(Math.max(...sizes) <= 1400);
  t.true(sizes.length < 50, 'many metrics share a datagram');
  t.is(gained(lines, 'doppler.c'), 200);
});

test('keeps gains while the address cannot be reached, and says so in the log', async (t) => {
  const log = spyLog();
  const metrics = new Metrics({ origin: 'doppler' });
  const counter = metrics.counter('ingress', 'Help.');
  counter.add(5);
  const pusher = pushMetrics(metrics, { address: 'nowhere.invalid:1', intervalMs: 10, log });
  const line = await eventually(() => log.lines[0]);
  t.is(line?.level, 'warn');
  await t.notThrowsAsync(async () => pusher[Symbol.asyncDispose]());
  t.is(counter.value, 5);
});

test('does not mind that nobody listens', async (t) => {
  const { address, socket } = await statsdServer(t);
  socket.close();
  await once(socket, 'close');
  const metrics = new Metrics({ origin: 'doppler' });
  metrics.counter('ingress', 'Help.').add(5);
  const pusher = pushMetrics(metrics, { address, intervalMs: 5, log: spyLog() });
  await new Promise((resolve) => setImmediate(resolve));
  await t.notThrowsAsync(async () => pusher[Symbol.asyncDispose]());
});

test('keeps what a counter gained until the socket took it, and sends it once', async (t) => {
  const metrics = new Metrics({ origin: 'doppler' });
  const counter = metrics.counter('ingress', 'Help.');
  const client = new FakeClient();
  const errors: Error[] = [];
  const onError = (error: Error): void => void errors.push(error);
  const pusher = new MetricsPusher(metrics, { client, intervalMs: NEVER_MS, onError });
  counter.add(5);
  client.failure = new Error('no such host');
  await pusher.push();
  counter.add(2);
  await pusher.push();
  t.is(errors.length, 2);
  client.failure = undefined;
  await pusher.push();
  await pusher.push();
  counter.add(1);
  await pusher[Symbol.asyncDispose]();
  t.deepEqual(client.taken, [7, 1]);
});

test('does not wait for ever on a socket that does not answer, at the end', async (t) => {
  const client = new FakeClient();
  client.flush = () => undefined;
  const metrics = new Metrics({ origin: 'doppler' });
  const pusher = new MetricsPusher(metrics, {
    client,
    intervalMs: NEVER_MS,
    onError: () => undefined,
  });
  await pusher[Symbol.asyncDispose]();
  t.pass();
});

test('refuses what is no address', (t) => {
  const metrics = new Metrics({ origin: 'doppler' });
  t.throws(() => pushMetrics(metrics, { address: 'here', intervalMs: 5 }), {
    message: /HOST:PORT/,
  });
});

class FakeClient implements StatsdClient {
  failure: Error | undefined;
  readonly taken: number[] = [];
  #added: number[] = [];

  increment(_name: string, value: number): void {
    this.#added.push(value);
  }

  gauge(): void {}

  flush(callback: (error?: Error) => void): void {
    if (this.failure === undefined) this.taken.push(...this.#added);
    this.#added = [];
    callback(this.failure);
  }

  close(callback: () => void): void {
    callback();
  }
}

async function statsdServer(t: ExecutionContext): Promise<{
  address: string;
  lines: string[];
  sizes: number[];
  socket: ReturnType<typeof createSocket>;
}> {
  const socket = createSocket('udp4');
  const lines: string[] = [];
  const sizes: number[] = [];
  socket.on('message', (datagram) => {
    sizes.push(datagram.length);
    lines.push(...datagram.toString().split('\n'));
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  let open = true;
  socket.once('close', () => {
    open = false;
  });
  t.teardown(() => {
    if (open) socket.close();
  });
  return { address: `127.0.0.1:${socket.address().port}`, lines, sizes, socket };
}

function gained(lines: readonly string[], name: string): number {
  let total = 0;
  for (const line of lines) {
    const match = /^([^:]+):(-?\d+)\|c/.exec(line);
    if (match?.[1] === name) total += Number(match[2]);
  }
  return total;
}
