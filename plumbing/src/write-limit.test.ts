import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import { PassThrough } from 'node:stream';
import test, { type ExecutionContext } from 'ava';
import type Koa from 'koa';
import { type HttpListener, type HttpListenOptions, listenHttp } from './http.ts';
import { koaApp } from './koa-app.ts';
import { Metrics } from './metrics.ts';
import { eventually, type SpyLog, spyLog, testTls } from './testing.ts';
import { readKeyPair } from './tls.ts';

const LARGE = Buffer.alloc(16 * 1024 * 1024, 'x');

test('hangs up on a client that never reads its answer, and counts it', async (t) => {
  const { listener, log, cut } = await serving(t, (ctx) => {
    ctx.body = LARGE;
  });
  const socket = connect(listener.port, '127.0.0.1');
  t.teardown(() => socket.destroy());
  socket.on('error', () => undefined); // It is cut.
  socket.pause();
  socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  await eventually(() => cut() === 1);
  const [line] = log.lines;
  t.is(line?.key, 'http-cut');
  t.true(Number(line?.fields.bytes) > 0);
  t.is(line?.fields.peer, '127.0.0.1');
  const closed = once(socket, 'close');
  socket.resume();
  await closed;
});

test('cuts only the answer that nobody takes, over HTTP/2', async (t) => {
  const tls = readKeyPair((await testTls('doppler')).doppler);
  const { listener, cut } = await serving(
    t,
    (ctx) => {
      ctx.body = ctx.path === '/large' ? LARGE.subarray(0, 4 * 1024 * 1024) : 'small';
    },
    { tls, http2: true },
  );
  const session = connectHttp2(`https://${listener.address}`, { rejectUnauthorized: false });
  t.teardown(() => session.destroy());
  const stream = session.request({ ':path': '/large' });
  stream.on('error', () => undefined); // It is cut.
  await eventually(() => cut() === 1);
  const other = session.request({ ':path': '/small' });
  const [headers] = await once(other, 'response');
  t.is(headers[':status'], 200);
  other.close();
});

test('leaves a client alone that takes its answer, and one that has a stream', async (t) => {
  const stream = new PassThrough();
  // Both ends share this thread, which may be busy elsewhere for longer than the other tests' limit.
  const { listener, cut } = await serving(
    t,
    (ctx) => {
      ctx.body = ctx.path === '/stream' ? stream : LARGE;
    },
    { writeMs: 1000 },
  );
  const url = `http://${listener.address}`;
  stream.write('data: 1\n\n');
  const streamed = await fetch(`${url}/stream`);
  const reader = streamed.body?.getReader();
  await reader?.read();
  // Somebody else is hung up on meanwhile, so the limit has passed.
  const idle = connect(listener.port, '127.0.0.1');
  t.teardown(() => idle.destroy());
  idle.on('error', () => undefined); // It is cut.
  idle.pause();
  idle.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  t.is((await (await fetch(url)).arrayBuffer()).byteLength, LARGE.length);
  await eventually(() => cut() === 1);
  stream.end('data: 2\n\n');
  t.deepEqual((await reader?.read())?.value, new TextEncoder().encode('data: 2\n\n'));
  t.is(cut(), 1);
});

async function serving(
  t: ExecutionContext,
  answer: (ctx: Koa.Context) => void,
  options: Partial<HttpListenOptions> = {},
): Promise<{ listener: HttpListener; log: SpyLog; cut: () => number }> {
  const log = spyLog();
  const metrics = new Metrics({ origin: 'gateway' });
  const app = koaApp(log);
  app.use(answer);
  const common = { address: '127.0.0.1:0', app, log, metrics, drainMs: 20, writeMs: 50 };
  const listener = await listenHttp({ ...common, ...options });
  t.teardown(() => listener[Symbol.asyncDispose]());
  const cut = (): number => metrics.counter('http_cut', '', { listener: 'http' }).value;
  return { listener, log, cut };
}
