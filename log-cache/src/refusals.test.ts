/** A gateway in front of a node that it can't reach, over real connections. */

import { type AddressInfo, createServer } from 'node:net';
import { eventually, spyLog } from '@standpipe/plumbing/testing';
import test, { type ExecutionContext } from 'ava';
import { readConfig } from './gateway/config.ts';
import { startGateway } from './gateway/gateway.ts';
import { cluster } from './testing-cluster.ts';

const RESET =
  'connection error: desc = "error reading server preface: read tcp: read: connection reset by peer"';
const HUNG_UP =
  "the log cache can't be reached: it hung up at once, as when only one of the two speaks TLS";

test('says why its node can not be reached, to who reads and to who queries', async (t) => {
  const node = await closedPort();
  const { front } = await gatewayOf(t, node);
  // The original's text.
  const away = `connection error: desc = "transport: Error while dialing: dial tcp ${node}: connect: connection refused"`;
  const read = await answer(`${front}/read/a`);
  t.is(read.status, 503);
  t.is(read.body.message, away);
  const query = await answer(`${front}/query?query=a`);
  t.is(query.status, 503);
  t.is(query.body.error, away);
});

test('says in Go’s words that its node reset the connection', async (t) => {
  const resets = createServer((socket) => {
    socket.on('error', () => undefined).once('data', () => socket.resetAndDestroy());
  });
  await new Promise<void>((resolve) => resets.listen(0, '127.0.0.1', resolve));
  t.teardown(() => resets.close());
  const { port } = resets.address() as AddressInfo; // It listens on TCP.
  const { front } = await gatewayOf(t, `127.0.0.1:${port}`);
  // As below.
  await eventually(async () => (await answer(`${front}/read/a`)).body.message === RESET);
  t.is((await answer(`${front}/read/a`)).status, 503);
});

test('says that TLS may be at fault when a node hangs up', async (t) => {
  const { nodes } = await cluster(t, { az1: 1 });
  const { front } = await gatewayOf(t, nodes[0]?.listener.address ?? '');
  // The first that asks may see the connection end otherwise.
  await eventually(async () => (await answer(`${front}/read/a`)).body.message === HUNG_UP);
  t.pass();
});

test('warns whoever would serve others without TLS', async (t) => {
  const { log } = await gatewayOf(t, '127.0.0.1:1', ':0');
  t.deepEqual(
    log.lines.map(({ text, fields }) => [text, fields.asked]),
    [['without TLS only this machine is served', '0.0.0.0:0']],
  );
  t.deepEqual((await gatewayOf(t, '127.0.0.1:1')).log.lines, []);
});

async function gatewayOf(t: ExecutionContext, node: string, ADDR = '127.0.0.1:0') {
  const log = spyLog();
  const config = readConfig({ ADDR, LOG_CACHE_ADDR: node, METRICS_PORT: '0' });
  const gateway = await startGateway(config, log);
  t.teardown(() => gateway[Symbol.asyncDispose]());
  return { front: `http://${gateway.address}/api/v1`, log };
}

interface Answer {
  readonly status: number;
  readonly body: { readonly message?: string; readonly error?: string };
}

async function answer(url: string): Promise<Answer> {
  const response = await fetch(url);
  return { status: response.status, body: (await response.json()) as Answer['body'] };
}

/** The address of a port at which nobody listens. */
async function closedPort(): Promise<string> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address ? `127.0.0.1:${address.port}` : '';
}
