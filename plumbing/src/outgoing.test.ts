import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import http, { type RequestListener } from 'node:http';
import https from 'node:https';
import { type AddressInfo, createServer, type Server } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import { Outgoing, OutgoingError, type OutgoingOptions } from './outgoing.ts';
import { testTls } from './testing.ts';
import { readAuthorities, readTls } from './tls.ts';

const REQUEST = { method: 'GET', path: '/x', headers: {} };

test('gives status and body, whatever the status is', async (t) => {
  const url = await serve(
    t,
    http.createServer((_request, response) => response.writeHead(418).end('tea')),
  );
  t.deepEqual(await outgoing(t, { url }).ask(REQUEST), { status: 418, body: 'tea' });
});

const paths: readonly (readonly [path: string, asked: string])[] = [
  ['/x?a=/b?c#d', '/x?a=/b?c%23d'],
  ['//other.invalid/x?a=b', '//other.invalid/x?a=b'],
  ['/\\other.invalid/x', '//other.invalid/x'],
  ['http://other.invalid/x', '/http://other.invalid/x'],
  ['@other.invalid/x', '/@other.invalid/x'],
  ['?a=//b', '/?a=//b'],
];
for (const [path, asked] of paths) {
  test(`asks for ${path} at the server that is set, and nowhere else`, async (t) => {
    const url = await serve(
      t,
      http.createServer((request, response) => response.end(request.url)),
    );
    const { body } = await outgoing(t, { url }).ask({ ...REQUEST, path });
    t.is(body, asked);
  });
}

test('gives up on a server that does not answer', async (t) => {
  const url = await serve(
    t,
    http.createServer(() => undefined),
  );
  const asked = outgoing(t, { url, answerLimitMs: 50 }).ask(REQUEST);
  await t.throwsAsync(asked, { instanceOf: OutgoingError, message: /no answer in time/ });
});

test('gives up on a server that does not finish its answer', async (t) => {
  const url = await serve(
    t,
    http.createServer((_request, response) => response.write('so')),
  );
  const asked = outgoing(t, { url, answerLimitMs: 50 }).ask(REQUEST);
  await t.throwsAsync(asked, { instanceOf: OutgoingError, message: /no answer in time/ });
});

test('gives up on a TLS handshake that goes nowhere', async (t) => {
  const url = await serve(
    t,
    createServer(() => undefined),
  );
  const secure = url.replace('http:', 'https:');
  const asked = outgoing(t, { url: secure, connectLimitMs: 50 }).ask(REQUEST);
  await t.throwsAsync(asked, { instanceOf: OutgoingError, message: /no connection in time/ });
});

test('an answer that is too long is an error', async (t) => {
  const long = 'x'.repeat(1024 * 1024 + 1);
  const url = await serve(
    t,
    http.createServer((_request, response) => response.end(long)),
  );
  const asked = outgoing(t, { url }).ask(REQUEST);
  await t.throwsAsync(asked, { instanceOf: OutgoingError, message: /too long/ });
});

test('a header that can not be sent is an error of the same kind', async (t) => {
  const url = await serve(
    t,
    http.createServer((_request, response) => response.end()),
  );
  const asked = outgoing(t, { url }).ask({ ...REQUEST, headers: { a: 'b\r\nc: d' } });
  await t.throwsAsync(asked, { instanceOf: OutgoingError });
});

test('believes the certificate of its authority and name, and no other', async (t) => {
  const files = await testTls('gateway', 'doppler');
  const { gateway } = files;
  const [cert, key] = [gateway.cert, gateway.key].map((file) => readFileSync(file));
  const tls = readAuthorities(gateway.ca);
  const answer: RequestListener = (_request, response) => response.end('yes');
  const url = await serve(t, https.createServer({ cert, key }, answer), 'https');

  const known = await outgoing(t, { url, tls, serverName: 'gateway' }).ask(REQUEST);
  t.is(known.body, 'yes');
  await t.throwsAsync(outgoing(t, { url, serverName: 'gateway' }).ask(REQUEST), {
    instanceOf: OutgoingError,
  });
  await t.throwsAsync(outgoing(t, { url, tls, serverName: 'another' }).ask(REQUEST), {
    instanceOf: OutgoingError,
  });
  const unchecked = await outgoing(t, { url, skipVerify: true }).ask(REQUEST);
  t.is(unchecked.body, 'yes');
});

test('brings its own certificate to a server that asks for one', async (t) => {
  const { gateway, trafficcontroller } = await testTls('gateway', 'trafficcontroller');
  const read = (file: string): Buffer => readFileSync(file);
  const ca = read(gateway.ca);
  const server = https.createServer(
    { ca, cert: read(gateway.cert), key: read(gateway.key), requestCert: true },
    (_request, response) => response.end('yes'),
  );
  const url = await serve(t, server, 'https');
  const options = { url, tls: readTls(trafficcontroller), serverName: 'gateway' };
  t.is((await outgoing(t, options).ask(REQUEST)).body, 'yes');
  const tls = readAuthorities(gateway.ca);
  const without = outgoing(t, { url, tls, serverName: 'gateway' }).ask(REQUEST);
  await t.throwsAsync(without, { instanceOf: OutgoingError });
});

function outgoing(t: ExecutionContext, options: OutgoingOptions): Outgoing {
  const made = new Outgoing(options);
  t.teardown(() => made[Symbol.dispose]());
  return made;
}

async function serve(t: ExecutionContext, server: Server, scheme = 'http'): Promise<string> {
  const sockets = new Set<{ destroy(): void }>();
  server.on('connection', (socket) => sockets.add(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return `${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}`; // It listens on TCP.
}
