import { createSocket } from 'node:dgram';
import { type Client, Metadata, type ServiceError, status as Status } from '@grpc/grpc-js';
import { dial, readTls, type TlsFiles, type Zone } from '@standpipe/plumbing';
import { eventually, spyLog, testTls } from '@standpipe/plumbing/testing';
import { events, ingressService, type loggregator, ownerOf, PackedBatch } from '@standpipe/protos';
import { encodeBatch, encodeEnvelope, numberedLog } from '@standpipe/protos/testing';
import test, { type ExecutionContext } from 'ava';
import { IngressClient } from '../ingress-client.ts';
import { FakeIngress } from '../ingress-client-fake.ts';
import type { MetronConfig } from './config.ts';
import { type Metron, startMetron } from './metron.ts';

type EnvelopeInit = loggregator.v2.IEnvelope;
type Method = keyof typeof ingressService;

const SOURCES = Array.from({ length: 40 }, (_, index) => `source-${index}`);

test('tags, totals and sends on what comes by each of its three methods', async (t) => {
  const { dopplers, metron, client } = await setUp(t, { az1: 1 });
  const counter = { source_id: 's', counter: { name: 'requests', delta: 2 } };
  await send(client, 'send', [encodeBatch([counter, numberedLog('s', 1)])]);
  await send(client, 'batchSender', [encodeBatch([counter]), encodeBatch([numberedLog('s', 2)])]);
  await send(client, 'sender', [encodeEnvelope(counter), encodeEnvelope(numberedLog('s', 3))]);

  const [doppler] = dopplers.az1 ?? [];
  await eventually(() => doppler?.envelopes.length === 6);
  const counters = doppler?.envelopes.filter((envelope) => envelope.counter);
  t.deepEqual(
    counters?.map((envelope) => Number(envelope.counter?.total)),
    [2, 4, 6],
  );
  t.deepEqual(counters?.[0]?.tags, { deployment: 'cf', job: 'router' });
  t.deepEqual(
    doppler?.numbers.filter((number) => number > 0),
    [1, 2, 3],
  );
  t.is(value(metron, 'ingress'), 6);
  t.is(value(metron, 'egress'), 6);
});

test('sends each source to the Doppler of its own zone that owns it, in order', async (t) => {
  const { dopplers, files, metron } = await setUp(t, { az1: 3, az2: 2 });
  const app = connect(t, metron, files.rep);
  for (let n = 0; n < 100; n += 1) emit(app, SOURCES, n);
  await app.flush();
  await eventually(() => received(dopplers.az1) === 4000);

  const [first, second, third] = dopplers.az1 ?? [];
  for (const [shard, doppler] of [first, second, third].entries()) {
    const owned = SOURCES.filter((source) => ownerOf(source, 3) === shard);
    t.deepEqual([...(doppler?.sourceIds() ?? [])].sort(), owned.sort());
    for (const source of owned) t.deepEqual(numbersOf(doppler, source), range(0, 100));
  }
  t.is(received(dopplers.az2), 0);
  t.is(value(metron, 'doppler_connections'), 3);
  t.is(value(metron, 'doppler_v2_streams'), 3);
});

test('sends to another Doppler while one is away, and to the owner when it is back', async (t) => {
  const { dopplers, files, metron } = await setUp(t, { az1: 2 });
  const app = connect(t, metron, files.rep);
  const [stays, leaves] = dopplers.az1 ?? [];
  const [source = ''] = SOURCES.filter((name) => ownerOf(name, 2) === 1);
  emit(app, [source], 0);
  await eventually(() => leaves?.envelopes.length === 1);

  await leaves?.[Symbol.asyncDispose]();
  for (const n of range(1, 10)) emit(app, [source], n);
  await eventually(() => stays?.envelopes.length === 9);
  t.deepEqual(numbersOf(stays, source), range(1, 10));

  const back = await started(t, files.doppler, leaves?.address);
  await eventually(() => back.streams === 1);
  for (const n of range(10, 20)) emit(app, [source], n);
  await eventually(() => back.envelopes.length === 10);
  t.deepEqual(numbersOf(back, source), range(10, 20));
  t.is(value(metron, 'dropped'), 0);
  t.is(value(metron, 'unconfirmed'), 0);
});

test('sends to the other zone while its own is away, and no longer when one is back', async (t) => {
  const { dopplers, files, metron } = await setUp(t, { az1: 2, az2: 2 });
  const app = connect(t, metron, files.rep);
  for (const doppler of dopplers.az1 ?? []) await doppler[Symbol.asyncDispose]();
  await eventually(() => dopplers.az2?.every(({ streams }) => streams === 1));
  emit(app, SOURCES, 0);
  await eventually(() => received(dopplers.az2) === 40);
  for (const [shard, doppler] of (dopplers.az2 ?? []).entries()) {
    for (const source of doppler.sourceIds()) t.is(ownerOf(source, 2), shard);
  }

  const address = dopplers.az1?.[0]?.address;
  const back = await started(t, files.doppler, address);
  await eventually(() => back.streams === 2);
  emit(app, SOURCES, 1);
  await eventually(() => back.envelopes.length === 40);
  await eventually(() => value(metron, 'doppler_connections') === 1);
  t.is(received(dopplers.az2), 40);
  t.is(value(metron, 'dropped'), 0);
});

test('drops exactly the oldest, and counts them, while no Doppler answers', async (t) => {
  const { dopplers, files, metron } = await setUp(t, { az1: 1 }, { egressBufferSize: 300 });
  const [doppler] = dopplers.az1 ?? [];
  await doppler?.[Symbol.asyncDispose]();
  const app = connect(t, metron, files.rep);
  for (const n of range(0, 1000)) emit(app, ['s'], n);
  await eventually(() => value(metron, 'ingress') === 1000);
  t.is(value(metron, 'dropped') + value(metron, 'waiting'), 1000);

  const back = await started(t, files.doppler, doppler?.address);
  await eventually(() => value(metron, 'waiting') === 0);
  await eventually(() => back.envelopes.length === value(metron, 'egress'));
  const kept = back.envelopes.length;
  t.true(kept >= 300 && kept <= 300 + 100); // What was being gathered besides.
  t.deepEqual(back.numbers, range(1000 - kept, 1000));
});

test('refuses a malformed message, and goes on for everybody else', async (t) => {
  const { dopplers, files, metron, client } = await setUp(t, { az1: 1 });
  const app = connect(t, metron, files.rep);
  const good = encodeBatch([numberedLog('s', 1)]);
  const bad = Buffer.concat([good, Buffer.from([0x0a, 0x05, 0x12, 0xff])]);
  for (const method of ['send', 'batchSender', 'sender'] as const) {
    const error = await t.throwsAsync<ServiceError>(send(client, method, [bad]));
    t.is(error?.code, Status.INTERNAL);
    t.regex(error?.details ?? '', /malformed EnvelopeBatch/);
  }
  emit(app, ['s'], 7);
  await eventually(() => received(dopplers.az1) === 1);
  t.is(value(metron, 'malformed'), 3);
  t.is(value(metron, 'ingress'), 1);
});

test('refuses a message over 10 MiB, and goes on for everybody else', async (t) => {
  const { dopplers, files, metron, client } = await setUp(t, { az1: 1 });
  const app = connect(t, metron, files.rep);
  const huge = encodeEnvelope({
    ...numberedLog('s', 1),
    tags: { x: 'x'.repeat(11 * 1024 * 1024) },
  });
  for (const method of ['send', 'batchSender'] as const) {
    const error = await t.throwsAsync<ServiceError>(
      send(client, method, [PackedBatch.of(huge).bytes]),
    );
    t.is(error?.code, Status.RESOURCE_EXHAUSTED);
  }
  emit(app, ['s'], 7);
  await eventually(() => received(dopplers.az1) === 1);
});

test('is not taken in by a client, or a Doppler, of another name or authority', async (t) => {
  const files = await testTls('metron', 'doppler', 'rep');
  const impostor = await started(t, files.rep);
  const metron = await run(t, files.metron, [{ name: 'az1', addresses: [impostor.address] }]);
  const app = connect(t, metron, files.rep);
  emit(app, ['s'], 1);
  await eventually(() => value(metron, 'ingress') === 1);
  await eventually(() => metron.lines.some(({ text }) => text.startsWith('cannot be reached')));
  t.is(value(metron, 'egress'), 0);
  t.is(impostor.envelopes.length, 0);
});

test('sends what waits before it stops', async (t) => {
  const { dopplers, files, metron } = await setUp(t, { az1: 2 });
  const app = connect(t, metron, files.rep);
  await eventually(() => app.isConnected);
  for (let n = 0; n < 100; n += 1) emit(app, SOURCES, n);
  await app[Symbol.asyncDispose]();
  await metron[Symbol.asyncDispose]();
  t.is(received(dopplers.az1), 4000);
  t.is(value(metron, 'unconfirmed'), 0);
});

test('holds five connections to a pool, and keeps each source in order', async (t) => {
  const { dopplers, files, metron } = await setUp(t, { az1: 1 }, { isPool: true });
  const app = connect(t, metron, files.rep);
  const [doppler] = dopplers.az1 ?? [];
  await eventually(() => doppler?.streams === 5);
  for (let n = 0; n < 50; n += 1) emit(app, SOURCES, n);
  await eventually(() => received(dopplers.az1) === 2000);
  for (const source of SOURCES) t.deepEqual(numbersOf(doppler, source), range(0, 50));
  t.is(value(metron, 'doppler_connections'), 5);
});

test('takes dropsonde in by UDP, and counts what it can not read', async (t) => {
  const { dopplers, metron } = await setUp(t, { az1: 1 }, { udpPort: 0, logsDisabled: true });
  const socket = createSocket('udp4');
  t.teardown(() => socket.close());
  const { EventType } = events.Envelope;
  for (const init of [
    { counterEvent: { name: 'c', delta: 3 }, eventType: EventType.CounterEvent },
    { counterEvent: { name: 'c', delta: 4 }, eventType: EventType.CounterEvent },
    {
      logMessage: { message: Buffer.from('hi'), message_type: 1, timestamp: 1 },
      eventType: EventType.LogMessage,
    },
  ]) {
    const bytes = events.Envelope.encode({ origin: 'old', ...init }).finish();
    socket.send(bytes, metron.udpPort ?? 0, '127.0.0.1');
  }
  socket.send('not an envelope', metron.udpPort ?? 0, '127.0.0.1');
  const [doppler] = dopplers.az1 ?? [];
  await eventually(() => doppler?.envelopes.length === 3);
  await eventually(() => value(metron, 'malformed') === 1);
  t.deepEqual(
    doppler?.envelopes.map(({ source_id, counter }) => [source_id, Number(counter?.total ?? -1)]),
    [
      ['old', 3],
      ['old', 7],
      ['old', -1],
    ],
  );
  t.is(value(metron, 'ingress'), 4);
});

// Dopplers break streams and come and go; what went in came out once, or is accounted for.
for (const seed of [1, 2, 3]) {
  test(`in = out + dropped, but for what is unconfirmed, whatever breaks, seed ${seed}`, async (t) => {
    const { dopplers, files, metron } = await setUp(t, { az1: 2, az2: 1 });
    const all = Object.values(dopplers).flat();
    const app = connect(t, metron, files.rep, { maxCount: 100_000 });
    const total = 60;
    for (let n = 0; n < total; n += 1) {
      emit(app, SOURCES, n);
      if (n % 10 === 5) all[(seed + n) % all.length]?.breakStreams();
      await new Promise((resolve) => setTimeout(resolve, (n * seed) % 7));
    }
    await app.flush();
    await eventually(() => value(metron, 'ingress') === total * SOURCES.length);
    await eventually(() => value(metron, 'waiting') === 0);
    await metron[Symbol.asyncDispose]();
    const out = all.reduce((sum, { envelopes }) => sum + envelopes.length, 0);
    const missing = value(metron, 'ingress') - value(metron, 'dropped') - out;
    t.true(missing >= 0 && missing <= value(metron, 'unconfirmed'), `${missing} missing`);
    const keys = all.flatMap(({ envelopes }) =>
      envelopes.map(({ source_id, log }) => `${source_id} ${Buffer.from(log?.payload ?? [])}`),
    );
    t.is(new Set(keys).size, keys.length, 'nothing comes twice');
  });
}

interface SetUp {
  readonly dopplers: Readonly<Record<string, readonly FakeIngress[]>>;
  readonly files: Readonly<Record<'metron' | 'doppler' | 'rep', TlsFiles>>;
  readonly metron: RunningMetron;
  readonly client: Client;
}

type RunningMetron = Metron & { readonly lines: { readonly text: string }[] };

async function setUp(
  t: ExecutionContext,
  counts: Readonly<Record<string, number>>,
  config: Partial<MetronConfig> = {},
): Promise<SetUp> {
  const files = await testTls('metron', 'doppler', 'rep');
  const dopplers: Record<string, FakeIngress[]> = {};
  const zones: Zone[] = [];
  for (const [name, count] of Object.entries(counts)) {
    const zone = await Promise.all(range(0, count).map(() => started(t, files.doppler)));
    dopplers[name] = zone;
    zones.push({ name, addresses: zone.map(({ address }) => address) });
  }
  const metron = await run(t, files.metron, zones, config);
  const client = dial({
    address: metron.address,
    tls: readTls(files.rep),
    serverName: 'metron',
    channelOptions: { 'grpc.max_send_message_length': -1 },
  });
  t.teardown(() => client.close());
  return { dopplers, files, metron, client };
}

async function started(
  t: ExecutionContext,
  files: TlsFiles,
  address?: string,
): Promise<FakeIngress> {
  const fake = await FakeIngress.start(files, address);
  t.teardown(() => fake[Symbol.asyncDispose]());
  return fake;
}

async function run(
  t: ExecutionContext,
  tls: TlsFiles,
  zones: readonly Zone[],
  config: Partial<MetronConfig> = {},
): Promise<RunningMetron> {
  const log = spyLog();
  const metron = await startMetron(
    {
      port: 0,
      tls,
      tags: new Map([
        ['deployment', 'cf'],
        ['job', 'router'],
      ]),
      logsDisabled: false,
      zones,
      zone: 'az1',
      isPool: false,
      addressWithZone: '',
      failoverAfterMs: 100,
      egressBufferSize: 50_000,
      egressBufferBytes: 32 * 1024 * 1024,
      metricsPort: 0,
      statsdAddress: '',
      metricsIntervalMs: 5000,
      ...config,
    },
    log,
  );
  t.teardown(() => metron[Symbol.asyncDispose]());
  return { ...metron, lines: log.lines };
}

function connect(
  t: ExecutionContext,
  metron: Metron,
  files: TlsFiles,
  options: { readonly maxCount?: number } = {},
): IngressClient {
  const { address } = metron;
  const app = new IngressClient({ address, tls: readTls(files), log: spyLog(), ...options });
  t.teardown(() => app[Symbol.asyncDispose]());
  return app;
}

function emit(app: IngressClient, sources: readonly string[], n: number): void {
  for (const source of sources) app.emit(encodeEnvelope(numberedLog(source, n)));
}

function send(client: Client, method: Method, messages: readonly Buffer[]): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const { path, requestSerialize, responseDeserialize } = ingressService[method];
    const answer = (error: ServiceError | null, bytes?: Buffer): void => {
      if (error) reject(error);
      else resolve(bytes ?? Buffer.alloc(0));
    };
    if (method === 'send') {
      const [only = Buffer.alloc(0)] = messages;
      client.makeUnaryRequest(path, requestSerialize, responseDeserialize, only, answer);
      return;
    }
    const call = client.makeClientStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      new Metadata(),
      {},
      answer,
    );
    call.on('error', () => undefined);
    for (const message of messages) call.write(message);
    call.end();
  });
}

/** The sum over all labels. */
function value(metron: Metron, name: string): number {
  let total = 0;
  for (const series of metron.metrics.series()) if (series.name === name) total += series.value;
  return total;
}

function received(dopplers: readonly FakeIngress[] = []): number {
  return dopplers.reduce((total, { envelopes }) => total + envelopes.length, 0);
}

function numbersOf(doppler: FakeIngress | undefined, source: string): number[] {
  const all = doppler?.envelopes.filter(({ source_id }) => source_id === source) ?? [];
  return all.map((envelope: EnvelopeInit) =>
    Number(/\d+$/.exec(Buffer.from(envelope.log?.payload ?? []).toString())),
  );
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, index) => from + index);
}
