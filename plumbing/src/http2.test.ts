import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2';
import { connect as connectTcp } from 'node:net';
import { PassThrough } from 'node:stream';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import test, { type ExecutionContext } from 'ava';
import type Koa from 'koa';
import { type HttpListener, type HttpListenOptions, listenHttp } from './http.ts';
import { koaApp } from './koa-app.ts';
import { type SpyLog, spyLog, testTls } from './testing.ts';
import { readKeyPair } from './tls.ts';

test('speaks HTTP/2 with those who can, and HTTP/1.1 with the others', async (t) => {
  const { listener } = await serving(t, (ctx) => {
    ctx.body = `${ctx.method} ${ctx.path} ${ctx.req.httpVersion} ${ctx.host}`;
  });
  const session = await sessionOf(t, listener);
  t.deepEqual(await ask(session, '/a'), [200, `GET /a 2.0 ${listener.address}`]);
  for (const ALPNProtocols of [['http/1.1'], undefined]) {
    const socket = await connected(t, listener, ALPNProtocols);
    socket.write('GET /b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    t.regex(await allOf(socket), /^HTTP\/1.1 200 [\s\S]*GET \/b 1.1 x$/);
  }
});

test('answers errors over HTTP/2 as it does over HTTP/1.1', async (t) => {
  const { listener, log } = await serving(t, (ctx) => {
    if (ctx.path === '/bad') ctx.throw(400, 'limit must be a whole number');
    if (ctx.path === '/bug') throw new Error('hunter2');
  });
  const session = await sessionOf(t, listener);
  t.deepEqual(await ask(session, '/bad'), [400, '{"error":"limit must be a whole number"}']);
  t.deepEqual(await ask(session, '/bug'), [500, '{"error":"internal error"}']);
  t.deepEqual(await ask(session, '/nobody'), [404, '{"error":"not found"}']);
  t.is(log.lines.length, 1);
});

test('hands over a connection over HTTP/1.1 that asks for an upgrade, beside HTTP/2', async (t) => {
  const { listener } = await serving(t, () => undefined, {
    drainMs: 20,
    onUpgrade: (_request: IncomingMessage, socket) =>
      socket.write('HTTP/1.1 101 Switching Protocols\r\n\r\nhi'),
  });
  const socket = await connected(t, listener, ['http/1.1']);
  socket.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
  const [first] = await once(socket, 'data');
  t.regex(String(first), /^HTTP\/1.1 101 /);
  const closed = once(socket, 'close');
  await listener[Symbol.asyncDispose]();
  await closed;
});

test('cuts a client over HTTP/1.1 that sends its headers too slowly, beside HTTP/2', async (t) => {
  const { listener } = await serving(t, () => undefined, { headersMs: 100 });
  const socket = await connected(t, listener, ['http/1.1']);
  socket.write('GET / HTTP/1.1\r\nHost: x\r\nX-Slow:');
  t.regex(await allOf(socket), /^HTTP\/1.1 408 /);
});

test('answers plain HTTP with a 400 beside HTTP/2 as well', async (t) => {
  const { listener } = await serving(t, () => undefined);
  const socket = connectTcp(listener.port, '127.0.0.1');
  t.teardown(() => socket.destroy());
  socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  let text = '';
  for await (const chunk of socket) text += String(chunk);
  t.regex(text, /^HTTP\/1.0 400 [\s\S]*Client sent an HTTP request to an HTTPS server/);
});

test('lets a stream over HTTP/2 end before it closes, and takes no new one', async (t) => {
  const body = new PassThrough();
  const { listener } = await serving(t, (ctx) => {
    ctx.body = body;
  });
  const session = await sessionOf(t, listener);
  body.write('data: 1\n\n');
  const stream = session.request({ ':path': '/' });
  await once(stream, 'data');
  const goaway = once(session, 'goaway');
  const closed = listener[Symbol.asyncDispose]();
  await goaway;
  const ended = once(stream, 'end');
  stream.resume();
  body.end('data: 2\n\n');
  await ended;
  await closed;
  t.true(session.closed || session.destroyed);
});

test('ends connections over HTTP/2 that wait for nothing at once', async (t) => {
  const { listener } = await serving(t, () => undefined, { drainMs: 60_000 });
  const session = await sessionOf(t, listener);
  const closed = once(session, 'close');
  await listener[Symbol.asyncDispose]();
  await closed;
  t.pass();
});

test('cuts a stream over HTTP/2 that does not end in time', async (t) => {
  const { listener } = await serving(
    t,
    (ctx) => {
      ctx.body = new PassThrough().on('error', () => undefined);
      ctx.res.flushHeaders();
    },
    { drainMs: 30 },
  );
  const session = await sessionOf(t, listener);
  const stream = session.request({ ':path': '/' });
  stream.on('error', () => undefined); // It is cut.
  await once(stream, 'response');
  const closed = once(session, 'close');
  await listener[Symbol.asyncDispose]();
  await closed;
  t.pass();
});

async function serving(
  t: ExecutionContext,
  answer: (ctx: Koa.Context) => void,
  options: Partial<HttpListenOptions> = {},
): Promise<{ listener: HttpListener; log: SpyLog }> {
  const log = spyLog();
  const app = koaApp(log);
  app.use(answer);
  const tls = readKeyPair((await testTls('doppler')).doppler);
  const common = { address: '127.0.0.1:0', app, log, tls, http2: true, drainMs: 20_000 };
  const listener = await listenHttp({ ...common, ...options });
  t.teardown(() => listener[Symbol.asyncDispose]());
  return { listener, log };
}

async function sessionOf(t: ExecutionContext, listener: HttpListener): Promise<ClientHttp2Session> {
  const session = connectHttp2(`https://${listener.address}`, { rejectUnauthorized: false });
  session.on('error', () => undefined); // It may be cut.
  t.teardown(() => session.destroy());
  await once(session, 'connect');
  return session;
}

async function ask(session: ClientHttp2Session, path: string): Promise<[number, string]> {
  const stream = session.request({ ':path': path });
  const [headers] = await once(stream, 'response');
  let text = '';
  for await (const chunk of stream) text += String(chunk);
  return [headers[':status'], text];
}

async function connected(
  t: ExecutionContext,
  { port }: HttpListener,
  ALPNProtocols: string[] | undefined,
): Promise<TLSSocket> {
  const given = ALPNProtocols && { ALPNProtocols };
  const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false, ...given });
  t.teardown(() => socket.destroy());
  await once(socket, 'secureConnect');
  return socket;
}

async function allOf(socket: TLSSocket): Promise<string> {
  let text = '';
  for await (const chunk of socket) text += String(chunk);
  return text;
}
