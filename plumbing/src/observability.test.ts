import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import test from 'ava';
import { Env } from './env.ts';
import { Metrics } from './metrics.ts';
import { observability, observabilitySettings } from './observability.ts';
import { eventually, spyLog } from './testing.ts';

test('answers /metrics and /health on a loopback port', async (t) => {
  const metrics = new Metrics({ origin: 'doppler' });
  metrics.counter('ingress', 'Envelopes received.').add(3);
  const both = await observability(observabilitySettings(new Env({})), metrics, spyLog());
  t.teardown(() => both[Symbol.asyncDispose]());
  const base = `http://127.0.0.1:${both.port}`;

  const text = await fetch(`${base}/metrics`);
  t.is(text.status, 200);
  t.true(text.headers.get('content-type')?.startsWith('text/plain; version=0.0.4'));
  t.regex(await text.text(), /^ingress 3$/m);
  t.deepEqual(await (await fetch(`${base}/health`)).json(), { status: 'ok' });
  t.is((await fetch(`${base}/else`)).status, 404);
  t.is((await fetch(`${base}/metrics`, { method: 'POST' })).status, 405);
});

test('sends to a statsd injector too, if its address is set', async (t) => {
  const socket = createSocket('udp4');
  const datagrams: string[] = [];
  socket.on('message', (datagram) => void datagrams.push(datagram.toString()));
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  t.teardown(() => socket.close());

  const env = new Env({
    STATSD_ADDRESS: `127.0.0.1:${socket.address().port}`,
    METRICS_INTERVAL: '1h',
  });
  const metrics = new Metrics({ origin: 'doppler' });
  const both = await observability(observabilitySettings(env), metrics, spyLog());
  metrics.counter('ingress', 'Help.').add(3);
  await both[Symbol.asyncDispose]();
  await eventually(() => datagrams.length > 0);
  t.deepEqual(datagrams, ['doppler.ingress:3|c']);
});

test('has its settings and their defaults', (t) => {
  t.deepEqual(observabilitySettings(new Env({})), {
    metricsPort: 0,
    pprofPort: 0,
    statsdAddress: '',
    metricsIntervalMs: 5000,
  });
  const env = new Env({ METRICS_PORT: '70000', STATSD_ADDRESS: 'x', METRICS_INTERVAL: '1ms' });
  observabilitySettings(env);
  t.throws(() => env.done(), { message: /METRICS_PORT.*STATSD_ADDRESS.*METRICS_INTERVAL/s });
});
