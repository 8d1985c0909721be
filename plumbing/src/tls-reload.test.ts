import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import https from 'node:https';
import { connect } from 'node:tls';
import type * as grpc from '@grpc/grpc-js';
import test, { type ExecutionContext } from 'ava';
import { dial, type GrpcListener, listenGrpc } from './grpc.ts';
import { listenHttp } from './http.ts';
import { koaApp } from './koa-app.ts';
import { eventually, spyLog } from './testing.ts';
import { PemFolder, testAuthority, testIssue } from './testing-pki.ts';
import { clientContext, readAuthorities, readKeyPair, readTls, type Tls } from './tls.ts';

const POLL = { pollMs: 5 };

test('a gRPC server takes changed certificates, and a stream lives through it', async (t) => {
  const server = await identity(t, 'doppler', { edition: 1 });
  const client = await identity(t, 'nozzle');
  const listener = await serving(t, readTls(server.files, POLL));
  const stream = await talking(dialling(t, listener, readTls(client.files)));
  t.is(await serialShown(listener.port, client), server.serial);

  const next = await testIssue('a', 'doppler', { edition: 2 });
  server.put(next);
  await eventually(async () => (await serialShown(listener.port, client)) === serialOf(next));
  t.is(await say(stream, 'still there?'), 'still there?');
});

test('a gRPC client takes changed certificates, and a stream lives through it', async (t) => {
  const server = await identity(t, 'doppler');
  const client = await identity(t, 'nozzle', { edition: 1 });
  const listener = await serving(t, readTls(server.files));
  const tls = readTls(client.files, POLL);
  const dialled = dialling(t, listener, tls);
  const stream = await talking(dialled);
  t.is(await whoAmI(dialled), client.serial);

  const next = await testIssue('a', 'nozzle', { edition: 2 });
  client.put(next);
  await eventually(() => String(tls.cert) === next.cert, { what: 'a reload' });
  t.is(await say(stream, 'still there?'), 'still there?');
  t.is(await whoAmI(dialled), client.serial, 'the connection is the same');

  await listener[Symbol.asyncDispose]();
  await serving(t, readTls(server.files), listener.address);
  t.is(await eventually(() => whoAmI(dialled)), serialOf(next));
});

test('an HTTPS server takes changed certificates', async (t) => {
  const server = await identity(t, 'doppler', { edition: 1 });
  const client = await identity(t, 'nozzle');
  for (const http2 of [false, true]) {
    const log = spyLog();
    const tls = readKeyPair(server.files, POLL);
    const common = { address: '127.0.0.1:0', app: koaApp(log), log, http2, drainMs: 100 };
    const listener = await listenHttp({ ...common, tls });
    t.teardown(() => listener[Symbol.asyncDispose]());
    const next = await testIssue('a', 'doppler', { edition: http2 ? 3 : 2 });
    server.put(next);
    await eventually(async () => (await serialShown(listener.port, client)) === serialOf(next));
  }
  t.pass();
});

test('an HTTPS agent with a context of ours believes a new authority', async (t) => {
  const log = spyLog();
  const server = await identity(t, 'doppler', { authority: 'b' });
  const tls = readKeyPair(server.files);
  const app = koaApp(log);
  const listener = await listenHttp({ address: '127.0.0.1:0', app, log, tls, drainMs: 100 });
  t.teardown(() => listener[Symbol.asyncDispose]());

  const client = await identity(t, 'nozzle');
  const context = clientContext(readAuthorities(client.files.ca, POLL));
  t.teardown(() => context[Symbol.dispose]());
  const agent = new https.Agent({ secureContext: context.secureContext, servername: 'doppler' });
  t.teardown(() => agent.destroy());
  const ask = async (): Promise<number | undefined> => {
    const request = https.get(`https://${listener.address}/`, { agent });
    const [response] = await once(request, 'response');
    response.resume();
    return response.statusCode;
  };
  await t.throwsAsync(ask(), { message: /certificate/ });
  client.put({ ca: (await testAuthority('b')).cert });
  t.is(await eventually(ask), 404);
});

test('a new authority comes by a bundle, and no connection is refused on the way', async (t) => {
  const server = await identity(t, 'doppler');
  const client = await identity(t, 'nozzle');
  const listener = await serving(t, readTls(server.files, POLL));
  const tls = readTls(client.files, POLL);
  const connects = async (): Promise<string> => {
    const dialled = dial({ address: listener.address, tls, serverName: 'doppler' });
    try {
      return await whoAmI(dialled);
    } finally {
      dialled.close();
    }
  };
  const stays = await talking(dialling(t, listener, tls));

  const [a, b] = [(await testAuthority('a')).cert, (await testAuthority('b')).cert];
  for (const folder of [server, client]) folder.put({ ca: `${a}${b}` });
  await eventually(() => tls.ca.includes(b.trim()));
  await connects();
  const servers = await testIssue('b', 'doppler');
  server.put(servers);
  await eventually(async () => (await serialShown(listener.port, client)) === serialOf(servers));
  await connects();
  const clients = await testIssue('b', 'nozzle');
  client.put(clients);
  await eventually(async () => (await connects()) === serialOf(clients));
  for (const folder of [server, client]) folder.put({ ca: b });
  await eventually(() => !tls.ca.includes(a.trim()));
  await connects();

  const old = await identity(t, 'nozzle');
  old.put({ ca: b });
  await eventually(() =>
    serialShown(listener.port, old).then(
      () => false,
      () => true,
    ),
  );
  t.is(await say(stays, 'still there?'), 'still there?');
});

type Identity = PemFolder & { readonly serial: string };

/** Files of a certificate of authority a, or another; the authority that they believe is a. */
async function identity(
  t: ExecutionContext,
  name: string,
  options: { readonly authority?: string; readonly edition?: number } = {},
): Promise<Identity> {
  const { authority = 'a', ...rest } = options;
  const folder = new PemFolder();
  t.teardown(() => folder[Symbol.dispose]());
  const issued = await testIssue(authority, name, rest);
  folder.put({ ...issued, ca: (await testAuthority('a')).cert });
  return Object.assign(folder, { serial: serialOf(issued) });
}

function serialOf({ cert }: { readonly cert: string }): string {
  return new X509Certificate(cert).serialNumber;
}

/** The number of the certificate that a server shows to a new connection which it lets in. */
async function serialShown(port: number, client: PemFolder): Promise<string> {
  const { ca, cert, key } = readTls(client.files);
  const servername = 'doppler';
  const options = {
    cert,
    key,
    servername,
    rejectUnauthorized: false,
    ALPNProtocols: ['h2', 'http/1.1'],
  };
  const socket = connect({ ...options, ca, port, host: '127.0.0.1' });
  try {
    await once(socket, 'secureConnect');
    const { serialNumber } = socket.getPeerCertificate();
    const gone = once(socket, 'close').then(() => []);
    // A server that speaks HTTP/2 speaks first.
    if (socket.alpnProtocol !== 'h2') socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    const [answer] = await Promise.race([once(socket, 'data'), gone]);
    if (answer === undefined) throw new Error('the server hung up');
    return serialNumber;
  } finally {
    socket.destroy();
  }
}

const bytes = (value: Buffer): Buffer => value;
const method = {
  requestSerialize: bytes,
  requestDeserialize: bytes,
  responseSerialize: bytes,
  responseDeserialize: bytes,
};

/** `Talk` says hello and then what it is told; `WhoAmI` the number of the caller's certificate. */
const service = {
  definition: {
    talk: { path: '/t.T/Talk', requestStream: true, responseStream: true, ...method },
    whoAmI: { path: '/t.T/WhoAmI', requestStream: false, responseStream: false, ...method },
  },
  implementation: {
    talk: (call: grpc.ServerDuplexStream<Buffer, Buffer>) => {
      call.write(Buffer.from('hello'));
      call.on('data', (said: Buffer) => call.write(said));
      call.on('end', () => call.end());
    },
    whoAmI: (call: grpc.ServerUnaryCall<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) => {
      const { sslPeerCertificate } = call.getAuthContext();
      done(null, Buffer.from(sslPeerCertificate?.serialNumber ?? ''));
    },
  },
};

async function serving(
  t: ExecutionContext,
  tls: Tls,
  address = '127.0.0.1:0',
): Promise<GrpcListener> {
  const common = { log: spyLog(), drainMs: 50 };
  const listener = await listenGrpc({ ...common, address, tls, services: [service] });
  t.teardown(() => listener[Symbol.asyncDispose]());
  return listener;
}

function dialling(t: ExecutionContext, { address }: GrpcListener, tls: Tls): grpc.Client {
  const client = dial({ address, tls, serverName: 'doppler' });
  t.teardown(() => client.close());
  return client;
}

function whoAmI(client: grpc.Client): Promise<string> {
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest('/t.T/WhoAmI', bytes, bytes, Buffer.alloc(0), (error, value) => {
      if (error === null) resolve(String(value));
      else reject(error);
    });
  });
}

/** Says something on a stream, and gives what comes back. */
async function say(stream: grpc.ClientDuplexStream<Buffer, Buffer>, text: string): Promise<string> {
  stream.write(Buffer.from(text));
  const [heard] = await once(stream, 'data');
  return String(heard);
}

/** A stream that has begun. */
async function talking(client: grpc.Client): Promise<grpc.ClientDuplexStream<Buffer, Buffer>> {
  const stream = client.makeBidiStreamRequest('/t.T/Talk', bytes, bytes);
  stream.on('error', () => undefined); // It is cut in the end.
  await once(stream, 'data');
  return stream;
}
