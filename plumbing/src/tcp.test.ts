import { once } from 'node:events';
import { connect } from 'node:net';
import test from 'ava';
import { ListenError } from './listen-error.ts';
import { Metrics } from './metrics.ts';
import { listenTcp, type TcpListener } from './tcp.ts';
import { spyLog } from './testing.ts';

test('connections come in, and are closed with the port', async (t) => {
  const listener = await listenEcho();
  const socket = connect(listener.port, '127.0.0.1');
  socket.write('hello');
  const [answer] = await once(socket, 'data');
  t.is(String(answer), 'hello');
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  await listener[Symbol.asyncDispose]();
  await closed;
});

test('a port that is taken is told by its address', async (t) => {
  const listener = await listenEcho();
  t.teardown(() => listener[Symbol.asyncDispose]());
  const error = await t.throwsAsync(listenEcho(listener.port), { instanceOf: ListenError });
  t.true(error?.message.includes(`127.0.0.1:${listener.port}`));
});

function listenEcho(port = 0): Promise<TcpListener> {
  return listenTcp({
    address: `127.0.0.1:${port}`,
    tls: undefined,
    kind: 'syslog',
    maxConnections: 10,
    log: spyLog(),
    metrics: new Metrics({ origin: 'test' }),
    onConnection: (socket) => {
      socket.on('error', () => {});
      socket.on('data', (chunk) => socket.write(chunk));
    },
  });
}
