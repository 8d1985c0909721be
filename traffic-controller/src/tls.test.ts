import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import { type AddressInfo, connect } from 'node:net';
import tls from 'node:tls';
import { spyLog, testTls } from '@standpipe/plumbing/testing';
import test, { type ExecutionContext } from 'ava';
import { WebSocket } from 'ws';
import { readConfig } from './config.ts';
import { FakeDoppler, openSettings } from './testing.ts';
import { startTrafficController } from './traffic-controller.ts';

const GUID = '73467cc3-261a-472e-80e8-d6eadfd30d98';
const TAKEN: readonly string[] = ['ECDHE-RSA-AES128-GCM-SHA256', 'ECDHE-RSA-AES256-GCM-SHA384'];

for (const version of ['TLSv1', 'TLSv1.1'] as const) {
  test(`refuses ${version}`, async (t) => {
    const { port, ca } = await start(t);
    // At this level of security OpenSSL still offers the version, so that it is the server's no.
    const limits = { minVersion: version, maxVersion: version, ciphers: 'ALL:@SECLEVEL=0' };
    await t.throwsAsync(handshake(port, { ca, ...limits }));
  });
}

test('under TLS 1.2 it takes ECDHE-RSA with AES-GCM and no other suite', async (t) => {
  const { port, ca } = await start(t);
  const suites = tls.getCiphers().map((name) => name.toUpperCase());
  const older = suites.filter((name) => !name.startsWith('TLS_'));
  t.true(older.length > 30);
  const taken: string[] = [];
  for (const suite of older) {
    const limits = { maxVersion: 'TLSv1.2', ciphers: `${suite}:@SECLEVEL=0` } as const;
    try {
      await handshake(port, { ca, ...limits });
      taken.push(suite);
    } catch (error) {
      t.true(error instanceof Error, suite);
    }
  }
  t.deepEqual(taken.toSorted(), TAKEN);
});

test('speaks TLS 1.3, and asks nobody for a certificate', async (t) => {
  const { port, ca } = await start(t);
  t.deepEqual(await handshake(port, { ca }), { protocol: 'TLSv1.3', alpn: false });
});

test('offers h2 and http/1.1', async (t) => {
  const { port, ca } = await start(t);
  for (const [offered, alpn] of [
    [['h2', 'http/1.1'], 'h2'],
    [['http/1.1'], 'http/1.1'],
  ] as const) {
    const { alpn: chosen } = await handshake(port, { ca, ALPNProtocols: [...offered] });
    t.is(chosen, alpn);
  }
});

test('over HTTP/2 there are no websockets, but all else', async (t) => {
  const { port, ca } = await start(t);
  const session = http2.connect(`https://127.0.0.1:${port}`, { ca, servername: 'gateway' });
  t.teardown(() => session.close());
  const rows = [
    ['/firehose/x', 400, /^Bad Request\n$/],
    ['/firehose/', 404, /^404 page not found\n$/],
    [`/apps/${GUID}/recentlogs`, 200, /^--/],
    ['/api/v1/info', 200, /version/],
    ['/v2/info', 201, new RegExp(`^https gateway:${port} /v2/info$`)],
  ] as const;
  for (const [path, status, body] of rows) {
    const answer = await get(session, path);
    t.is(answer.status, status, path);
    t.regex(answer.body, body, path);
  }
});

test('a tail comes over HTTP/2, too', async (t) => {
  const { port, ca } = await start(t);
  const session = http2.connect(`https://127.0.0.1:${port}`, { ca, servername: 'gateway' });
  t.teardown(() => session.close());
  const stream = session.request({ ':path': '/api/v1/tail/an-app' });
  const [headers] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders];
  t.like(headers, { ':status': 200, 'content-type': 'text/event-stream' });
  const [part] = (await once(stream, 'data')) as [Buffer];
  t.regex(String(part), /^(id: |event: missing)/);
  stream.close();
});

test('a websocket comes by HTTP/1.1 on the same port', async (t) => {
  const { port, ca, doppler } = await start(t);
  const options = { ca, servername: 'gateway', ALPNProtocols: ['http/1.1'] };
  const client = new WebSocket(`wss://127.0.0.1:${port}/firehose/x`, options);
  t.teardown(() => client.terminate());
  await once(client, 'open');
  (await doppler.opened()).send(['hello']);
  const [data] = (await once(client, 'message')) as [Buffer];
  t.is(data.toString(), 'hello');
});

test("plain HTTP on the port for HTTPS gets Go's text", async (t) => {
  const { port } = await start(t);
  const client = connect(port, '127.0.0.1');
  t.teardown(() => client.destroy());
  client.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  let text = '';
  client.on('data', (part) => {
    text += part;
  });
  await once(client, 'end');
  t.is(text, 'HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n');
});

async function handshake(
  port: number,
  options: tls.ConnectionOptions,
): Promise<{ readonly protocol: string | null; readonly alpn: string | false | null }> {
  const socket = tls.connect({ port, host: '127.0.0.1', servername: 'gateway', ...options });
  try {
    await once(socket, 'secureConnect');
    return { protocol: socket.getProtocol(), alpn: socket.alpnProtocol };
  } finally {
    socket.destroy();
  }
}

async function get(
  session: http2.ClientHttp2Session,
  path: string,
): Promise<{ readonly status: number; readonly body: string }> {
  const stream = session.request({ ':path': path });
  const [headers] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders];
  let body = '';
  for await (const part of stream) body += part;
  return { status: Number(headers[':status']), body };
}

/** A platform that says how it was asked. */
async function listenPlatform(t: ExecutionContext): Promise<string> {
  const platform = http.createServer(({ headers, url }, response) => {
    response.writeHead(201, { Connection: 'close' });
    response.end(`${headers['x-forwarded-proto']} ${headers['x-forwarded-host']} ${url}`);
  });
  t.teardown(() => platform.close());
  platform.listen(0, '127.0.0.1');
  await once(platform, 'listening');
  return `127.0.0.1:${(platform.address() as AddressInfo).port}`; // It listens on TCP.
}

async function start(
  t: ExecutionContext,
): Promise<{ readonly port: number; readonly ca: Buffer; readonly doppler: FakeDoppler }> {
  const { doppler: tls, gateway } = await testTls('doppler', 'gateway', 'trafficcontroller');
  const doppler = await FakeDoppler.listen(tls);
  const vars = {
    ...(await openSettings([doppler])),
    TRAFFIC_CONTROLLER_OUTGOING_CERT_FILE: gateway.cert,
    TRAFFIC_CONTROLLER_OUTGOING_KEY_FILE: gateway.key,
    PLATFORM_ADDR: await listenPlatform(t),
  };
  const controller = await startTrafficController(readConfig(vars), { log: spyLog() });
  t.teardown(async () => {
    await controller[Symbol.asyncDispose]();
    await doppler[Symbol.asyncDispose]();
  });
  return { port: controller.port, ca: readFileSync(gateway.ca), doppler };
}
