import { once } from 'node:events';
import http, { type IncomingMessage, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { eventually } from '@standpipe/plumbing/testing';
import test, { type ExecutionContext } from 'ava';
import { HttpProxy, type HttpProxyOptions } from './http-proxy.ts';
import { NO_PLATFORM } from './refusal.ts';
import { ask } from './testing.ts';

const MEBIBYTE = 1024 * 1024;

test('a request is handed on as it came: method, path, query, body and headers', async (t) => {
  const { door, asked } = await start(t);
  const { status, body, headers } = await ask(door, '/oauth/token?a=%2F', {
    method: 'POST',
    headers: { 'Content-Type': 'application/x-www-form-urlencoded', Authorization: 'Basic Y2Y6' },
    body: 'grant_type=password',
  });
  t.deepEqual([status, body], [201, '{"yes":true}']);
  t.deepEqual(headers['set-cookie'], ['a=1', 'b=2']);
  const [request] = asked;
  t.is(request?.line, 'POST /oauth/token?a=%2F');
  t.is(request?.body, 'grant_type=password');
  t.is(request?.headers.authorization, 'Basic Y2Y6');
  t.is(request?.headers.host, door);
});

test('the other server is told by which host and scheme the client came', async (t) => {
  const { door, asked } = await start(t);
  await ask(door, '/', { headers: { Host: 'api.example.com' } });
  await ask(door, '/', {
    headers: {
      ...{ Host: 'inner', 'X-Forwarded-Host': 'outer', 'X-Forwarded-Proto': 'https' },
      'X-Forwarded-For': '10.1.1.1',
    },
  });
  t.deepEqual(asked.map(forwardedIn), [
    ['api.example.com', 'http', '127.0.0.1'],
    ['outer', 'https', '10.1.1.1, 127.0.0.1'],
  ]);
});

test('headers between neighbours stay between them', async (t) => {
  const { door, asked } = await start(t);
  const { headers } = await ask(door, '/', {
    headers: { Connection: 'close, X-Mine', 'X-Mine': '1', TE: 'trailers', 'X-Theirs': '2' },
  });
  const sent = asked[0]?.headers ?? {};
  t.deepEqual([sent['x-mine'], sent.te, sent['x-theirs']], [undefined, undefined, '2']);
  t.is(headers['x-between'], undefined);
});

for (const method of ['POST', 'DELETE', 'GET']) {
  test(`a body of unknown length comes whole and ends, by ${method}`, async (t) => {
    const { door, asked } = await start(t);
    const body = 'GET /smuggled HTTP/1.1\r\n\r\n';
    await ask(door, '/x', { method, headers: { 'Transfer-Encoding': 'chunked' }, body });
    t.deepEqual(
      asked.map(({ line, body }) => [line, body]),
      [[`${method} /x`, body]],
    );
  });
}

for (const [what, headers] of [
  ['that says so', { 'Content-Length': String(MEBIBYTE + 1) }],
  ['that does not say so', { 'Transfer-Encoding': 'chunked' }],
] as const) {
  test(`a body longer than 1 MiB ${what} is refused with 413`, async (t) => {
    const { door } = await start(t);
    const body = 'x'.repeat(MEBIBYTE + 1);
    const { status } = await ask(door, '/x', { method: 'POST', headers, body });
    t.is(status, 413);
  });
}

test('a server that is not there is a 502 in JSON', async (t) => {
  const { door } = await start(t, { address: '127.0.0.1:1' });
  const { status, headers, body } = await ask(door, '/v2/info');
  t.deepEqual([status, headers['content-type']], [502, 'application/json']);
  t.deepEqual(JSON.parse(body), {
    error: 'unavailable',
    error_description: 'the platform does not answer',
  });
});

test('a server that does not answer in time is one that is not there', async (t) => {
  const silent = await listen(t, () => undefined);
  const { door } = await start(t, { address: silent, answerLimitMs: 50 });
  t.is((await ask(door, '/')).status, 502);
});

test('more requests than there may be are refused, and served again when one has ended', async (t) => {
  let release: () => void = () => undefined;
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  let waiting = 0;
  const address = await listen(t, async (_request, response) => {
    waiting += 1;
    await released;
    response.end('late');
  });
  const { door } = await start(t, { address, maxRequests: 1 });
  const first = ask(door, '/');
  await eventually(() => waiting === 1);
  t.is((await ask(door, '/')).status, 502);
  release();
  t.is((await first).body, 'late');
  await eventually(async () => (await ask(door, '/')).status === 200);
});

test('an answer that breaks off is broken off', async (t) => {
  const address = await listen(t, (_request, response) => {
    response.writeHead(200, { 'Content-Length': '100' });
    response.write('so', () => response.destroy());
  });
  const { door } = await start(t, { address });
  const [response] = (await once(http.get(`http://${door}/`), 'response')) as [IncomingMessage];
  t.is(response.statusCode, 200);
  const [error] = (await once(response.resume(), 'error')) as [Error];
  t.is(error.message, 'aborted');
  t.false(response.complete);
});

test('a reader that left while its token was judged holds no place, and nobody is asked', async (t) => {
  let asked = 0;
  const address = await listen(t, (_request, response) => {
    asked += 1;
    response.end();
  });
  const proxy = proxyTo(t, { address });

  let served: (result: Promise<void>) => void = () => undefined;
  const result = new Promise<void>((resolve) => {
    served = resolve;
  });
  const door = await listen(t, async (request, response) => {
    client.destroy();
    await once(response, 'close');
    served(proxy.serve(request, response, '/v2/read?log'));
  });
  const client = http.get(`http://${door}/v2/read?log`, { agent: false });
  client.on('error', () => undefined); // It breaks its own connection.
  await result;
  t.is(asked, 0);
});

interface Asked {
  readonly line: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/** A door, and behind it the proxy, and behind that a server that remembers what it was asked. */
async function start(
  t: ExecutionContext,
  options: Partial<HttpProxyOptions> = {},
): Promise<{ readonly door: string; readonly asked: Asked[] }> {
  const asked: Asked[] = [];
  const address = await listen(t, (request, response) => {
    let body = '';
    request.on('error', () => undefined); // A body that is too long is broken off.
    request.on('data', (part) => {
      body += part;
    });
    request.on('end', () => {
      asked.push({ line: `${request.method} ${request.url}`, headers: request.headers, body });
      response.writeHead(201, {
        ...{ 'Set-Cookie': ['a=1', 'b=2'], 'X-Between': '1', Connection: 'close, X-Between' },
      });
      response.end('{"yes":true}');
    });
  });
  const proxy = proxyTo(t, { address, ...options });
  const door = await listen(t, (request, response) => {
    void proxy.serve(request, response, request.url ?? '');
  });
  return { door, asked };
}

function proxyTo(
  t: ExecutionContext,
  options: Partial<HttpProxyOptions> & { readonly address: string },
): HttpProxy {
  const proxy = new HttpProxy({ maxRequests: 10, unavailable: NO_PLATFORM, ...options });
  t.teardown(() => proxy[Symbol.dispose]());
  return proxy;
}

async function listen(t: ExecutionContext, listener: RequestListener): Promise<string> {
  const server = http.createServer(listener);
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `127.0.0.1:${(server.address() as AddressInfo).port}`; // It listens on TCP.
}

function forwardedIn({ headers }: Asked): unknown[] {
  return [headers['x-forwarded-host'], headers['x-forwarded-proto'], headers['x-forwarded-for']];
}
