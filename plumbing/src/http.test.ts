import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { connect, createServer, type Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import test, { type ExecutionContext } from 'ava';
import type Koa from 'koa';
import { type HttpListener, type HttpListenOptions, listenHttp } from './http.ts';
import { koaApp } from './koa-app.ts';
import { ListenError } from './listen-error.ts';
import { Metrics } from './metrics.ts';
import { eventually, type SpyLog, spyLog, testTls } from './testing.ts';
import { readKeyPair, readTls } from './tls.ts';

test('answers requests', async (t) => {
  const { url } = await serving(t, (app) => {
    app.use((ctx) => {
      ctx.body = 'hello';
    });
  });
  const response = await fetch(url);
  t.is(response.status, 200);
  t.is(await response.text(), 'hello');
});

test("tells a caller what was wrong with the caller's request", async (t) => {
  const { url, log } = await serving(t, (app) => {
    app.use((ctx) => {
      ctx.set('Cache-Control', 'max-age=60');
      ctx.throw(400, 'limit must be a whole number', { headers: { 'X-Field': 'limit' } });
    });
  });
  const response = await fetch(url);
  t.is(response.status, 400);
  t.deepEqual(await response.json(), { error: 'limit must be a whole number' });
  t.is(response.headers.get('x-field'), 'limit');
  t.is(response.headers.get('cache-control'), null);
  t.deepEqual(log.lines, []);
});

for (const [name, error] of [
  ['an error', new Error('the password is hunter2')],
  ['an error with a status of 503', Object.assign(new Error('hunter2'), { status: 503 })],
  ['an error with a status that is none', Object.assign(new Error('hunter2'), { status: 200 })],
  ['something thrown that is no error', 'hunter2'],
] as const) {
  test(`keeps ${name} to itself and its log`, async (t) => {
    const { url, log } = await serving(t, (app) => {
      app.use(() => {
        throw error;
      });
    });
    const response = await fetch(url);
    t.true(response.status >= 500);
    t.deepEqual(await response.json(), { error: 'internal error' });
    t.is(log.lines[0]?.level, 'error');
  });
}

test('tells what is wrong with an upstream, if the error says that callers may know', async (t) => {
  const { url, log } = await serving(t, (app) => {
    app.use((ctx) => ctx.throw(503, 'no doppler answers', { expose: true }));
  });
  const response = await fetch(url);
  t.is(response.status, 503);
  t.deepEqual(await response.json(), { error: 'no doppler answers' });
  t.is(log.lines.length, 1);
});

test('answers 404 to what nobody serves, and leaves a 404 of a handler alone', async (t) => {
  const { url } = await serving(t, (app) => {
    app.use((ctx) => {
      if (ctx.path !== '/mine') return;
      ctx.status = 404;
      ctx.body = 'mine';
    });
  });
  const nobodys = await fetch(`${url}/x`);
  t.is(nobodys.status, 404);
  t.deepEqual(await nobodys.json(), { error: 'not found' });
  t.is(await (await fetch(`${url}/mine`)).text(), 'mine');
});

test('takes it for no error that a client leaves a stream', async (t) => {
  const body = new PassThrough();
  const { url, log } = await serving(t, (app) => {
    app.use((ctx) => {
      ctx.body = body;
    });
  });
  body.write('data: 1\n\n');
  const client = new AbortController();
  const response = await fetch(url, { signal: client.signal });
  await response.body?.getReader().read();
  client.abort();
  await eventually(() => body.destroyed);
  t.deepEqual(log.lines, []);
});

test('cuts an answer that fails half-way, and logs it', async (t) => {
  const { url, log } = await serving(t, (app) => {
    app.use((ctx) => {
      const body = new PassThrough();
      ctx.body = body;
      body.write('half');
      setImmediate(() => body.destroy(new Error('the upstream broke')));
    });
  });
  await t.throwsAsync(async () => (await fetch(url)).text());
  await eventually(() => log.lines.some(({ key }) => key === 'http-stream'));
  t.pass();
});

test('cuts a client that sends its headers too slowly, and counts it', async (t) => {
  const metrics = new Metrics({ origin: 'test' });
  const { listener } = await serving(t, () => undefined, { headersMs: 100, metrics });
  const socket = await connected(t, listener);
  socket.write('GET / HTTP/1.1\r\nHost: x\r\nX-Slow:');
  const answer = await allOf(socket);
  t.regex(answer, /^HTTP\/1.1 408 /);
  t.is(metrics.counter('http_refused', '', { status: '408' }).value, 1);
});

test('takes headers of 64 KiB; what is longer is refused and counted', async (t) => {
  const metrics = new Metrics({ origin: 'test' });
  const { listener } = await serving(t, hello, { metrics });
  const [head, rest] = ['GET / HTTP/1.1\r\nConnection: close\r\nHost: x\r\nX: ', '\r\n\r\n'];
  for (const [extra, expected] of [
    [-64, /^HTTP\/1.1 200 .*hello$/s],
    [64, /^HTTP\/1.1 431 /],
  ] as const) {
    const socket = await connected(t, listener);
    socket.write(head + 'x'.repeat(64 * 1024 - head.length - rest.length + extra) + rest);
    t.regex(await allOf(socket), expected);
  }
  t.is(metrics.counter('http_refused', '', { status: '431' }).value, 1);
});

test('refuses what is no HTTP, and counts it', async (t) => {
  const metrics = new Metrics({ origin: 'test' });
  const { listener } = await serving(t, () => undefined, { metrics });
  const socket = await connected(t, listener);
  socket.write('\x16\x03\x01 not http\r\n\r\n');
  t.regex(await allOf(socket), /^HTTP\/1.1 400 /);
  t.is(metrics.counter('http_refused', '', { status: '400' }).value, 1);
});

test('a client that breaks off is no bad request', async (t) => {
  const metrics = new Metrics({ origin: 'test' });
  const { listener, url } = await serving(t, hello, { metrics });
  const socket = await connected(t, listener);
  socket.write('GET / HTTP/1.1\r\nHost: x\r\n');
  socket.resetAndDestroy();
  const agent = new http.Agent();
  t.teardown(() => agent.destroy());
  t.is(await get(url, agent), 'hello');
  t.deepEqual(
    [...metrics.series()].filter(({ name, value }) => name === 'http_refused' && value),
    [],
  );
});

test('refuses one connection too many, and logs it', async (t) => {
  const { listener, log } = await serving(t, () => undefined, { maxConnections: 1 });
  await connected(t, listener);
  const second = await connected(t, listener);
  t.is(await allOf(second), '');
  t.true(log.lines.some(({ key }) => key === 'http-drop'));
});

test('hands over a connection that asks for an upgrade, and cuts it at the end', async (t) => {
  const { listener } = await serving(t, () => undefined, {
    drainMs: 20,
    onUpgrade: (_request, socket) => socket.write('HTTP/1.1 101 Switching Protocols\r\n\r\nhi'),
  });
  const socket = await connected(t, listener);
  socket.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
  const [first] = await once(socket, 'data');
  t.regex(String(first), /^HTTP\/1.1 101 /);
  const closed = once(socket, 'close');
  await listener[Symbol.asyncDispose]();
  await closed;
});

test('answers a request that asks for an upgrade nobody gives like any other', async (t) => {
  const { listener } = await serving(t, (app) => {
    app.use((ctx) => {
      ctx.body = 'plain';
    });
  });
  const socket = await connected(t, listener);
  socket.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, close\r\nUpgrade: h2c\r\n\r\n');
  t.regex(await allOf(socket), /^HTTP\/1.1 200 [\s\S]*plain$/);
});

test('ends connections that wait for nothing at once', async (t) => {
  const { listener, url } = await serving(t, (app) => {
    app.use((ctx) => {
      ctx.body = 'hello';
    });
  });
  const agent = new http.Agent({ keepAlive: true });
  t.teardown(() => agent.destroy());
  await get(url, agent);
  const fresh = await connected(t, listener);
  const closed = once(fresh, 'close');
  fresh.resume();
  const before = performance.now();
  await listener[Symbol.asyncDispose]();
  await closed;
  t.true(performance.now() - before < 4000, 'neither waited for its limit');
});

test('lets a request that has begun end, and then its connection', async (t) => {
  let finish: (() => void) | undefined;
  const { listener, url } = await serving(t, (app) => {
    app.use(async (ctx) => {
      await new Promise<void>((resolve) => {
        finish = resolve;
      });
      ctx.body = 'late';
    });
  });
  const agent = new http.Agent({ keepAlive: true });
  t.teardown(() => agent.destroy());
  const answer = get(url, agent);
  await eventually(() => finish !== undefined);
  const before = performance.now();
  const closed = listener[Symbol.asyncDispose]();
  t.true(listener.draining.aborted);
  finish?.();
  t.is(await answer, 'late');
  await closed;
  t.true(performance.now() - before < 4000, 'the idle connection was not waited for');
});

test('cuts a request that does not end in time', async (t) => {
  let begun = false;
  const { listener, url } = await serving(
    t,
    (app) => {
      app.use(() => {
        begun = true;
        return new Promise(() => undefined);
      });
    },
    { drainMs: 30 },
  );
  const answer = t.throwsAsync(fetch(url));
  await eventually(() => begun);
  await listener[Symbol.asyncDispose]();
  await answer;
});

test('names the address when the port is in use', async (t) => {
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  t.teardown(() => taken.close());
  const { port } = taken.address() as { port: number };
  const error = await t.throwsAsync(
    serving(t, () => undefined, { address: `127.0.0.1:${port}` }),
    {
      instanceOf: ListenError,
    },
  );
  t.is(error?.message, `cannot listen on 127.0.0.1:${port}: the port is in use (EADDRINUSE)`);
});

test('does not listen for everybody without TLS, unless that is meant', async (t) => {
  await t.throwsAsync(
    serving(t, () => undefined, { address: '0.0.0.0:0' }),
    { message: /TLS/ },
  );
  await t.notThrowsAsync(serving(t, () => undefined, { address: '0.0.0.0:0', allowPublic: true }));
});

test('counts what it refuses, by why', async (t) => {
  const metrics = new Metrics({ origin: 'gateway' });
  const log = spyLog();
  const app = koaApp(log, metrics);
  app.use((ctx) => ctx.throw(400, 'bad'));
  const { url, listener } = await serving(t, () => undefined, { app, metrics, maxConnections: 1 });
  const agent = new http.Agent({ keepAlive: true });
  t.teardown(() => agent.destroy());
  await get(url, agent);
  await get(url, agent);
  await allOf(await connected(t, listener));
  t.is(metrics.counter('http_refused', '', { status: '400' }).value, 2);
  const refused = { listener: 'http', reason: 'limit' };
  t.is(metrics.counter('connections_refused', '', refused).value, 1);
});

test('serves HTTPS, and asks for no certificate when it has no authority', async (t) => {
  const { doppler } = await testTls('doppler');
  const { listener } = await serving(t, hello, { tls: readKeyPair(doppler) });
  t.is(await getTls(listener, { ca: readFileSync(doppler.ca) }), 'hello');
});

test('asks for a certificate when it has an authority, and logs who had none', async (t) => {
  const { doppler, metron } = await testTls('doppler', 'metron');
  const { listener, log } = await serving(t, hello, { tls: readTls(doppler) });
  t.is(await getTls(listener, readTls(metron)), 'hello');
  await t.throwsAsync(getTls(listener, { ca: readFileSync(doppler.ca) }));
  await eventually(() => log.lines.some(({ text }) => text === 'a TLS handshake failed'));
});

function hello(app: Koa): void {
  app.use((ctx) => {
    ctx.body = 'hello';
  });
}

async function serving(
  t: ExecutionContext,
  fill: (app: Koa) => void,
  options: Partial<HttpListenOptions> = {},
): Promise<{ listener: HttpListener; url: string; log: SpyLog }> {
  const log = spyLog();
  const app = koaApp(log);
  fill(app);
  const listener = await listenHttp({
    address: '127.0.0.1:0',
    app,
    log,
    drainMs: 20_000,
    ...options,
  });
  t.teardown(() => listener[Symbol.asyncDispose]());
  return { listener, url: `http://${listener.address}`, log };
}

async function connected(t: ExecutionContext, listener: HttpListener): Promise<Socket> {
  const socket = connect(listener.port, '127.0.0.1');
  t.teardown(() => socket.destroy());
  await once(socket, 'connect');
  return socket;
}

async function allOf(socket: Socket): Promise<string> {
  let text = '';
  for await (const chunk of socket) text += String(chunk);
  return text;
}

function get(url: string, agent: http.Agent): Promise<string> {
  return new Promise((resolve, reject) => {
    http
      .get(url, { agent }, (response) => bodyOf(response).then(resolve, reject))
      .on('error', reject);
  });
}

function getTls(
  listener: HttpListener,
  tls: { readonly ca: Buffer; readonly cert?: Buffer; readonly key?: Buffer },
): Promise<string> {
  const { port } = listener;
  return new Promise((resolve, reject) => {
    https
      .get({ ...tls, host: '127.0.0.1', port, servername: 'doppler', agent: false }, (response) =>
        bodyOf(response).then(resolve, reject),
      )
      .on('error', reject);
  });
}

async function bodyOf(response: http.IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of response) text += String(chunk);
  return text;
}
