import { EventEmitter, once } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type * as grpc from '@grpc/grpc-js';
import test, { type ExecutionContext } from 'ava';
import { dial, type GrpcListener, listenGrpc } from './grpc.ts';
import { BoundedQueue, type Weighted } from './queue.ts';
import { type MessageStream, StreamPump } from './stream-pump.ts';
import { eventually, spyLog } from './testing.ts';

test('writes what waits, and ends when the queue is closed and empty', async (t) => {
  const { queue } = queueOf(100);
  const stream = new FakeStream();
  const sent: string[] = [];
  queue.put(line('a'));
  const pumping = new StreamPump<Line>().pump(queue, stream, ({ text }) => void sent.push(text));
  queue.put(line('b'));
  await eventually(() => stream.written.length === 2);
  queue.put(line('c'));
  queue.close();
  await pumping;
  t.deepEqual(stream.written, ['a', 'b', 'c']);
  t.deepEqual(sent, ['a', 'b', 'c']);
  t.is(stream.listenerCount('drain') + stream.listenerCount('close'), 0);
});

test('never writes past backpressure; the rest waits in the queue, whose oldest drop', async (t) => {
  const { queue, dropped } = queueOf(3);
  const stream = new FakeStream({ room: 2, holds: true });
  const pumping = new StreamPump<Line>().pump(queue, stream);
  for (const text of ['a', 'b', 'c', 'd', 'e', 'f']) {
    queue.put(line(text));
    await nextTurn();
  }
  t.deepEqual(stream.written, ['a', 'b'], 'the second was told to be the last');
  t.deepEqual(dropped, [1]);

  stream.passOn();
  queue.close();
  await eventually(() => stream.written.length === 4);
  t.deepEqual(stream.written, ['a', 'b', 'd', 'e']);
  stream.passOn();
  await eventually(() => stream.written.length === 5);
  stream.passOn();
  await pumping;
  t.deepEqual(stream.written, ['a', 'b', 'd', 'e', 'f']);
});

test('gathers what comes within one turn into one message', async (t) => {
  const { queue } = queueOf(100, joined);
  const stream = new FakeStream();
  const pumping = new StreamPump<Line>({ maxCount: 3 }).pump(queue, stream);
  await nextTurn();
  for (const text of ['a', 'b', 'c', 'd']) queue.put(line(text));
  queue.close();
  await pumping;
  t.deepEqual(stream.written, ['abc', 'd']);
});

test('waits for more as long as it is told to, but not with a full message', async (t) => {
  const { queue } = queueOf(100, joined);
  const stream = new FakeStream();
  let release = (): void => undefined;
  const gather = (): Promise<void> => new Promise((resolve) => (release = resolve));
  const pumping = new StreamPump<Line>({ maxCount: 3, gather }).pump(queue, stream);
  for (const text of ['a', 'b', 'c']) queue.put(line(text));
  await eventually(() => stream.written.length === 1);
  queue.put(line('d'));
  await nextTurn();
  queue.put(line('e'));
  await nextTurn();
  t.deepEqual(stream.written, ['abc']);
  release();
  await eventually(() => stream.written.length === 2);
  queue.close();
  await pumping;
  t.deepEqual(stream.written, ['abc', 'de']);
});

test('does not wait for more when the stream has ended', async (t) => {
  const { queue } = queueOf(100, joined);
  const stream = new FakeStream();
  let isGathering = false;
  const gather = (): Promise<void> => {
    isGathering = true;
    return new Promise(() => undefined);
  };
  const pumping = new StreamPump<Line>({ maxCount: 3, gather }).pump(queue, stream);
  queue.put(line('a'));
  await eventually(() => isGathering);
  stream.emit('cancelled');
  await pumping;
  t.deepEqual(stream.written, []);
  t.is(queue.count, 1);
});

for (const ending of ['close', 'error', 'finish', 'cancelled', 'status']) {
  test(`stops at the stream's ${ending}, and leaves the rest in the queue`, async (t) => {
    const { queue } = queueOf(100);
    const stream = new FakeStream();
    const pumping = new StreamPump<Line>().pump(queue, stream);
    await nextTurn();
    stream.emit(ending, new Error('gone'));
    queue.put(line('a'));
    await pumping;
    t.deepEqual(stream.written, []);
    t.is(queue.count, 1);
  });
}

test('counts as lost what the stream took and did not pass on', async (t) => {
  const { queue } = queueOf(100);
  const stream = new FakeStream({ room: 10, holds: true });
  const sent: string[] = [];
  const lost: string[] = [];
  const pump = new StreamPump<Line>({ onLost: ({ text }) => void lost.push(text) });
  for (const text of ['a', 'b', 'c']) queue.put(line(text));
  const pumping = pump.pump(queue, stream, ({ text }) => void sent.push(text));
  await eventually(() => stream.written.length === 3);
  stream.passOn(1);
  stream.emit('cancelled');
  await pumping;
  stream.passOn();
  t.deepEqual(sent, ['a']);
  t.deepEqual(lost, ['b', 'c'], 'each once, though the stream calls back later');
});

test('counts as lost what the stream says it could not write', async (t) => {
  const { queue } = queueOf(100);
  const stream = new FakeStream({ room: 10, holds: true });
  const lost: string[] = [];
  const pump = new StreamPump<Line>({ onLost: ({ text }) => void lost.push(text) });
  queue.put(line('a'));
  queue.close();
  const pumping = pump.pump(queue, stream);
  await eventually(() => stream.written.length === 1);
  stream.passOn(1, new Error('no'));
  await pumping;
  t.deepEqual(lost, ['a']);
});

test('does not begin on a stream that is over', async (t) => {
  const { queue } = queueOf(100);
  queue.put(line('a'));
  const stream = new FakeStream();
  await new StreamPump<Line>().pump(queue, Object.assign(stream, { cancelled: true }));
  t.deepEqual(stream.written, []);
  t.is(queue.count, 1);
});

test('holds little for a subscriber that stopped reading, and sends on when it reads', async (t) => {
  const { listener, client, queue, dropped, sent, done } = await pumpingServer(t);
  const call = client.makeServerStreamRequest('/t.T/Follow', identity, identity, Buffer.alloc(0));
  call.on('error', () => undefined); // It is cancelled below.
  await stopReading(call, queue);

  for (let n = 0; n < 400; n += 1) {
    queue.put(line(`${n} `.padEnd(64 * 1024, '.')));
    await nextTurn();
  }
  await eventually(() => dropped.length > 0);
  const [serverCall] = listener.calls;
  t.true((serverCall?.writableLength ?? 0) <= 17, 'the stream buffers what it allows, no more');
  t.true(queue.count <= 20);

  const received: number[] = [];
  call.on('data', (bytes: Buffer) => received.push(Number.parseInt(bytes.toString('latin1'), 10)));
  call.resume();
  await eventually(() => received.at(-1) === 399);
  const lost = dropped.reduce((sum, n) => sum + n, 0);
  t.is(received.length + lost, 400, 'what was put was received or dropped');
  t.deepEqual(
    received.toSorted((a, b) => a - b),
    received,
    'in order',
  );
  await eventually(() => sent.length === received.length + 1);

  call.cancel();
  await done;
  t.pass('the pump ended with the call');
});

test('ends, and counts what it lost, when a client is cut off in mid-stream', async (t) => {
  const { client, queue, dropped, sent, lost, done } = await pumpingServer(t);
  const call = client.makeServerStreamRequest('/t.T/Follow', identity, identity, Buffer.alloc(0));
  call.on('error', () => undefined); // It is cut off.
  await stopReading(call, queue);
  for (let n = 0; n < 100; n += 1) {
    queue.put(line(`${n} `.padEnd(64 * 1024, '.')));
    await nextTurn();
  }
  client.close();
  call.cancel();
  await done;
  const droppedCount = dropped.reduce((sum, n) => sum + n, 0);
  t.is(sent.length + lost.length + droppedCount + queue.count, 101);
  t.true(lost.length > 0);
});

test('stops when the server of a client stream goes away', async (t) => {
  const { listener, client } = await pumpingServer(t);
  const { queue } = queueOf(20);
  const stream = client.makeClientStreamRequest('/t.T/Push', identity, identity, () => undefined);
  const pumping = new StreamPump<Line>().pump(queue, stream);
  queue.put(line('a'));
  await eventually(() => listener.pushes === 1);
  await listener.listener[Symbol.asyncDispose]();
  await pumping;
  queue.put(line('b'));
  t.is(queue.count, 1);
});

/** Reads one line and no more. A reader that has read nothing at all is not held back by grpc-js. */
async function stopReading(
  call: grpc.ClientReadableStream<Buffer>,
  queue: BoundedQueue<Line>,
): Promise<void> {
  const first = once(call, 'data');
  queue.put(line('first'));
  await first;
  call.pause();
}

interface Serving {
  readonly listener: {
    listener: GrpcListener;
    calls: grpc.ServerWritableStream<Buffer, Buffer>[];
    pushes: number;
  };
  readonly client: grpc.Client;
  readonly queue: BoundedQueue<Line>;
  readonly dropped: number[];
  readonly sent: Line[];
  readonly lost: Line[];
  /** Resolves when the server's pump has ended. */
  readonly done: Promise<void>;
}

/** A server that pumps a queue of 20 lines into whoever follows. */
async function pumpingServer(t: ExecutionContext): Promise<Serving> {
  const { queue, dropped } = queueOf(20);
  const sent: Line[] = [];
  const lost: Line[] = [];
  const pump = new StreamPump<Line>({ onLost: (item) => void lost.push(item) });
  const state: Serving['listener'] = {
    calls: [],
    pushes: 0,
    listener: undefined as unknown as GrpcListener, // Set a few lines below.
  };
  const ended = new EventEmitter();
  const done = once(ended, 'done').then(() => undefined);
  const shape = {
    requestSerialize: identity,
    requestDeserialize: identity,
    responseSerialize: identity,
    responseDeserialize: identity,
  };
  state.listener = await listenGrpc({
    address: '127.0.0.1:0',
    tls: undefined,
    log: spyLog(),
    drainMs: 0,
    services: [
      {
        definition: {
          follow: { path: '/t.T/Follow', requestStream: false, responseStream: true, ...shape },
          push: { path: '/t.T/Push', requestStream: true, responseStream: false, ...shape },
        },
        implementation: {
          follow: (call: grpc.ServerWritableStream<Buffer, Buffer>) => {
            state.calls.push(call);
            void pump
              .pump(queue, call, (item) => void sent.push(item))
              .then(() => ended.emit('done'));
          },
          push: (call: grpc.ServerReadableStream<Buffer, Buffer>) => {
            call.on('data', () => {
              state.pushes += 1;
            });
          },
        },
      },
    ],
  });
  const { address } = state.listener;
  const client = dial({ address, tls: undefined, serverName: 'doppler' });
  t.teardown(async () => {
    client.close();
    await state.listener[Symbol.asyncDispose]();
  });
  return { listener: state, client, queue, dropped, sent, lost, done };
}

function identity(bytes: Buffer): Buffer {
  return bytes;
}

/** Takes `room` messages at a time; with `holds` it passes them on only when told to. */
class FakeStream extends EventEmitter implements MessageStream {
  readonly written: string[] = [];
  readonly #room: number;
  readonly #holds: boolean;
  readonly #held: ((error?: Error) => void)[] = [];

  constructor(options: { readonly room?: number; readonly holds?: boolean } = {}) {
    super();
    this.#room = options.room ?? 1000;
    this.#holds = options.holds ?? false;
  }

  write(bytes: Buffer, callback: (error?: Error | null) => void): boolean {
    this.written.push(bytes.toString());
    if (!this.#holds) {
      process.nextTick(callback);
      return true;
    }
    this.#held.push(callback);
    return this.#held.length < this.#room;
  }

  passOn(count = this.#held.length, error?: Error): void {
    for (const callback of this.#held.splice(0, count)) callback(error);
    if (this.#held.length === 0) this.emit('drain');
  }
}

interface Line extends Weighted {
  readonly text: string;
  readonly bytes: Buffer;
}

function line(text: string, count = 1): Line {
  return {
    text,
    bytes: Buffer.from(text),
    count,
    byteLength: text.length,
    withoutFirst: () => {
      throw new Error('lines here weigh one and are never cut');
    },
  };
}

function joined(lines: readonly Line[]): Line {
  return line(lines.map(({ text }) => text).join(''), lines.length);
}

function queueOf(
  maxCount: number,
  join?: (lines: readonly Line[]) => Line,
): { queue: BoundedQueue<Line>; dropped: number[] } {
  const dropped: number[] = [];
  const queue = new BoundedQueue<Line>({
    maxCount,
    maxBytes: 100 * 1024 * 1024,
    onDrop: (count) => void dropped.push(count),
    ...(join && { join }),
  });
  return { queue, dropped };
}
