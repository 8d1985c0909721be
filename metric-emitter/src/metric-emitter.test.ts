import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { type Log, Metrics, readTls, type TlsFiles } from '@standpipe/plumbing';
import { eventually, spyLog, testTls } from '@standpipe/plumbing/testing';
import test from 'ava';
import { type EmitOptions, emitMetrics } from './metric-emitter.ts';
import { gained, startAgent, tagsOf } from './testing.ts';

const NEVER_MS = 3_600_000;
const ALARM = 'TruncatingBuffer.DroppedMessages';

test('self metrics use Ingress/Sender and deprecated tags, all of them text', async (t) => {
  const { metron, doppler } = await testTls('metron', 'doppler');
  await using agent = await startAgent({ tls: metron });
  const metrics = new Metrics({ origin: 'doppler', tags: { zone: 'az1' } });
  metrics.counter('dropped', 'Help.', { direction: 'egress' }).add(3);
  const before = BigInt(Date.now()) * 1_000_000n;
  await emitMetrics(metrics, options(agent.address, doppler))[Symbol.asyncDispose]();

  const [envelope] = await eventually(() => agent.envelopes.length > 0 && agent.envelopes);
  if (!envelope) return t.fail();
  t.is(envelope.source_id, 'doppler');
  t.is(envelope.instance_id, '');
  t.deepEqual(envelope.tags, {});
  t.deepEqual(tagsOf(envelope), {
    origin: 'loggregator.doppler',
    metric_version: '2.0',
    zone: 'az1',
    direction: 'egress',
  });
  t.is(envelope.counter?.name, 'dropped');
  t.is(Number(envelope.counter?.delta), 3);
  t.is(Number(envelope.counter?.total), 0, 'the agent keeps totals');
  const age = BigInt(String(envelope.timestamp)) - before;
  t.true(age > -1_000_000_000n && age < 60_000_000_000n);
});

test('emits the sum of the increments, and then zero each interval, on one stream', async (t) => {
  const { metron, doppler } = await testTls('metron', 'doppler');
  await using agent = await startAgent({ tls: metron });
  const metrics = new Metrics({ origin: 'doppler' });
  const ingress = metrics.counter('ingress', 'Help.');
  ingress.add(5);
  ingress.add(2);
  await using _emitter = emitMetrics(metrics, {
    ...options(agent.address, doppler),
    intervalMs: 20,
  });
  await eventually(() => agent.envelopes.length >= 4);
  t.deepEqual(
    agent.envelopes.slice(0, 4).map(({ counter }) => Number(counter?.delta)),
    [7, 0, 0, 0],
  );
  t.is(agent.streams, 1);
});

test('emits a gauge with its unit and two decimals, and none that is no number', async (t) => {
  const { metron, doppler } = await testTls('metron', 'doppler');
  await using agent = await startAgent({ tls: metron });
  const metrics = new Metrics({ origin: 'doppler' });
  metrics.gauge('doppler_proxy.firehoses', 'Help.', { unit: 'connections' }).set(2.345678);
  metrics.gauge('nothing', 'Help.', { read: () => Number.NaN });
  await emitMetrics(metrics, options(agent.address, doppler))[Symbol.asyncDispose]();
  await eventually(() => agent.envelopes.length > 0);
  t.is(agent.envelopes.length, 1);
  t.deepEqual(Object.entries(agent.envelopes[0]?.gauge?.metrics ?? {}).map(plain), [
    ['doppler_proxy.firehoses', 'connections', 2.35],
  ]);
});

test('merges the tags of the process and of the metric, whose own stand', async (t) => {
  const { metron, doppler } = await testTls('metron', 'doppler');
  await using agent = await startAgent({ tls: metron });
  const metrics = new Metrics({ origin: 'doppler', tags: { index: '1', job: 'doppler' } });
  metrics.counter('old', 'Help.', { origin: 'doppler', index: '2' });
  metrics.counter('log_router_connects', 'Help.');
  await emitMetrics(metrics, {
    ...options(agent.address, doppler),
    unversioned: ['log_router_connects'],
  })[Symbol.asyncDispose]();
  await eventually(() => agent.envelopes.length === 2);
  t.deepEqual(agent.envelopes.map(tagsOf), [
    { origin: 'doppler', metric_version: '2.0', index: '2', job: 'doppler' },
    { origin: 'loggregator.doppler', index: '1', job: 'doppler' },
  ]);
});

test('an alarm is emitted only when it gained something', async (t) => {
  const { metron, doppler } = await testTls('metron', 'doppler');
  await using agent = await startAgent({ tls: metron });
  const metrics = new Metrics({ origin: 'doppler' });
  const alarm = metrics.counter(ALARM, 'Help.');
  metrics.counter('ingress', 'Help.');
  await using _emitter = emitMetrics(metrics, {
    ...options(agent.address, doppler),
    intervalMs: 20,
    alarms: [ALARM],
  });
  await eventually(() => agent.envelopes.length >= 2);
  alarm.add(4);
  await eventually(() => gained(agent.envelopes, ALARM) === 4);
  const count = agent.envelopes.length;
  await eventually(() => agent.envelopes.length > count + 2);
  const alarms = agent.envelopes.filter(({ counter }) => counter?.name === ALARM);
  t.is(alarms.length, 1);
});

test('a failed send restores the delta: gains wait for an agent that is away', async (t) => {
  const { metron, doppler } = await testTls('metron', 'doppler');
  const away = await startAgent({ tls: metron });
  await away[Symbol.asyncDispose]();
  const log = spyLog();
  const metrics = new Metrics({ origin: 'doppler' });
  const ingress = metrics.counter('ingress', 'Help.');
  ingress.add(5);
  await using _emitter = emitMetrics(metrics, {
    ...options(away.address, doppler, log),
    intervalMs: 10,
  });
  await eventually(() => log.lines.length > 0);
  ingress.add(2);
  await using agent = await startAgent({ tls: metron, port: away.port });
  await eventually(() => agent.envelopes.length >= 2);
  t.is(gained(agent.envelopes, 'ingress'), 7);
  await eventually(() => log.lines.length > 1);
  t.deepEqual(
    log.lines.map(({ level, text }) => [level, text]),
    [
      ['warn', 'the agent takes no metrics; gains wait for it'],
      ['info', 'the agent takes metrics again'],
    ],
    'however often it failed, one line says so',
  );
});

test('reconnects after the agent restarts, which waits for no stream of ours', async (t) => {
  const { metron, doppler } = await testTls('metron', 'doppler');
  const first = await startAgent({ tls: metron, drainMs: NEVER_MS });
  const metrics = new Metrics({ origin: 'doppler' });
  const ingress = metrics.counter('ingress', 'Help.');
  await using _emitter = emitMetrics(metrics, {
    ...options(first.address, doppler),
    intervalMs: 20,
  });
  ingress.add(3);
  await eventually(() => gained(first.envelopes, 'ingress') === 3);
  await first[Symbol.asyncDispose]();
  ingress.add(4);
  await using second = await startAgent({ tls: metron, port: first.port });
  await eventually(() => gained(second.envelopes, 'ingress') > 0);
  t.is(gained(first.envelopes, 'ingress') + gained(second.envelopes, 'ingress'), 7);
});

test('goes on when an agent ends the stream, and counts nothing twice', async (t) => {
  const { metron, doppler } = await testTls('metron', 'doppler');
  await using agent = await startAgent({ tls: metron, endAfter: 2 });
  const metrics = new Metrics({ origin: 'doppler' });
  const ingress = metrics.counter('ingress', 'Help.');
  await using _emitter = emitMetrics(metrics, {
    ...options(agent.address, doppler),
    intervalMs: 10,
  });
  ingress.add(9);
  await eventually(() => agent.streams >= 4);
  t.is(gained(agent.envelopes, 'ingress'), 9);
});

test('never counts twice, though agents die while they are written to', async (t) => {
  const { metron, doppler } = await testTls('metron', 'doppler');
  const metrics = new Metrics({ origin: 'doppler' });
  const counters = Array.from({ length: 50 }, (_, n) => metrics.counter(`c${n}`, 'Help.'));
  let agent = await startAgent({ tls: metron, drainMs: 0 });
  const { port } = agent;
  const all = [...agent.envelopes];
  await using _emitter = emitMetrics(metrics, {
    ...options(agent.address, doppler),
    intervalMs: 5,
  });
  let given = 0;
  for (let round = 1; round <= 6; round += 1) {
    for (const counter of counters) counter.add(1);
    given += 1;
    await eventually(() => agent.envelopes.length > round);
    await agent[Symbol.asyncDispose]();
    all.push(...agent.envelopes);
    agent = await startAgent({ tls: metron, drainMs: 0, port });
  }
  await eventually(() => agent.envelopes.length > 2 * counters.length);
  all.push(...agent.envelopes);
  await agent[Symbol.asyncDispose]();
  for (const [n] of counters.entries()) t.true(gained(all, `c${n}`) <= given, `c${n}`);
});

test('sends the last gains when it is disposed of, to an agent that never answers', async (t) => {
  const { metron, doppler } = await testTls('metron', 'doppler');
  await using agent = await startAgent({ tls: metron, answers: false, drainMs: 0 });
  const metrics = new Metrics({ origin: 'doppler' });
  const emitter = emitMetrics(metrics, options(agent.address, doppler));
  metrics.counter('egress', 'Help.').add(9);
  await emitter[Symbol.asyncDispose]();
  await eventually(() => gained(agent.envelopes, 'egress') === 9);
  t.pass();
});

test('an agent that is stuck neither holds up the end nor is given a counter’s gain', async (t) => {
  const { doppler } = await testTls('doppler');
  const sockets = new Set<Socket>();
  const stuck = createServer((socket) => sockets.add(socket)).listen(0, '127.0.0.1');
  await once(stuck, 'listening');
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    stuck.close();
  });
  const { port } = stuck.address() as { port: number }; // It listens on TCP.
  const log = spyLog();
  const metrics = new Metrics({ origin: 'doppler' });
  metrics.counter('egress', 'Help.').add(9);
  const emitter = emitMetrics(metrics, {
    ...options(`127.0.0.1:${port}`, doppler, log),
    intervalMs: 20,
    stuckMs: 20,
  });
  await eventually(() => log.lines.length > 0);
  await emitter[Symbol.asyncDispose]();
  t.deepEqual(
    log.lines.map(({ text }) => text),
    ['the agent takes no metrics; gains wait for it'],
  );
});

test('does nothing where there is no agent', async (t) => {
  const metrics = new Metrics({ origin: 'doppler' });
  const emitter = emitMetrics(metrics, {
    agent: { address: '', tls: undefined },
    sourceId: 'doppler',
    origin: 'loggregator.doppler',
    intervalMs: NEVER_MS,
    log: spyLog(),
  });
  await t.notThrowsAsync(async () => emitter[Symbol.asyncDispose]());
});

function options(address: string, tls: TlsFiles, log: Log = spyLog()): EmitOptions {
  return {
    agent: { address, tls: readTls(tls) },
    sourceId: 'doppler',
    origin: 'loggregator.doppler',
    intervalMs: NEVER_MS,
    log,
  };
}

function plain([name, value]: [
  string,
  { readonly unit?: string | null; readonly value?: number | null },
]): unknown[] {
  return [name, value.unit, value.value];
}
