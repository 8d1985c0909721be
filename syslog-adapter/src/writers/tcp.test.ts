import { once } from 'node:events';
import type { AddressInfo, Server, Socket } from 'node:net';
import { createServer } from 'node:net';
import { eventually } from '@standpipe/plumbing/testing';
import test, { type ExecutionContext } from 'ava';
import { SyslogServer } from '../testing.ts';
import { TcpWriter } from './tcp.ts';
import { WriteError } from './writer.ts';

test('connects with the first write, and keeps the connection', async (t) => {
  const { server, writer } = await started(t);
  t.false(writer.isOpen);
  await writer.write(Buffer.from('3 one'));
  t.true(writer.isOpen);
  await writer.write(Buffer.from('3 two'));
  await eventually(() => server.messages.length === 2);
  t.is(server.connections, 1);
});

test('closes a connection that is idle, and opens another for the next write', async (t) => {
  const { server, writer } = await started(t, 50);
  await writer.write(Buffer.from('3 one'));
  await eventually(() => server.sockets.size === 0);
  t.false(writer.isOpen);
  await writer.write(Buffer.from('3 two'));
  await eventually(() => server.messages.length === 2);
  t.is(server.connections, 2);
});

test('closes an idle connection that was busy when it first seemed idle', async (t) => {
  const peers: Socket[] = [];
  const port = await listening(
    t,
    createServer((socket) => peers.push(socket.pause())),
  );
  const writer = new TcpWriter({ host: '127.0.0.1', port, idleMs: 1 });
  const written = writer.write(Buffer.alloc(64 * 1024 * 1024));
  await eventually(() => peers.length === 1 && writer.isOpen);
  peers[0]?.resume();
  await written;
  await eventually(() => !writer.isOpen && peers[0]?.destroyed);
  t.pass();
});

test('notices without writing that the peer has closed', async (t) => {
  const { server, writer } = await started(t);
  await writer.write(Buffer.from('3 one'));
  await eventually(() => server.sockets.size === 1);
  server.hangUp();
  await eventually(() => !writer.isOpen);
  await writer.write(Buffer.from('3 two'));
  await eventually(() => server.messages.length === 2);
  t.deepEqual(server.messages, ['one', 'two']);
});

test('rejects when nobody listens, and says who', async (t) => {
  const port = await freedPort();
  const writer = new TcpWriter({ host: '127.0.0.1', port, idleMs: 60_000 });
  const error = await t.throwsAsync(writer.write(Buffer.from('3 one')), { instanceOf: WriteError });
  t.regex(error.message, new RegExp(`^127\\.0\\.0\\.1:${port}: .*ECONNREFUSED`));
  t.false(writer.isOpen);
});

test('rejects when the name of the host cannot be resolved', async (t) => {
  const writer = new TcpWriter({ host: 'no-such-host.invalid', port: 514, idleMs: 60_000 });
  await t.throwsAsync(writer.write(Buffer.from('3 one')), { instanceOf: WriteError });
});

test('a write to a peer that does not read waits, and rejects when it is cut', async (t) => {
  const { server, writer } = await started(t);
  server.isReading = false;
  const large = Buffer.alloc(64 * 1024 * 1024);
  const written = t.throwsAsync(writer.write(large), { instanceOf: WriteError });
  await eventually(() => server.sockets.size === 1);
  writer.cut();
  t.regex((await written).message, /the drain is being closed/);
});

test('a write that waits rejects when the peer dies', async (t) => {
  const { server, writer } = await started(t);
  server.isReading = false;
  const written = t.throwsAsync(writer.write(Buffer.alloc(64 * 1024 * 1024)), {
    instanceOf: WriteError,
  });
  await eventually(() => server.sockets.size === 1);
  for (const socket of server.sockets) socket.resetAndDestroy();
  await written;
  t.false(writer.isOpen);
});

test('a write to a peer that hangs up and does not read rejects when it is cut', async (t) => {
  const { server, writer } = await started(t);
  server.isReading = false;
  const written = t.throwsAsync(writer.write(Buffer.alloc(64 * 1024 * 1024)), {
    instanceOf: WriteError,
  });
  await eventually(() => server.sockets.size === 1 && writer.isOpen);
  server.hangUp();
  await eventually(() => !writer.isOpen);
  writer.cut();
  t.regex((await written).message, /the drain is being closed/);
});

test('an idle connection that the peer does not close is let go of nevertheless', async (t) => {
  const peers: Socket[] = [];
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    peers.push(socket.resume().on('error', () => {})); // It is destroyed then.
  });
  const port = await listening(t, server);
  const writer = new TcpWriter({ host: '127.0.0.1', port, idleMs: 20 });
  await writer.write(Buffer.from('3 one'));
  await eventually(() => !writer.isOpen && peers.length === 1);
  // What is sent to somebody who has let go is answered with a reset.
  await eventually(() => {
    if (peers[0]?.writable) peers[0].write('?');
    return peers[0]?.destroyed;
  });
  t.pass();
});

test('what was written before it is closed arrives', async (t) => {
  const { server, writer } = await started(t);
  const text = 'x'.repeat(1_000_000);
  await writer.write(Buffer.from(`1000000 ${text}`));
  await writer[Symbol.asyncDispose]();
  await eventually(() => server.messages.length === 1);
  t.is(server.messages[0]?.length, 1_000_000);
  await eventually(() => server.sockets.size === 0);
});

async function started(t: ExecutionContext, idleMs = 60_000) {
  const server = await SyslogServer.listen();
  const writer = new TcpWriter({ host: '127.0.0.1', port: server.port, idleMs });
  t.teardown(async () => {
    await writer[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });
  return { server, writer };
}

/** The port on which the server listens from now on. */
async function listening(t: ExecutionContext, server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => void server.close());
  return (server.address() as AddressInfo).port;
}

/** A port on which nobody listens any more. */
async function freedPort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
