import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import http2, {
  type ClientHttp2Session,
  type IncomingHttpHeaders,
  type IncomingHttpStatusHeader,
} from 'node:http2';
import https from 'node:https';
import { connect as connectTcp } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { eventually } from '@standpipe/plumbing/testing';
import test, { type ExecutionContext } from 'ava';
import { certificates } from '../testing-proxy.ts';
import { type Started, started, streamOf } from './testing.ts';

test('G8: serves HTTPS to clients that bring no certificate', async (t) => {
  const { gateway, proxy, ca } = await secured(t);
  const request = https.get(`https://${gateway.address}/v2/read?log`, {
    ca,
    servername: 'gateway',
    agent: false,
  });
  const [response] = await once(request, 'response');
  t.is(response.statusCode, 200);
  const stream = streamOf(response);
  proxy.sendLines('a', 0, 1);
  await eventually(() => stream.text.startsWith('data: {"batch":[{'));
  response.destroy();
  await eventually(() => proxy.calls.length === 0);
});

test('G8: plain HTTP on its port is answered 400, in the words of Go, and counted', async (t) => {
  const { gateway, metric } = await secured(t);
  const socket = connectTcp(gateway.port, '127.0.0.1');
  let text = '';
  socket.setEncoding('latin1').on('data', (chunk: string) => {
    text += chunk;
  });
  socket.write('GET /v2/read?log HTTP/1.1\r\nHost: x\r\n\r\n');
  await once(socket, 'close');
  t.is(text, 'HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n');
  t.is(metric('connections_refused', { reason: 'tls' }), 1);
});

const SPOKEN: readonly ConnectionOptions[] = [
  { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-RSA-AES128-GCM-SHA256' },
  { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-RSA-AES256-GCM-SHA384' },
  { minVersion: 'TLSv1.3' },
];

const REFUSED: readonly ConnectionOptions[] = [
  { maxVersion: 'TLSv1', ciphers: 'ALL:@SECLEVEL=0' },
  { maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' },
  { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-RSA-CHACHA20-POLY1305' },
  { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-RSA-AES128-SHA' },
  { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-RSA-AES256-SHA384' },
  { maxVersion: 'TLSv1.2', ciphers: 'AES128-GCM-SHA256' },
  { maxVersion: 'TLSv1.2', ciphers: 'AES256-SHA' },
];

test('G8: TLS 1.2 with two suites and TLS 1.3 are spoken, and nothing older or weaker', async (t) => {
  const { gateway, ca } = await secured(t);
  const handshake = (options: ConnectionOptions): Promise<boolean> =>
    new Promise((resolve) => {
      const to = { host: '127.0.0.1', port: gateway.port, servername: 'gateway', ca };
      const socket = connectTls({ minVersion: 'TLSv1', ...to, ...options }, () => {
        socket.destroy();
        resolve(true);
      });
      socket.on('error', () => resolve(false));
    });
  for (const options of SPOKEN) t.true(await handshake(options), JSON.stringify(options));
  for (const options of REFUSED) t.false(await handshake(options), JSON.stringify(options));
});

test('events come over HTTP/2 as well, several streams on one connection', async (t) => {
  const { proxy, session, metric } = await overHttp2(t, { heartbeatMs: 100 });
  const [first, second] = [open(session, '?log&shard_id=1'), open(session, '?log&shard_id=2')];
  const headers = await first.headers;
  await second.headers;
  t.is(headers[':status'], 200);
  t.is(headers['content-type'], 'text/event-stream');
  t.is(headers['cache-control'], 'no-cache');
  t.is(headers.connection, undefined);

  await eventually(() => /^event: heartbeat\ndata: \d+\n\n/.test(first.text()));
  proxy.sendLines('a', 0, 1);
  for (const { text } of [first, second]) {
    await eventually(() => /\n\ndata: \{"batch":\[\{.*\}\]\}\n\n/.test(text()));
  }
  first.close();
  await eventually(() => proxy.calls.length === 1);
  t.is(metric('streams_ended', { reason: 'client' }), 1);
  t.is(proxy.calls.length, 1);
});

test('over HTTP/2 a stream says that it closes at its timeout, and errors are the same', async (t) => {
  const { session } = await overHttp2(t, { streamTimeoutMs: 100 });
  const stream = open(session, '?log');
  await stream.ended;
  t.is(stream.text(), 'event: closing\ndata: closing due to stream timeout\n\n');

  const bad = open(session, '');
  t.is((await bad.headers)[':status'], 400);
  await bad.ended;
  t.is(bad.text(), '{"message":"query cannot be empty","error":"empty_query"}\n\n');
});

test('over HTTP/2 a client that takes nothing is cut too', async (t) => {
  const { session, proxy, metric } = await overHttp2(t, { heartbeatMs: 50, stallMs: 500 });
  const stalled = open(session, '?log', false);
  await stalled.headers;
  await eventually(() => {
    for (let round = 0; round < 100; round += 1) {
      if (proxy.calls[0]?.writableNeedDrain === false) proxy.sendLines('a', 0, 100);
    }
    return metric('streams_ended', { reason: 'stalled' }) === 1;
  });
  await eventually(() => proxy.calls.length === 0);
  t.pass();
});

test('with certificates for them, metrics are for those only who have one', async (t) => {
  const { gateway: files } = await certificates();
  const { gateway } = await started(t, {
    observability: {
      metricsPort: 0,
      metricsTls: files,
      statsdAddress: '',
      metricsIntervalMs: 60_000,
    },
  });
  const ask = async (identity: { cert?: Buffer; key?: Buffer }): Promise<string> => {
    const request = https.get(`https://127.0.0.1:${gateway.metricsPort}/metrics`, {
      ca: readFileSync(files.ca),
      servername: 'gateway',
      agent: false,
      ...identity,
    });
    const [response] = await once(request, 'response');
    return streamOf(response).text || String(response.statusCode);
  };
  t.is(await ask({ cert: readFileSync(files.cert), key: readFileSync(files.key) }), '200');
  await t.throwsAsync(ask({}));
});

/** A gateway that speaks TLS, and the authority of its certificate. */
async function secured(
  t: ExecutionContext,
  config: Parameters<typeof started>[1] = {},
): Promise<Started & { readonly ca: Buffer }> {
  const { gateway: files } = await certificates();
  const all = await started(t, { https: files, ...config });
  return { ...all, ca: readFileSync(files.ca) };
}

async function overHttp2(
  t: ExecutionContext,
  config: Parameters<typeof started>[1],
): Promise<Started & { readonly session: ClientHttp2Session }> {
  const all = await secured(t, config);
  const session = http2.connect(`https://${all.gateway.address}`, {
    ca: all.ca,
    servername: 'gateway',
  });
  session.on('error', () => {}); // It is cut when a test ends.
  t.teardown(() => session.destroy());
  return { ...all, session };
}

interface Http2Stream {
  readonly headers: Promise<IncomingHttpHeaders & IncomingHttpStatusHeader>;
  readonly ended: Promise<unknown>;
  text(): string;
  close(): void;
}

function open(session: ClientHttp2Session, query: string, reading = true): Http2Stream {
  const stream = session.request({ ':path': `/v2/read${query}` });
  stream.on('error', () => {}); // Likewise.
  let text = '';
  if (reading) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
  }
  return {
    headers: once(stream, 'response').then(([headers]) => headers),
    ended: once(stream, 'close'),
    text: () => text,
    close: () => stream.close(http2.constants.NGHTTP2_CANCEL),
  };
}
