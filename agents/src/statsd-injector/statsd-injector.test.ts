import { createSocket, type Socket } from 'node:dgram';
import { ListenError, type TlsFiles } from '@standpipe/plumbing';
import { eventually, spyLog, testTls } from '@standpipe/plumbing/testing';
import test, { type ExecutionContext } from 'ava';
import { FakeIngress } from '../ingress-client-fake.ts';
import { type StatsdInjector, startStatsdInjector } from './statsd-injector.ts';

test('brings what statsd clients send to the agent', async (t) => {
  const { agent, injector } = await setUp(t);
  const client = clientOf(t);
  await send(client, injector, 'shop.orders:1|c|#shop:nord\nshop.orders:2|c|#shop:nord');
  await send(client, injector, 'shop.took:12.5|ms');
  await eventually(() => agent.envelopes.length === 3);
  t.deepEqual(
    agent.envelopes.map(({ gauge }) => Object.values(gauge?.metrics ?? {})[0]?.value),
    [1, 3, 12.5],
  );
  t.deepEqual(agent.envelopes[0]?.tags, { origin: 'shop', shop: 'nord' });
  await eventually(() => value(injector, 'egress') === 3);
});

test('keeps what comes while the agent is away', async (t) => {
  const { agent, injector, files } = await setUp(t);
  await agent[Symbol.asyncDispose]();
  const client = clientOf(t);
  for (let n = 0; n < 10; n += 1) await send(client, injector, `a.n:${n}|g`);
  await eventually(() => value(injector, 'parsed') === 10);
  const back = await FakeIngress.start(files.metron, agent.address);
  t.teardown(() => back[Symbol.asyncDispose]());
  await eventually(() => back.envelopes.length === 10);
  t.is(value(injector, 'dropped'), 0);
});

test('sends what it has before it stops', async (t) => {
  const { agent, injector } = await setUp(t);
  const client = clientOf(t);
  await send(client, injector, Array.from({ length: 500 }, () => 'a.n:1|c').join('\n'));
  await eventually(() => value(injector, 'parsed') === 500);
  await injector[Symbol.asyncDispose]();
  t.is(agent.envelopes.length, 500);
  t.is(value(injector, 'unconfirmed'), 0);
});

test('says which address is in use', async (t) => {
  const { injector, files, agent } = await setUp(t);
  const error = await t.throwsAsync(start(files.rep, agent.address, injector.port), {
    instanceOf: ListenError,
  });
  t.regex(error?.message ?? '', new RegExp(`127.0.0.1:${injector.port}.*in use`));
});

test('shows its counts', async (t) => {
  const { injector } = await setUp(t);
  const client = clientOf(t);
  await send(client, injector, 'bad\na.b:1|c');
  await eventually(() => value(injector, 'received') === 2);
  const answer = await fetch(`http://127.0.0.1:${injector.metricsPort}/metrics`);
  const text = await answer.text();
  t.regex(text, /^rejected\{reason="name"\} 1$/m);
  t.regex(text, /^parsed 1$/m);
});

interface SetUp {
  readonly agent: FakeIngress;
  readonly injector: StatsdInjector;
  readonly files: Readonly<Record<'metron' | 'rep', TlsFiles>>;
}

async function setUp(t: ExecutionContext): Promise<SetUp> {
  const files = await testTls('metron', 'rep');
  const agent = await FakeIngress.start(files.metron);
  t.teardown(() => agent[Symbol.asyncDispose]());
  const injector = await start(files.rep, agent.address, 0);
  t.teardown(() => injector[Symbol.asyncDispose]());
  return { agent, injector, files };
}

function start(tls: TlsFiles, agentAddress: string, port: number): Promise<StatsdInjector> {
  return startStatsdInjector(
    {
      host: '127.0.0.1',
      port,
      agentAddress,
      tls,
      metricsPort: 0,
      statsdAddress: '',
      metricsIntervalMs: 5000,
    },
    spyLog(),
  );
}

function clientOf(t: ExecutionContext): Socket {
  const socket = createSocket('udp4');
  t.teardown(() => socket.close());
  return socket;
}

function send(socket: Socket, injector: StatsdInjector, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.send(text, injector.port, '127.0.0.1', (error) => (error ? reject(error) : resolve()));
  });
}

function value(injector: StatsdInjector, name: string): number {
  let total = 0;
  for (const series of injector.metrics.series()) if (series.name === name) total += series.value;
  return total;
}
