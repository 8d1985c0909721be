import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { type GrpcListener, listenGrpc, readTls, type TlsFiles } from '@standpipe/plumbing';
import { eventually, spyLog, testTls } from '@standpipe/plumbing/testing';
import { ingressService, logCacheIngressService, loggregator } from '@standpipe/protos';
import { randomFrom } from '@standpipe/protos/testing';
import test, { type ExecutionContext } from 'ava';
import { readCarrier } from '../messages.ts';
import { metricOf } from '../testing.ts';
import { readConfig } from './config.ts';
import { type SyslogServer, startSyslogServer } from './syslog-server.ts';

const HEAD = '<14>1 2023-11-14T22:13:20.123456Z host app [APP/PROC/WEB/3] -';

/** A Log Cache, or an agent, that notes the texts of what it is sent. */
class SpyReceiver {
  readonly texts: string[] = [];
  /** How many of the next sends are refused, and with which status. */
  refusals = 0;
  code = 0;
  listener: GrpcListener | undefined;
  readonly #tls: TlsFiles | undefined;

  constructor(tls?: TlsFiles) {
    this.#tls = tls;
  }

  get address(): string {
    return this.listener?.address ?? '';
  }

  async listen(address = '127.0.0.1:0'): Promise<this> {
    const take =
      (batchOf: (request: Buffer) => Buffer | undefined) =>
      (
        { request }: { readonly request: Buffer },
        answer: (error: object | null, value?: Buffer) => void,
      ): void => {
        if (this.refusals > 0) {
          this.refusals -= 1;
          answer({ code: this.code, details: 'not now' });
          return;
        }
        const bytes = batchOf(request) ?? Buffer.alloc(0);
        for (const { log } of loggregator.v2.EnvelopeBatch.decode(bytes).batch) {
          this.texts.push(Buffer.from(log?.payload ?? []).toString());
        }
        answer(null, Buffer.alloc(0));
      };
    this.listener = await listenGrpc({
      address,
      tls: this.#tls && readTls(this.#tls),
      services: [
        {
          definition: logCacheIngressService,
          implementation: { send: take((request) => readCarrier(request).envelopes) },
        },
        { definition: ingressService, implementation: { send: take((request) => request) } },
      ],
      log: spyLog(),
      drainMs: 0,
    });
    return this;
  }

  async close(): Promise<void> {
    await this.listener?.[Symbol.asyncDispose]();
    this.listener = undefined;
  }
}

test('messages by octet counting come to the Log Cache, in their order', async (t) => {
  const { server, receiver } = await started(t);
  const socket = await sender(server);
  socket.write(framed('one', 'two'));
  socket.write(`\n${framed('three')}`);
  await eventually(() => receiver.texts.length === 3);
  t.deepEqual(receiver.texts, ['one', 'two', 'three']);
  t.is(count(server, 'ingress'), 3);
  t.is(count(server, 'invalid_ingress'), 0);
  await eventually(() => count(server, 'nozzle_egress') === 3);
  t.is(count(server, 'nozzle_ingress'), 3);
  t.is(count(server, 'nozzle_err'), 0);
});

test('messages by line feeds come at once, those of several lines whole', async (t) => {
  const { server, receiver } = await started(t, { SYSLOG_NON_TRANSPARENT_FRAMING: 'true' });
  const socket = await sender(server);
  socket.write(`${HEAD} - one\n`);
  await eventually(() => receiver.texts.length === 1);
  socket.write(`${HEAD} - two\n  more of two\n${HEAD} - three\nnot syslog\n${HEAD} - four\n`);
  await eventually(() => receiver.texts.length === 4);
  t.deepEqual(receiver.texts, ['one', 'two\n  more of two', 'three\nnot syslog', 'four']);
});

test('by line feeds a message that is no syslog is counted, and the connection stays', async (t) => {
  const { server, receiver } = await started(t, { SYSLOG_NON_TRANSPARENT_FRAMING: 'true' });
  const socket = await sender(server);
  socket.write('no syslog\n');
  await eventually(() => count(server, 'invalid_ingress') === 1);
  socket.write(`${HEAD} - good\n`);
  await eventually(() => receiver.texts.length === 1);
  t.deepEqual(receiver.texts, ['good']);
});

for (const [what, text] of [
  ['bad framing', 'no length'],
  ['a message that is too long', '70000 x'],
  ['no RFC 5424', '5 hello'],
  ['an app name that is too long', octets(`${HEAD.replace(' app ', ` ${'a'.repeat(49)} `)} - x`)],
  ['nanoseconds', octets(`${HEAD.replace('456Z', '456789Z')} - x`)],
] as const) {
  test(`${what}: counted once, and the connection is closed`, async (t) => {
    const { server, receiver } = await started(t);
    const socket = await sender(server);
    socket.write(`${framed('before')}${text}${framed('after')}`);
    await closed(socket);
    t.is(count(server, 'invalid_ingress'), 1);
    await eventually(() => receiver.texts.length === 1);
    t.deepEqual(receiver.texts, ['before']);
  });
}

for (const [what, text] of [
  ['no app name', octets(`${HEAD.replace(' app ', ' - ')} - x`)],
  ['an unknown element', octets(`${HEAD} [what@1] x`)],
  ['no text', octets(`${HEAD} -`)],
] as const) {
  test(`a message with ${what}: counted, and the connection stays open`, async (t) => {
    const { server, receiver } = await started(t);
    const socket = await sender(server);
    socket.write(`${text}${framed('after')}`);
    await eventually(() => receiver.texts.length === 1);
    t.is(count(server, 'invalid_ingress'), 1);
    t.false(socket.destroyed);
  });
}

test('a connection without any byte, and one cut within a message, are counted', async (t) => {
  const { server, receiver } = await started(t);
  (await sender(server)).end();
  await eventually(() => count(server, 'invalid_ingress') === 1);
  const cut = await sender(server);
  cut.write(framed('whole'));
  await eventually(() => receiver.texts.length === 1);
  cut.end('99 <14>1 -');
  await eventually(() => count(server, 'invalid_ingress') === 2);
  const good = await sender(server);
  good.end(framed('last'));
  await eventually(() => receiver.texts.length === 2);
  await eventually(() => count(server, 'connections') === 0);
  t.is(count(server, 'invalid_ingress'), 2);
});

test('an idle connection is closed, and so is one that only drips', async (t) => {
  const { server, receiver } = await started(t, { SYSLOG_IDLE_TIMEOUT: '300ms' });
  const idle = await sender(server);
  idle.write(framed('one'));
  const dripping = await sender(server);
  const drip = setInterval(() => dripping.write('9'), 50);
  dripping.write('200 <14>1 ');
  t.teardown(() => clearInterval(drip));
  await Promise.all([closed(idle), closed(dripping)]);
  await eventually(() => receiver.texts.length === 1);
  t.deepEqual(receiver.texts, ['one']);
});

test('a never-ending message does not grow', async (t) => {
  const { server } = await started(t, { SYSLOG_NON_TRANSPARENT_FRAMING: 'true' });
  const socket = await sender(server);
  const piece = Buffer.alloc(64 * 1024, 'x');
  const end = closed(socket);
  const write = (): void => {
    if (!socket.destroyed) socket.write(piece, () => setImmediate(write));
  };
  write();
  await end;
  t.is(count(server, 'invalid_ingress'), 1);
  t.is(count(server, 'pending_bytes'), 0);
});

test('one connection too many is refused and counted', async (t) => {
  const { server, receiver } = await started(t, { SYSLOG_MAX_CONNECTIONS: '2' });
  const first = await sender(server);
  await sender(server);
  await eventually(() => count(server, 'connections') === 2);
  const third = await sender(server);
  await closed(third);
  await eventually(() => count(server, 'connections_refused', { reason: 'limit' }) === 1);
  first.write(framed('still'));
  await eventually(() => receiver.texts.length === 1);
  t.is(count(server, 'ingress'), 1);
});

test('mutual TLS is spoken, and a sender without a certificate refused', async (t) => {
  const files = await testTls({ name: 'syslog', dns: ['localhost'] }, 'sender');
  const { server, receiver } = await started(t, {
    SYSLOG_TLS_CERT_PATH: files.syslog.cert,
    SYSLOG_TLS_KEY_PATH: files.syslog.key,
    SYSLOG_CLIENT_TRUSTED_CA_FILE: files.syslog.ca,
  });
  const ca = readFileSync(files.sender.ca);
  const options = { host: '127.0.0.1', port: server.port, ca, servername: 'localhost' };
  const cert = readFileSync(files.sender.cert);
  const socket = connectTls({ ...options, cert, key: readFileSync(files.sender.key) });
  t.teardown(() => socket.destroy());
  socket.write(framed('secret'));
  await eventually(() => receiver.texts.length === 1);

  const stranger = connectTls(options);
  const gone = closed(stranger);
  stranger.on('error', () => {});
  stranger.write(framed('stranger'));
  await gone;
  await eventually(() => count(server, 'connections_refused', { reason: 'tls' }) === 1);
  t.deepEqual(receiver.texts, ['secret']);
});

test('a Log Cache with mutual TLS is sent to, and so is an agent', async (t) => {
  const files = await testTls('log-cache', 'metron', 'client');
  const tls = {
    CA_PATH: files.client.ca,
    CERT_PATH: files.client.cert,
    KEY_PATH: files.client.key,
  };
  const cache = await new SpyReceiver(files['log-cache']).listen();
  const agent = await new SpyReceiver(files.metron).listen();
  t.teardown(() => Promise.all([cache.close(), agent.close()]));
  const toCache = await startedWith(t, { ...tls, LOG_CACHE_ADDR: cache.address });
  const toAgent = await startedWith(t, { ...tls, AGENT_ADDRESS: agent.address });
  (await sender(toCache)).write(framed('for the cache'));
  (await sender(toAgent)).write(framed('for the agent'));
  await eventually(() => cache.texts.length === 1 && agent.texts.length === 1);
  t.deepEqual(cache.texts, ['for the cache']);
  t.deepEqual(agent.texts, ['for the agent']);
});

test('what comes while the Log Cache is away waits for it, in its order', async (t) => {
  const { server, receiver } = await started(t);
  const { address } = receiver;
  await receiver.close();
  const socket = await sender(server);
  socket.write(framed('one'));
  await eventually(() => count(server, 'nozzle_err') > 0);
  socket.write(framed('two', 'three'));
  await eventually(() => count(server, 'ingress') === 3);
  await receiver.listen(address);
  await eventually(() => receiver.texts.length === 3);
  t.deepEqual(receiver.texts, ['one', 'two', 'three']);
  await eventually(() => count(server, 'nozzle_egress') === 3);
  t.is(count(server, 'nozzle_dropped'), 0);
});

test('a batch that is refused is dropped and counted, and the next is sent', async (t) => {
  const { server, receiver } = await started(t);
  receiver.code = 13;
  receiver.refusals = 1;
  const socket = await sender(server);
  socket.write(framed('refused'));
  await eventually(() => count(server, 'nozzle_dropped') === 1);
  t.is(count(server, 'nozzle_err'), 1);
  socket.write(framed('taken'));
  await eventually(() => receiver.texts.length === 1);
  t.deepEqual(receiver.texts, ['taken']);
});

test('when it drains, what came is sent first', async (t) => {
  const { server, receiver } = await started(t, { SYSLOG_NON_TRANSPARENT_FRAMING: 'true' });
  const socket = await sender(server);
  socket.write(`${HEAD} - one\n${HEAD} - two\n`);
  await eventually(() => count(server, 'ingress') >= 1);
  await server[Symbol.asyncDispose]();
  t.is(receiver.texts.length, count(server, 'ingress'));
});

// Anything at all, on either framing, beside a sender who does all well: he loses nothing.
for (const seed of [1, 2, 3]) {
  for (const byLineFeeds of [false, true]) {
    const name = byLineFeeds ? 'line feeds' : 'octets';
    test(`noise on the port disturbs nobody, by ${name}, seed ${seed}`, async (t) => {
      const { server, receiver } = await started(t, {
        SYSLOG_NON_TRANSPARENT_FRAMING: String(byLineFeeds),
      });
      const random = randomFrom(seed);
      const neighbour = await sender(server);
      const frame = (text: string): string => (byLineFeeds ? `${HEAD} - ${text}\n` : framed(text));
      const sent: string[] = [];
      for (let connection = 0; connection < 40; connection += 1) {
        const socket = await sender(server);
        const bytes = noise(random, frame('noise'));
        const at = random(bytes.length + 1);
        socket.write(bytes.subarray(0, at));
        const text = `good ${connection}`;
        sent.push(text);
        const good = frame(text);
        const cut = random(good.length);
        neighbour.write(good.slice(0, cut));
        if (random(3) === 0) socket.destroy();
        else socket.end(bytes.subarray(at));
        neighbour.write(good.slice(cut));
      }
      await eventually(() => count(server, 'connections') === 1);
      neighbour.end();
      await eventually(() => receiver.texts.includes(sent.at(-1) ?? ''));
      t.deepEqual(
        receiver.texts.filter((text) => text.startsWith('good ')),
        sent,
      );
      t.true(count(server, 'invalid_ingress') > 10);
      await eventually(() => count(server, 'connections') === 0);
      t.is(count(server, 'pending_bytes'), 0);
    });
  }
}

test('when too much waits, those that hold the most go, and who finishes what he began stays', async (t) => {
  const pendingBytesMax = 512 * 1024;
  const { server, receiver } = await started(t, {}, { pendingBytesMax });
  const neighbour = await sender(server);
  const sent: string[] = [];
  const begun = `66000 ${HEAD} - ${'x'.repeat(60_000)}`;
  for (let number = 0; number < 30; number += 1) {
    const socket = await sender(server);
    const good = framed(`good ${number}`);
    sent.push(`good ${number}`);
    neighbour.write(good.slice(0, 20));
    socket.write(begun);
    await eventually(() => count(server, 'pending_bytes') > 0);
    t.true(count(server, 'pending_bytes') <= pendingBytesMax);
    neighbour.write(good.slice(20));
  }
  // There is room for eight.
  await eventually(() => count(server, 'invalid_ingress') >= 22);
  t.true(count(server, 'pending_bytes') <= pendingBytesMax);
  await eventually(() => receiver.texts.length === sent.length);
  t.deepEqual(receiver.texts, sent);
  t.false(neighbour.closed);
});

/** Frames with bytes changed, torn, of other framings, with huge lengths, or no frames at all. */
function noise(random: (below: number) => number, good: string): Buffer {
  const parts = Array.from({ length: 1 + random(6) }, (): Buffer => {
    switch (random(7)) {
      case 0:
        return Buffer.from(Array.from({ length: random(300) }, () => random(256)));
      case 1:
        return Buffer.from(`${'9'.repeat(1 + random(12))} <14>1 -`);
      case 2:
        return Buffer.from(framed('counted'));
      case 3:
        return Buffer.from(`${HEAD} - by line feed\n`);
      case 4:
        return Buffer.from(good.slice(0, random(good.length)));
      case 5:
        return Buffer.from(`66000 ${HEAD} [x y="${'\\'.repeat(random(70_000))}`);
      default:
        return Buffer.from(good);
    }
  });
  const bytes = Buffer.concat(parts);
  for (let change = random(5); change > 0 && bytes.length > 0; change -= 1) {
    bytes[random(bytes.length)] = random(256);
  }
  return bytes;
}

async function started(
  t: ExecutionContext,
  env: Readonly<Record<string, string>> = {},
  options: { readonly pendingBytesMax?: number } = {},
): Promise<{ readonly server: SyslogServer; readonly receiver: SpyReceiver }> {
  const receiver = await new SpyReceiver().listen();
  t.teardown(() => receiver.close());
  const server = await startedWith(t, { LOG_CACHE_ADDR: receiver.address, ...env }, options);
  return { server, receiver };
}

async function startedWith(
  t: ExecutionContext,
  env: Readonly<Record<string, string>>,
  options: { readonly pendingBytesMax?: number } = {},
): Promise<SyslogServer> {
  const config = readConfig({
    SYSLOG_HOST: '127.0.0.1',
    SYSLOG_PORT: '0',
    METRICS_PORT: '0',
    ...env,
  });
  // While another test of this file makes keys, nothing else is done.
  const server = await startSyslogServer(config, spyLog(), { sendLimitMs: 60_000, ...options });
  t.teardown(() => server[Symbol.asyncDispose]());
  return server;
}

async function sender(server: SyslogServer): Promise<Socket> {
  const socket = connect(server.port, '127.0.0.1');
  socket.on('error', () => {}); // It may be closed on us while we write.
  socket.resume();
  await once(socket, 'connect');
  return socket;
}

/** Resolves when it is closed, whatever the reason. */
function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once('close', () => resolve()));
}

function octets(message: string): string {
  return `${Buffer.byteLength(message)} ${message}`;
}

function framed(...texts: readonly string[]): string {
  return texts.map((text) => octets(`${HEAD} - ${text}`)).join('');
}

function count(
  { metrics }: SyslogServer,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number {
  for (const series of metrics.series()) {
    const isOne = Object.entries(labels).every(([key, value]) => series.labels[key] === value);
    if (series.name === name && isOne) return series.value;
  }
  return metricOf(metrics, name) ?? 0;
}
