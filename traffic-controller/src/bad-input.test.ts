import { once } from 'node:events';
import http from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { eventually, spyLog, testTls } from '@standpipe/plumbing/testing';
import test, { type ExecutionContext } from 'ava';
import WebSocket from 'ws';
import { readConfig } from './config.ts';
import { ask, FakeDoppler, HANDSHAKE, openSettings } from './testing.ts';
import { startTrafficController, type TrafficController } from './traffic-controller.ts';

const GUID = '73467cc3-261a-472e-80e8-d6eadfd30d98';
const ADMIN = { Authorization: 'bearer admin' };

interface Row {
  readonly what: string;
  readonly send: (address: string) => Promise<unknown>;
  /** What counts it, and by how much. */
  readonly metric: string;
  readonly labels?: Readonly<Record<string, string>>;
}

const rows: readonly Row[] = [
  refused('no token at the firehose', '/firehose/x', {}, '401'),
  refused('a bad token at the firehose', '/firehose/x', { Authorization: 'bearer bad' }, '401'),
  refused('a bad token in a handshake', '/firehose/x', { ...HANDSHAKE, Authorization: 'b' }, '401'),
  refused('an id that is no GUID', '/apps/some-app/stream', ADMIN, '401'),
  refused('an app that the user may not see', `/apps/${GUID}/stream`, ADMIN, '404'),
  refused('no upgrade', '/firehose/x', ADMIN, '400'),
  refused(
    'a handshake without a key',
    '/firehose/x',
    handshake({ 'Sec-WebSocket-Key': '' }),
    '400',
  ),
  refused('a handshake of version 8', '/firehose/x', version('8'), '400'),
  refused('a handshake by POST', '/firehose/x', handshake({}), '405', 'POST'),
  refused('an unknown path', '/nothing', {}, '404'),
  refused('a path badly escaped', '/firehose/%zz', ADMIN, '400'),
  refused('a form that cannot be read', '/set-cookie?a=%zz', {}, '400'),
  refused('a token of 70 KB', '/firehose/x', { Authorization: 'x'.repeat(70_000) }, '431'),
  {
    what: 'bytes that are no HTTP',
    send: (address) => closedAfter(address, '\x16\x03\x01 not http\r\n\r\n'),
    metric: 'http_refused',
    labels: { status: '400' },
  },
  {
    what: 'a message of more than 64 KiB',
    send: (address) => closedWith(address, (socket) => socket.send(Buffer.alloc(64 * 1024 + 1))),
    metric: 'doppler_proxy.bad_frames',
  },
  {
    what: 'a broken frame',
    send: (address) => closedWith(address, (_socket, raw) => raw.write(Buffer.from('ffff', 'hex'))),
    metric: 'doppler_proxy.bad_frames',
  },
];

for (const { what, send, metric, labels = {} } of rows) {
  test(`${what}: refused, counted, and who reads goes on reading`, async (t) => {
    const { controller, doppler } = await start(t);
    const { address } = controller;
    const reader = new WebSocket(`ws://${address}/firehose/y`, { headers: ADMIN });
    t.teardown(() => reader.terminate());
    await once(reader, 'open');
    const source = await doppler.opened();
    const got: string[] = [];
    reader.on('message', (data) => got.push(String(data)));

    source.send(['before']);
    await eventually(() => got.length === 1);
    await send(address);
    await eventually(() => countOf(controller, metric, labels) === 1);
    source.send(['after']);
    await eventually(() => got.length === 2);
    t.deepEqual(got, ['before', 'after']);
    t.is(reader.readyState, WebSocket.OPEN);
  });
}

test('who may not read is counted, whichever door it was', async (t) => {
  const { controller } = await start(t);
  const paths = ['/firehose/x', `/apps/${GUID}/stream`, `/apps/${GUID}/recentlogs`];
  for (const path of paths) t.true((await ask(controller.address, path)).status >= 401, path);
  t.is(countOf(controller, 'doppler_proxy.unauthorized', {}), paths.length);
});

function refused(
  what: string,
  path: string,
  headers: Readonly<Record<string, string>>,
  status: string,
  method = 'GET',
): Row {
  return {
    what,
    send: (address) => ask(address, path, { method, headers }),
    metric: 'http_refused',
    labels: { status },
  };
}

function handshake(more: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return { ...HANDSHAKE, ...ADMIN, ...more };
}

function version(number: string): Readonly<Record<string, string>> {
  return handshake({ 'Sec-WebSocket-Version': number });
}

async function closedAfter(address: string, bytes: string): Promise<void> {
  const [host, port] = address.split(':');
  const socket = connect({ host, port: Number(port) });
  socket.write(bytes);
  socket.resume();
  await once(socket, 'close');
}

/** Resolves when the door has closed a websocket on which something was done. */
async function closedWith(
  address: string,
  act: (socket: WebSocket, raw: NodeJS.WritableStream) => void,
): Promise<void> {
  const socket = new WebSocket(`ws://${address}/firehose/z`, { headers: ADMIN });
  const [[response]] = (await Promise.all([once(socket, 'upgrade'), once(socket, 'open')])) as [
    [http.IncomingMessage],
    unknown,
  ];
  act(socket, response.socket);
  await once(socket, 'close');
}

function countOf(
  { metrics }: TrafficController,
  wanted: string,
  match: Readonly<Record<string, string>>,
): number {
  for (const { name, labels, value } of metrics.series()) {
    const fits = Object.entries(match).every(([label, text]) => labels[label] === text);
    if (name === wanted && fits) return value;
  }
  return 0;
}

async function start(
  t: ExecutionContext,
): Promise<{ readonly controller: TrafficController; readonly doppler: FakeDoppler }> {
  const { doppler: tls } = await testTls('doppler', 'trafficcontroller');
  const doppler = await FakeDoppler.listen(tls);
  const cf = await listenCloudFoundry(t);
  const vars = {
    ...(await openSettings([doppler])),
    TRAFFIC_CONTROLLER_DISABLE_ACCESS_CONTROL: 'false',
    TRAFFIC_CONTROLLER_UAA_HOST: cf,
    TRAFFIC_CONTROLLER_UAA_CLIENT_SECRET: 'secret',
    TRAFFIC_CONTROLLER_API_HOST: cf,
  };
  const controller = await startTrafficController(readConfig(vars), { log: spyLog() });
  t.teardown(async () => {
    await controller[Symbol.asyncDispose]();
    await doppler[Symbol.asyncDispose]();
  });
  return { controller, doppler };
}

/** A UAA that knows the token `admin`, and a Cloud Controller that shows nobody any app. */
async function listenCloudFoundry(t: ExecutionContext): Promise<string> {
  const server = http.createServer(async (request, response) => {
    let form = '';
    for await (const chunk of request) form += chunk;
    const isAdmin = new URLSearchParams(form).get('token') === 'admin';
    response.statusCode = request.url === '/check_token' ? (isAdmin ? 200 : 400) : 404;
    response.end(JSON.stringify(isAdmin ? { scope: ['doppler.firehose'] } : {}));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`; // It listens on TCP.
}
