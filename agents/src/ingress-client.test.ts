import { type Log, readTls, type TlsFiles } from '@standpipe/plumbing';
import { eventually, spyLog, testTls } from '@standpipe/plumbing/testing';
import { PackedBatch } from '@standpipe/protos';
import { encodeBatch, encodeEnvelope, numberedLog } from '@standpipe/protos/testing';
import test, { type ExecutionContext } from 'ava';
import { IngressClient, type IngressClientOptions } from './ingress-client.ts';
import { FakeIngress } from './ingress-client-fake.ts';

test('sends what it is given, in order, and much of it in few messages', async (t) => {
  const { agent, client } = await pair(t);
  await eventually(() => client.isConnected);
  emit(client, 0, 1000);
  await eventually(() => agent.envelopes.length === 1000);
  t.deepEqual(agent.numbers, range(0, 1000));
  t.true(agent.sizes.length <= 12);
  t.like(client, { sent: 1000, dropped: 0, waiting: 0, unconfirmed: 0 });
});

test('sends a single envelope at once, and many of one turn as one batch', async (t) => {
  const { agent, client } = await pair(t);
  emit(client, 0, 1);
  await eventually(() => agent.envelopes.length === 1);
  emit(client, 1, 5);
  await eventually(() => agent.envelopes.length === 5);
  t.deepEqual(agent.sizes, [1, 4]);
});

test('keeps batches and single envelopes in order', async (t) => {
  const { agent, client } = await pair(t);
  emit(client, 0, 3);
  client.emitBatch(new PackedBatch(encodeBatch([numberedLog('s', 3), numberedLog('s', 4)]), 2));
  emit(client, 5, 8);
  await client.flush();
  await eventually(() => agent.envelopes.length === 8);
  t.deepEqual(agent.numbers, range(0, 8));
});

test('drops exactly the oldest while the agent is away, and sends the rest when it comes', async (t) => {
  const agentFiles = await testTls('metron', 'rep');
  const first = await FakeIngress.start(agentFiles.metron);
  const { address } = first;
  await first[Symbol.asyncDispose]();
  const dropped: number[] = [];
  const client = connect(t, address, agentFiles.rep, {
    maxCount: 250,
    onDrop: (count) => dropped.push(count),
  });
  emit(client, 0, 1000);
  const flushed = client.flush();
  t.is(client.dropped, 750);
  t.is(sum(dropped), 750);

  const agent = await started(t, agentFiles.metron, address);
  await flushed;
  await eventually(() => agent.envelopes.length === 250);
  t.deepEqual(agent.numbers, range(750, 1000));
  t.like(client, { sent: 250, dropped: 750, waiting: 0 });
});

test('waits in its bounds while the agent reads nothing, and loses nothing but the oldest', async (t) => {
  const { agent, client } = await pair(t, { maxCount: 1000, maxBytes: 1_000_000 });
  emit(client, 0, 1);
  await eventually(() => agent.envelopes.length === 1);
  agent.stall();
  const big = { ...numberedLog('s', 1), tags: { filler: 'x'.repeat(10_000) } };
  for (let n = 0; n < 1000; n += 1) client.emit(encodeEnvelope(big));
  await eventually(() => client.dropped > 0);
  t.true(client.waiting <= 100 + 26); // What is queued, and one message that waits.
  agent.resume();
  await client.flush();
  t.is(client.sent + client.dropped, 1001);
  await eventually(() => agent.envelopes.length === client.sent);
  t.is(client.unconfirmed, 0);
});

test('loses nothing to an agent that says goodbye before it goes', async (t) => {
  const { agent, client, files } = await pair(t);
  emit(client, 0, 100);
  await eventually(() => agent.envelopes.length === 100);
  await agent[Symbol.asyncDispose]();
  emit(client, 100, 200);
  const next = await started(t, files.metron, agent.address);
  await eventually(() => next.envelopes.length > 0);
  await client.flush();
  await eventually(() => agent.envelopes.length + next.envelopes.length === 200);
  t.deepEqual([...agent.numbers, ...next.numbers], range(0, 200));
  t.is(client.unconfirmed, 0);
});

test('says how many envelopes a broken stream may have lost, and goes on over another', async (t) => {
  const { agent, client } = await pair(t);
  emit(client, 0, 100);
  await eventually(() => agent.envelopes.length === 100);
  agent.breakStreams();
  await eventually(() => client.unconfirmed > 0);
  t.is(client.unconfirmed, 100);
  emit(client, 100, 200);
  await eventually(() => agent.envelopes.length === 200);
  t.like(client, { sent: 200, dropped: 0, unconfirmed: 100 });
});

test('sends what waits when it is disposed of, and drops what comes after', async (t) => {
  const { agent, client } = await pair(t);
  await eventually(() => client.isConnected);
  emit(client, 0, 5000);
  await client[Symbol.asyncDispose]();
  t.deepEqual(agent.numbers, range(0, 5000));
  emit(client, 0, 3);
  t.like(client, { sent: 5000, dropped: 3, unconfirmed: 0 });
});

test('gives up what waits when it is disposed of and the agent takes nothing', async (t) => {
  const { agent, client } = await pair(t);
  emit(client, 0, 1);
  await eventually(() => agent.envelopes.length === 1);
  agent.stall();
  const big = { ...numberedLog('s', 1), tags: { filler: 'x'.repeat(10_000) } };
  for (let n = 0; n < 1000; n += 1) client.emit(encodeEnvelope(big));
  await client[Symbol.asyncDispose]();
  t.is(client.sent + client.dropped, 1001);
  t.true(client.dropped > 0);
  t.true(agent.envelopes.length + client.dropped + client.unconfirmed >= 1001);
});

test('drops an envelope that no peer would take, and disturbs no other', async (t) => {
  const { agent, client } = await pair(t, { maxBytes: 64 * 1024 * 1024 });
  emit(client, 0, 1);
  const huge = { ...numberedLog('s', 99), tags: { filler: 'x'.repeat(11 * 1024 * 1024) } };
  client.emit(encodeEnvelope(huge));
  emit(client, 1, 2);
  await eventually(() => agent.envelopes.length === 2);
  t.deepEqual(agent.numbers, [0, 1]);
  t.like(client, { sent: 2, dropped: 1, unconfirmed: 0 });
});

test('sends a batch that is larger than a message may be in pieces', async (t) => {
  const { agent, client } = await pair(t, { maxBytes: 64 * 1024 * 1024 });
  const inits = range(0, 30).map((n) => ({
    ...numberedLog('s', n),
    tags: { x: 'x'.repeat(500_000) },
  }));
  client.emitBatch(new PackedBatch(encodeBatch(inits), 30));
  await eventually(() => agent.envelopes.length === 30);
  t.deepEqual(agent.numbers, range(0, 30));
});

test('says once in a while that an agent with another name is not trusted', async (t) => {
  const files = await testTls('doppler', 'rep');
  const agent = await started(t, files.doppler);
  const log = spyLog();
  const client = connect(t, agent.address, files.rep, { log });
  await eventually(() => log.lines.some(({ level }) => level === 'warn'));
  t.false(client.isConnected);
  await client[Symbol.asyncDispose]();
});

interface Pair {
  readonly agent: FakeIngress;
  readonly client: IngressClient;
  readonly files: { readonly metron: TlsFiles; readonly rep: TlsFiles };
}

async function pair(
  t: ExecutionContext,
  options: Partial<IngressClientOptions> = {},
): Promise<Pair> {
  const files = await testTls('metron', 'rep');
  const agent = await started(t, files.metron);
  return { agent, files, client: connect(t, agent.address, files.rep, options) };
}

async function started(
  t: ExecutionContext,
  files: TlsFiles,
  address?: string,
): Promise<FakeIngress> {
  const agent = await FakeIngress.start(files, address);
  t.teardown(() => agent[Symbol.asyncDispose]());
  return agent;
}

function connect(
  t: ExecutionContext,
  address: string,
  files: TlsFiles,
  options: Partial<IngressClientOptions> & { readonly log?: Log } = {},
): IngressClient {
  const client = new IngressClient({ address, tls: readTls(files), log: spyLog(), ...options });
  t.teardown(() => client[Symbol.asyncDispose]());
  return client;
}

function emit(client: IngressClient, from: number, to: number): void {
  for (const n of range(from, to)) client.emit(encodeEnvelope(numberedLog('s', n)));
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, index) => from + index);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
