/** What a peer sees on the wire that is no grpc-js: requests written by hand over HTTP/2. */

import { once } from 'node:events';
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from 'node:http2';
import { createConnection, type Socket } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import { type GrpcListener, listenGrpc } from '../grpc.ts';
import { Metrics } from '../metrics.ts';
import { eventually, spyLog } from '../testing.ts';
import type { ServerCall } from './call.ts';
import { framed } from './framing.ts';

const HEADERS = { ':method': 'POST', 'content-type': 'application/grpc', te: 'trailers' };

test('the status comes in trailers after messages, and alone in the headers without any', async (t) => {
  const { session } = await serving(t);
  const echo = ask(session, '/t.T/Echo');
  echo.stream.end(framed(Buffer.from('hello')));
  await echo.ended;
  t.like(echo.headers, { ':status': 200, 'content-type': 'application/grpc+proto' });
  t.deepEqual(echo.body(), framed(Buffer.from('hello')));
  t.like(echo.trailers, { 'grpc-status': '0' });

  const refused = ask(session, '/t.T/Refuse');
  refused.stream.end(framed(Buffer.from('why: 100 % “so”')));
  await refused.ended;
  t.like(refused.headers, {
    ':status': 200,
    'grpc-status': '9',
    'grpc-message': 'why: 100 %25 %E2%80%9Cso%E2%80%9D',
  });
});

for (const [what, path, message] of [
  ['a service that nobody serves', '/t.Other/Echo', 'unknown service t.Other'],
  ['a method that its service lacks', '/t.T/Nope', 'unknown method Nope for service t.T'],
  ['a path that is none', '/', 'malformed method name: "/"'],
] as const) {
  test(`${what} is refused with UNIMPLEMENTED, as by the original`, async (t) => {
    const { session, refused } = await serving(t);
    const call = ask(session, path);
    call.stream.end(framed(Buffer.alloc(0)));
    await call.ended;
    t.like(call.headers, { 'grpc-status': '12', 'grpc-message': message });
    t.is(refused('UNIMPLEMENTED'), 1);
  });
}

test('a compressed request is refused with UNIMPLEMENTED, for only identity is installed', async (t) => {
  const { session } = await serving(t);
  const call = ask(session, '/t.T/Echo', { 'grpc-encoding': 'gzip' });
  call.stream.end(framed(Buffer.from('x')));
  await call.ended;
  t.like(call.headers, {
    'grpc-status': '12',
    'grpc-message': 'grpc: Decompressor is not installed for grpc-encoding "gzip"',
  });
});

test('a request that is no gRPC gets the status 415', async (t) => {
  const { session } = await serving(t);
  const call = ask(session, '/t.T/Echo', { 'content-type': 'application/json' });
  call.stream.end('{}');
  await call.ended;
  t.is(call.headers[':status'], 415);
});

for (const [what, bytes] of [
  ['no message', []],
  ['half a message', framed(Buffer.from('hello')).subarray(0, 7)],
  ['two messages', Buffer.concat([framed(Buffer.from('a')), framed(Buffer.from('b'))])],
] as const) {
  test(`a request of ${what} where there must be one ends with INTERNAL`, async (t) => {
    const { session } = await serving(t);
    const call = ask(session, '/t.T/Echo');
    call.stream.end(Buffer.from(bytes));
    await call.ended;
    t.is(call.headers['grpc-status'], '13');
  });
}

test('a stream that ends within a message ends with INTERNAL', async (t) => {
  const { session } = await serving(t);
  const call = ask(session, '/t.T/Push');
  call.stream.end(Buffer.concat([framed(Buffer.from('one')), Buffer.from([0, 0])]));
  await call.ended;
  t.is(call.headers['grpc-status'], '13');
});

test('a call whose time is up ends with DEADLINE_EXCEEDED, and its handler hears of it', async (t) => {
  const { session, calls } = await serving(t);
  const call = ask(session, '/t.T/Wait', { 'grpc-timeout': '20m' });
  call.stream.end(framed(Buffer.alloc(0)));
  await call.ended;
  t.is(call.headers['grpc-status'], '4');
  t.true(calls[0]?.cancelled);
});

test('a handler can ask when the time of its call is up', async (t) => {
  const { session, calls } = await serving(t);
  const before = Date.now();
  ask(session, '/t.T/Wait', { 'grpc-timeout': '1H' }).stream.end(framed(Buffer.alloc(0)));
  await eventually(() => calls.length === 1);
  const since = (calls[0]?.getDeadline() ?? 0) - 3_600_000;
  t.true(before <= since && since <= Date.now(), String(since - before));
  ask(session, '/t.T/Wait').stream.end(framed(Buffer.alloc(0)));
  await eventually(() => calls.length === 2);
  t.is(calls[1]?.getDeadline(), Number.POSITIVE_INFINITY);
});

test('a timeout that is none ends the call with INTERNAL', async (t) => {
  const { session } = await serving(t);
  const call = ask(session, '/t.T/Echo', { 'grpc-timeout': 'soon' });
  call.stream.end(framed(Buffer.alloc(0)));
  await call.ended;
  t.is(call.headers['grpc-status'], '13');
});

test('a handler hears that its client broke the call off', async (t) => {
  const { session, calls } = await serving(t);
  const call = ask(session, '/t.T/Wait');
  call.stream.end(framed(Buffer.alloc(0)));
  const served = await eventually(() => calls[0]);
  call.stream.close(8);
  await eventually(() => served.cancelled);
  t.false(served.write(Buffer.from('too late')));
});

test('a client that goes on sending after its call has failed is told to stop', async (t) => {
  const { session } = await serving(t);
  const call = ask(session, '/t.T/Push');
  call.stream.write(framed(Buffer.from('fail')));
  for (let count = 0; count < 100; count += 1) call.stream.write(framed(Buffer.alloc(1000)));
  await call.ended;
  t.is(call.headers['grpc-status'], '3');
  const next = ask(session, '/t.T/Echo');
  next.stream.end(framed(Buffer.from('x')));
  await next.ended;
  t.is(next.trailers['grpc-status'], '0', 'its connection lives');
});

test('a handler that pauses gets no more messages until it resumes, and then every one', async (t) => {
  const { session, heard } = await serving(t);
  const call = ask(session, '/t.T/Push');
  const all = Array.from({ length: 50 }, (_, index) => `line ${index}`);
  call.stream.end(Buffer.concat(all.map((line) => framed(Buffer.from(line)))));
  await call.ended;
  t.is(call.trailers['grpc-status'], '0');
  t.deepEqual(heard, all);
});

test('a handler that throws ends its own call only', async (t) => {
  const { session } = await serving(t);
  const call = ask(session, '/t.T/Throw');
  call.stream.end(framed(Buffer.alloc(0)));
  await call.ended;
  t.is(call.headers['grpc-status'], '2');
});

test('a peer that answers no ping is hung up on, and one that answers is not', async (t) => {
  const { listener, session } = await serving(t, { keepaliveMs: 100, keepaliveLimitMs: 1500 });
  const silent = createConnection(listener.port, '127.0.0.1');
  t.teardown(() => silent.destroy());
  // The preface and empty settings; then it reads, and says nothing more.
  silent.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
  silent.write(Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]));
  await closed(silent);
  const call = ask(session, '/t.T/Echo');
  call.stream.end(framed(Buffer.from('x')));
  await call.ended;
  t.is(call.trailers['grpc-status'], '0');
});

async function closed(socket: Socket): Promise<void> {
  socket.resume();
  socket.on('error', () => undefined); // It may be reset.
  await once(socket, 'close');
}

interface Asked {
  readonly stream: ClientHttp2Stream;
  readonly headers: Record<string, unknown>;
  readonly trailers: Record<string, unknown>;
  readonly body: () => Buffer;
  readonly ended: Promise<unknown>;
}

function ask(session: ClientHttp2Session, path: string, headers: object = {}): Asked {
  const stream = session.request({ ...HEADERS, ':path': path, ...headers });
  const asked = { headers: {}, trailers: {} };
  const chunks: Buffer[] = [];
  stream.on('response', (got) => Object.assign(asked.headers, got));
  stream.on('trailers', (got) => Object.assign(asked.trailers, got));
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  stream.on('error', () => undefined); // It may be reset.
  return { ...asked, stream, body: () => Buffer.concat(chunks), ended: once(stream, 'close') };
}

interface Serving {
  readonly listener: GrpcListener;
  readonly session: ClientHttp2Session;
  /** Those of Wait. */
  readonly calls: readonly ServerCall[];
  /** What Push was told. */
  readonly heard: readonly string[];
  readonly refused: (code: string) => number;
}

async function serving(t: ExecutionContext, keepalive = {}): Promise<Serving> {
  const calls: ServerCall[] = [];
  const heard: string[] = [];
  const metrics = new Metrics({ origin: 'test' });
  const as = (buffer: Buffer): Buffer => buffer;
  const shape = {
    requestSerialize: as,
    requestDeserialize: as,
    responseSerialize: as,
    responseDeserialize: as,
  };
  const unary = { requestStream: false, responseStream: false, ...shape };
  const listener = await listenGrpc({
    address: '127.0.0.1:0',
    tls: undefined,
    log: spyLog(),
    metrics,
    drainMs: 0,
    ...keepalive,
    services: [
      {
        definition: {
          echo: { path: '/t.T/Echo', ...unary },
          refuse: { path: '/t.T/Refuse', ...unary },
          throw: { path: '/t.T/Throw', ...unary },
          wait: { path: '/t.T/Wait', ...unary, responseStream: true },
          push: { path: '/t.T/Push', ...unary, requestStream: true },
        },
        implementation: {
          echo: (call: ServerCall, answer: ServerCall['answer']) => answer(null, call.request),
          refuse: (call: ServerCall, answer: ServerCall['answer']) =>
            answer({ code: 9, details: call.request.toString() }),
          throw: () => {
            throw new Error('a request that nobody can read');
          },
          wait: (call: ServerCall) => void calls.push(call),
          push: (call: ServerCall, answer: ServerCall['answer']) => {
            call.on('data', (message: Buffer) => {
              heard.push(message.toString());
              if (message.toString() === 'fail') answer({ code: 3, details: 'as it asked' });
              call.pause();
              setImmediate(() => call.resume());
            });
            call.on('end', () => answer(null, Buffer.alloc(0)));
          },
        },
      },
    ],
  });
  const session = connect(`http://${listener.address}`);
  session.on('error', () => undefined); // It is cut in the end.
  t.teardown(async () => {
    session.destroy();
    await listener[Symbol.asyncDispose]();
  });
  const refused = (code: string): number => metrics.counter('grpc_refused', '', { code }).value;
  return { listener, session, calls, heard, refused };
}
