import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect as connectHttp2, type Http2Session, type ServerHttp2Session } from 'node:http2';
import { connect as connectTcp, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as grpc from '@grpc/grpc-js';
import test, { type ExecutionContext } from 'ava';
import { ensureCertificates } from './authority.ts';
import {
  dial,
  type GrpcListener,
  type GrpcListenOptions,
  listenGrpc,
  MAX_MESSAGE_BYTES,
  WINDOW_BYTES,
} from './grpc.ts';
import { ListenError } from './listen-error.ts';
import { Metrics } from './metrics.ts';
import { eventually, spyLog, testTls } from './testing.ts';
import { readKeyPair, readTls, type Tls } from './tls.ts';

test('hands over the very bytes, both ways', async (t) => {
  const { client } = await serving(t);
  const bytes = Buffer.from([0, 1, 254, 255]);
  t.deepEqual(await echo(client, bytes), bytes);
});

test('serves over mutual TLS to whoever has a certificate of its authority', async (t) => {
  const { server, client } = await tlsOfTwo();
  const { listener } = await serving(t, { tls: server });
  const { address } = listener;
  const dialled = dialling(t, { address, tls: client, serverName: 'doppler' });
  t.deepEqual(await echo(dialled, Buffer.from('x')), Buffer.from('x'));
});

test('refuses a client without a certificate, says so in its log, and serves on', async (t) => {
  const { server, client } = await tlsOfTwo();
  const { listener, log } = await serving(t, { tls: server });
  const plain = dialling(t, { address: listener.address, tls: undefined, serverName: 'doppler' });
  const error = await t.throwsAsync<grpc.ServiceError>(echo(plain, Buffer.from('x')));
  t.is(error?.code, grpc.status.UNAVAILABLE);
  await eventually(() => log.lines.some(({ text }) => text === 'a TLS handshake failed'));

  const proper = { address: listener.address, tls: client, serverName: 'doppler' };
  t.deepEqual(await echo(dialling(t, proper), Buffer.from('x')), Buffer.from('x'));
});

test('refuses a client whose certificate is of another authority, and says why', async (t) => {
  const { server, client } = await tlsOfTwo();
  const { listener, log } = await serving(t, { tls: server });
  const stranger = { ...client, ...(await strangersPair()) };
  const dialled = dialling(t, { address: listener.address, tls: stranger, serverName: 'doppler' });
  const error = await t.throwsAsync<grpc.ServiceError>(echo(dialled, Buffer.from('x')));
  t.is(error?.code, grpc.status.UNAVAILABLE);
  const line = await eventually(() =>
    log.lines.find(({ text }) => text === 'a TLS handshake failed'),
  );
  t.is(line?.fields.reason, 'CERT_SIGNATURE_FAILURE');
});

test('does not talk to a server whose certificate carries another name', async (t) => {
  const { server, client } = await tlsOfTwo();
  const { listener } = await serving(t, { tls: server });
  const { address } = listener;
  const dialled = dialling(t, { address, tls: client, serverName: 'reverselogproxy' });
  const error = await t.throwsAsync<grpc.ServiceError>(echo(dialled, Buffer.from('x')));
  t.is(error?.code, grpc.status.UNAVAILABLE);
  t.regex(error?.details ?? '', /reverselogproxy/);
});

test('answers a method that nobody serves with UNIMPLEMENTED', async (t) => {
  const { client } = await serving(t);
  const error = await t.throwsAsync<grpc.ServiceError>(echo(client, Buffer.from('x'), '/t.T/Nope'));
  t.is(error?.code, grpc.status.UNIMPLEMENTED);
});

test('takes a message of 10 MiB, and refuses a larger one with RESOURCE_EXHAUSTED', async (t) => {
  const { listener, client } = await serving(t);
  const largest = Buffer.alloc(MAX_MESSAGE_BYTES);
  t.is((await echo(client, largest)).length, MAX_MESSAGE_BYTES);

  const unlimited = dialling(t, {
    address: listener.address,
    tls: undefined,
    serverName: 'doppler',
    channelOptions: { 'grpc.max_send_message_length': -1 },
  });
  const error = await t.throwsAsync<grpc.ServiceError>(
    echo(unlimited, Buffer.alloc(MAX_MESSAGE_BYTES + 1)),
  );
  t.is(error?.code, grpc.status.RESOURCE_EXHAUSTED);
  t.deepEqual(await echo(client, Buffer.from('x')), Buffer.from('x'), 'others are not disturbed');
});

test('a service may take and give larger messages than its neighbours', async (t) => {
  const unary = { requestStream: false, responseStream: false, ...method, ...answer };
  const own = { path: '/t.Large/Echo', ...unary };
  const reply = (
    call: grpc.ServerUnaryCall<Buffer, Buffer>,
    done: grpc.sendUnaryData<Buffer>,
  ): void => done(null, call.request);
  const messageBytesMax = 2 * MAX_MESSAGE_BYTES;
  const { listener } = await serving(t, {
    services: [
      { definition: { echo: own }, implementation: { echo: reply }, messageBytesMax },
      { definition: { echo: { path: '/t.T/Echo', ...unary } }, implementation: { echo: reply } },
    ],
  });
  const { address } = listener;
  const common = { address, tls: undefined, serverName: 'doppler' };
  const client = dialling(t, { ...common, messageBytesMax: messageBytesMax + 1 });
  const largest = Buffer.alloc(messageBytesMax);
  t.is((await echo(client, largest, own.path)).length, messageBytesMax);
  const tooLarge = Buffer.alloc(messageBytesMax + 1);
  t.like(await t.throwsAsync(echo(client, tooLarge, own.path)), {
    code: grpc.status.RESOURCE_EXHAUSTED,
    details: `grpc: received message larger than max (${messageBytesMax + 1} vs. ${messageBytesMax})`,
  });
  t.like(await t.throwsAsync(echo(client, largest)), { code: grpc.status.RESOURCE_EXHAUSTED });
  const smaller = dialling(t, common);
  t.like(await t.throwsAsync(echo(smaller, largest, own.path)), {
    code: grpc.status.RESOURCE_EXHAUSTED,
  });
});

test('counts what it refuses, by why', async (t) => {
  const { server, client } = await tlsOfTwo();
  const metrics = new Metrics({ origin: 'doppler' });
  const { listener } = await serving(t, { tls: server, metrics });
  const { address } = listener;
  const proper = dialling(t, {
    address,
    tls: client,
    serverName: 'doppler',
    channelOptions: { 'grpc.max_send_message_length': -1 },
  });
  await echo(proper, Buffer.from('x'));
  await t.throwsAsync(echo(proper, Buffer.from('x'), '/t.T/Nope'));
  await t.throwsAsync(echo(proper, Buffer.alloc(MAX_MESSAGE_BYTES + 1)));
  await t.throwsAsync(
    echo(dialling(t, { address, tls: undefined, serverName: 'doppler' }), Buffer.from('x')),
  );
  const values = (): Record<string, number> =>
    Object.fromEntries(
      [...metrics.series()].map(({ labels, value }) => [Object.values(labels).join(' '), value]),
    );
  await eventually(() => (values()['grpc tls'] ?? 0) > 0 && values().RESOURCE_EXHAUSTED === 1);
  t.like(values(), { UNIMPLEMENTED: 1, RESOURCE_EXHAUSTED: 1, 'grpc limit': 0 });
});

test('refuses one connection too many', async (t) => {
  const { listener, client, log } = await serving(t, { maxConnections: 1 });
  await echo(client, Buffer.from('x'));
  const { address } = listener;
  const second = dialling(t, { address, tls: undefined, serverName: 'doppler' });
  await t.throwsAsync(echo(second, Buffer.from('x')));
  t.true(log.lines.some(({ key }) => key === 'grpc-drop'));
  t.deepEqual(await echo(client, Buffer.from('x')), Buffer.from('x'));
});

// The guard of the private fields that grpc.ts writes to: what an HTTP/2 peer is told.
test('gives each stream and each connection a window of 1 MiB on the server', async (t) => {
  const { listener } = await serving(t);
  const session = connectHttp2(`http://${listener.address}`);
  t.teardown(() => session.destroy());
  const [settings] = await once(session, 'remoteSettings');
  t.is(settings.initialWindowSize, WINDOW_BYTES);
  await eventually(() => session.state.remoteWindowSize === WINDOW_BYTES, {
    what: 'a connection window of 1 MiB',
  });
});

test('gives each stream and each connection a window of 1 MiB on the client', async (t) => {
  const { createServer: createHttp2Server } = await import('node:http2');
  const server = createHttp2Server();
  const sessions: Http2Session[] = [];
  server.on('session', (session: ServerHttp2Session) => sessions.push(session));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const client = dial({ address: `127.0.0.1:${port}`, tls: undefined, serverName: 'doppler' });
  t.teardown(() => {
    client.close();
    for (const session of sessions) session.destroy();
    server.close();
  });
  client.waitForReady(Date.now() + 5000, () => undefined);
  const session = await eventually(() => sessions[0]);
  await eventually(() => session?.remoteSettings.initialWindowSize === WINDOW_BYTES);
  await eventually(() => session?.state.remoteWindowSize === WINDOW_BYTES);
  t.pass();
});

test('names the address when the port is in use', async (t) => {
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  t.teardown(() => taken.close());
  const { port } = taken.address() as { port: number };
  const error = await t.throwsAsync(serving(t, { address: `127.0.0.1:${port}` }), {
    instanceOf: ListenError,
  });
  t.is(error?.message, `cannot listen on 127.0.0.1:${port}: the port is in use (EADDRINUSE)`);
});

for (const address of ['0.0.0.0:0', ':0', '[::]:0']) {
  test(`does not listen on ${address} without TLS`, async (t) => {
    await t.throwsAsync(serving(t, { address }), { instanceOf: ListenError, message: /TLS/ });
  });
}

test('refuses what is no address', async (t) => {
  await t.throwsAsync(serving(t, { address: 'doppler' }), { message: /must be HOST:PORT/ });
});

test('lets a call that has begun end before it closes, and takes no new one', async (t) => {
  const { listener, client } = await serving(t);
  const { stream, pushed } = openPush(client);
  stream.write(Buffer.from('one'));
  await eventually(() => counts.get(listener) === 1);
  const closed = listener[Symbol.asyncDispose]();
  stream.write(Buffer.from('two'));
  stream.end();
  t.deepEqual(await pushed, Buffer.from('2'));
  await closed;

  const late = dialling(t, { address: listener.address, tls: undefined, serverName: 'doppler' });
  const error = await t.throwsAsync<grpc.ServiceError>(echo(late, Buffer.from('x')));
  t.is(error?.code, grpc.status.UNAVAILABLE);
});

test('tells its streams when draining begins', async (t) => {
  const { listener, client } = await serving(t);
  const stream = openFollow(client);
  const [first] = await once(stream, 'data');
  t.deepEqual(first, Buffer.from('hello'));
  const ended = once(stream, 'end');
  const rest: Buffer[] = [];
  stream.on('data', (bytes) => rest.push(bytes));
  await listener[Symbol.asyncDispose]();
  await ended;
  t.deepEqual(rest, [Buffer.from('bye')]);
  t.true(listener.draining.aborted);
});

test('cuts a call that does not end in time', async (t) => {
  const { listener, client } = await serving(t, { drainMs: 50 });
  const { stream, pushed } = openPush(client);
  stream.write(Buffer.from('one'));
  await eventually(() => counts.get(listener) === 1);
  const failed = t.throwsAsync(pushed);
  await listener[Symbol.asyncDispose]();
  await failed;
});

test('cuts a connection that never began to speak', async (t) => {
  const { server } = await tlsOfTwo();
  const { listener } = await serving(t, { drainMs: 50, tls: server });
  const silent = connectTcp(listener.port, '127.0.0.1');
  silent.on('error', () => undefined); // It may be reset.
  await once(silent, 'connect');
  const closed = once(silent, 'close');
  await listener[Symbol.asyncDispose]();
  await closed;
  t.pass();
});

test('is not disturbed by bytes that are no HTTP/2', async (t) => {
  const { listener, client } = await serving(t);
  const socket = connectTcp(listener.port, '127.0.0.1');
  socket.on('error', () => undefined); // It may be reset.
  socket.resume();
  socket.write('GET / HTTP/1.1\r\n\r\n'.repeat(1000));
  await once(socket, 'close');
  t.deepEqual(await echo(client, Buffer.from('x')), Buffer.from('x'));
});

test('finds a server again that went away and came back', async (t) => {
  const first = await serving(t, { drainMs: 0 });
  const { address } = first.listener;
  const client = dialling(t, { address, tls: undefined, serverName: 'doppler' });
  await echo(client, Buffer.from('x'));
  await first.listener[Symbol.asyncDispose]();
  await t.throwsAsync(echo(client, Buffer.from('x')));
  await serving(t, { address });
  t.deepEqual(await eventually(() => echo(client, Buffer.from('x'))), Buffer.from('x'));
});

const identity = (bytes: Buffer): Buffer => bytes;
const method = { requestSerialize: identity, requestDeserialize: identity };
const answer = { responseSerialize: identity, responseDeserialize: identity };

const definition: grpc.ServiceDefinition = {
  echo: { path: '/t.T/Echo', requestStream: false, responseStream: false, ...method, ...answer },
  push: { path: '/t.T/Push', requestStream: true, responseStream: false, ...method, ...answer },
  follow: { path: '/t.T/Follow', requestStream: false, responseStream: true, ...method, ...answer },
};

/** A certificate of an authority that nobody here trusts. */
async function strangersPair(): Promise<{ cert: Buffer; key: Buffer }> {
  const folder = await mkdtemp(join(tmpdir(), 'standpipe-stranger-'));
  try {
    await ensureCertificates(folder, ['metron']);
    return readKeyPair({ cert: join(folder, 'metron.crt'), key: join(folder, 'metron.key') });
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** How many messages each listener's `push` has received. */
const counts = new WeakMap<GrpcListener, number>();

async function serving(
  t: ExecutionContext,
  options: Partial<GrpcListenOptions> = {},
): Promise<{ listener: GrpcListener; client: grpc.Client; log: ReturnType<typeof spyLog> }> {
  const log = spyLog();
  let count = 0;
  const listener: GrpcListener = await listenGrpc({
    address: '127.0.0.1:0',
    tls: undefined,
    log,
    services: (draining) => [
      {
        definition,
        implementation: {
          echo: (call: grpc.ServerUnaryCall<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) =>
            done(null, call.request),
          push: (
            call: grpc.ServerReadableStream<Buffer, Buffer>,
            done: grpc.sendUnaryData<Buffer>,
          ) => {
            call.on('data', () => {
              count += 1;
              counts.set(listener, count);
            });
            call.on('end', () => done(null, Buffer.from(String(count))));
          },
          follow: (call: grpc.ServerWritableStream<Buffer, Buffer>) => {
            call.write(Buffer.from('hello'));
            draining.addEventListener('abort', () => {
              call.write(Buffer.from('bye'));
              call.end();
            });
          },
        },
      },
    ],
    ...options,
  });
  t.teardown(() => listener[Symbol.asyncDispose]());
  const { address } = listener;
  const client = dialling(t, { address, tls: undefined, serverName: 'doppler' });
  return { listener, client, log };
}

function dialling(t: ExecutionContext, options: Parameters<typeof dial>[0]): grpc.Client {
  const client = dial(options);
  t.teardown(() => client.close());
  return client;
}

function echo(client: grpc.Client, bytes: Buffer, path = '/t.T/Echo'): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(path, identity, identity, bytes, (error, value) => {
      if (error === null) resolve(value ?? Buffer.alloc(0));
      else reject(error);
    });
  });
}

function openPush(client: grpc.Client): {
  stream: grpc.ClientWritableStream<Buffer>;
  pushed: Promise<Buffer>;
} {
  let stream: grpc.ClientWritableStream<Buffer> | undefined;
  const pushed = new Promise<Buffer>((resolve, reject) => {
    stream = client.makeClientStreamRequest('/t.T/Push', identity, identity, (error, value) => {
      if (error === null) resolve(value ?? Buffer.alloc(0));
      else reject(error);
    });
  });
  if (stream === undefined) throw new Error('a promise runs at once');
  return { stream, pushed };
}

function openFollow(client: grpc.Client): grpc.ClientReadableStream<Buffer> {
  return client.makeServerStreamRequest('/t.T/Follow', identity, identity, Buffer.alloc(0));
}

async function tlsOfTwo(): Promise<{ server: Tls; client: Tls }> {
  const files = await testTls({ name: 'doppler', dns: ['log-cache'] }, 'metron');
  return { server: readTls(files.doppler), client: readTls(files.metron) };
}
