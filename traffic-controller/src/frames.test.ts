import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { plumbing } from '@standpipe/protos';
import { randomFrom } from '@standpipe/protos/testing';
import test, { type ExecutionContext } from 'ava';
import { WebSocket, WebSocketServer } from 'ws';
import { FrameQueue, type Frames, PIECE_BYTES } from './frames.ts';

const SIZES = [0, 1, 125, 126, 127, 128, 16_383, 16_384, 65_535, 65_536, 1024 * 1024, 2 ** 21];

test('a websocket client reads each payload as one binary message, whatever its size', async (t) => {
  const payloads = SIZES.map((size, index) => Buffer.alloc(size, index + 1));
  const queue = new FrameQueue();
  t.is(queue.put(batchOf(payloads)), payloads.length);

  const received = await readWithClient(t, takeAll(queue), payloads.length);
  t.deepEqual(
    received.map(({ length }) => length),
    SIZES,
  );
  t.true(received.every((bytes, index) => bytes.equals(payloads[index] ?? Buffer.alloc(0))));
});

test('counts what waits in payloads and in bytes', (t) => {
  const queue = new FrameQueue();
  const message = batchOf([Buffer.from('a'), Buffer.from('bc')]);
  queue.put(message);
  queue.put(message);
  t.deepEqual([queue.count, queue.byteLength], [4, 2 * message.length]);
  t.is(queue.take()?.count, 4);
  t.deepEqual([queue.count, queue.byteLength], [0, 0]);
  t.is(queue.take(), undefined);
});

test('forgets what waits when it is cleared, and says how much that was', (t) => {
  const queue = new FrameQueue();
  queue.put(batchOf([Buffer.from('a'), Buffer.from('b')]));
  t.is(queue.clear(), 2);
  t.deepEqual([queue.count, queue.byteLength, queue.take()], [0, 0, undefined]);
});

test('an empty batch is no frames', (t) => {
  const queue = new FrameQueue();
  t.is(queue.put(Buffer.alloc(0)), 0);
  t.is(queue.take(), undefined);
});

test('cuts a long batch between payloads into pieces of at most 64 KiB', (t) => {
  const queue = new FrameQueue();
  queue.put(batchOf(Array.from({ length: 1000 }, () => Buffer.alloc(300))));
  const pieces = takeAll(queue);
  t.is(pieces.length, Math.ceil((1000 * 303) / PIECE_BYTES));
  t.true(pieces.every(({ bytes }) => bytes.length <= PIECE_BYTES + 1000));
  t.is(countOf(pieces), 1000);
});

test('a payload longer than a piece is a piece by itself', (t) => {
  const queue = new FrameQueue();
  queue.put(batchOf([Buffer.alloc(10), Buffer.alloc(PIECE_BYTES + 1), Buffer.alloc(10)]));
  t.deepEqual(
    takeAll(queue).map(({ count }) => count),
    [1, 1, 1],
  );
});

const broken: readonly (readonly [string, readonly number[]])[] = [
  ['a tag without a length', [0x0a]],
  ['a payload cut short', [0x0a, 0x05, 0x61]],
  ['a length without an end', [0x0a, 0xff, 0xff, 0xff, 0xff, 0xff]],
  ['a length of five bytes', [0x0a, 0x80, 0x80, 0x80, 0x80, 0x01]],
  ['a whole payload and half of one', [0x0a, 0x01, 0x61, 0x0a, 0x02, 0x61]],
];
test('passes over fields that nobody knows, and keeps the payloads between them', (t) => {
  const unknown = Buffer.from([0x12, 0x01, 0x61, 0x18, 0x05]);
  const queue = new FrameQueue();
  const payload = Buffer.from('x');
  t.is(queue.put(Buffer.concat([unknown, batchOf([payload]), unknown, batchOf([payload])])), 2);
  t.is(queue.put(unknown), 0);
  t.is(queue.count, 2);
  t.deepEqual(queue.take()?.bytes, Buffer.from([0x82, 1, 0x78, 0x82, 1, 0x78]));
});

for (const [what, bytes] of broken) {
  test(`refuses ${what}, and keeps what was there before`, (t) => {
    const queue = new FrameQueue({ pieceBytes: 2 });
    queue.put(batchOf([Buffer.from('x')]));
    t.is(queue.put(Buffer.from(bytes)), -1);
    t.deepEqual([queue.count, queue.byteLength], [1, 3]);
    t.deepEqual(payloadsIn(takeAll(queue)), ['x']);
  });
}

test('a length with more bytes than it needs is read like any other', (t) => {
  const queue = new FrameQueue();
  t.is(
    queue.put(Buffer.from([0x0a, 0x81, 0x80, 0x00, 0x61, 0x0a, 0x80, 0x00, 0x0a, 0x01, 0x62])),
    3,
  );
  t.deepEqual(payloadsIn(takeAll(queue)), ['a', '', 'b']);
});

for (const seed of [1, 2, 3, 5, 8, 13]) {
  test(`every payload comes out once, in order and unchanged, seed ${seed}`, (t) => {
    const random = randomFrom(seed);
    const queue = new FrameQueue({ pieceBytes: 1 + random(5000) });
    const put: string[] = [];
    const pieces: Frames[] = [];
    for (let step = 0; step < 300; step += 1) {
      if (random(3) > 0) {
        const payloads = Array.from({ length: random(5) }, () => randomText(random));
        put.push(...payloads);
        queue.put(batchOf(payloads.map((text) => Buffer.from(text, 'latin1'))));
      } else {
        const piece = queue.take();
        if (piece) pieces.push(piece);
      }
      t.is(queue.count, put.length - countOf(pieces));
    }
    pieces.push(...takeAll(queue));
    t.deepEqual(payloadsIn(pieces), put);
  });
}

function batchOf(payload: Uint8Array[]): Buffer {
  return Buffer.from(plumbing.BatchResponse.encode({ payload }).finish());
}

function takeAll(queue: FrameQueue): Frames[] {
  const pieces: Frames[] = [];
  for (let piece = queue.take(); piece !== undefined; piece = queue.take()) pieces.push(piece);
  return pieces;
}

function countOf(pieces: readonly Frames[]): number {
  return pieces.reduce((sum, { count }) => sum + count, 0);
}

/** Reads frames the plain way, byte by byte. */
function payloadsIn(pieces: readonly Frames[]): string[] {
  const payloads: string[] = [];
  for (const { bytes } of pieces) {
    let at = 0;
    while (at < bytes.length) {
      if (bytes.readUInt8(at) !== 0x82) throw new Error('not a binary frame');
      let length = bytes.readUInt8(at + 1);
      at += 2;
      if (length === 126) {
        length = bytes.readUInt16BE(at);
        at += 2;
      } else if (length === 127) {
        length = Number(bytes.readBigUInt64BE(at));
        at += 8;
      }
      payloads.push(bytes.toString('latin1', at, at + length));
      at += length;
    }
  }
  return payloads;
}

function randomText(random: (below: number) => number): string {
  const length = random(10) > 0 ? random(300) : random(70_000);
  return String.fromCharCode(random(256)).repeat(length);
}

async function readWithClient(
  t: ExecutionContext,
  pieces: readonly Frames[],
  count: number,
): Promise<Buffer[]> {
  const server = http.createServer();
  const websockets = new WebSocketServer({ server });
  websockets.on('connection', (_websocket, { socket }) => {
    for (const { bytes } of pieces) socket.write(bytes);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());

  const { port } = server.address() as AddressInfo; // It listens on TCP.
  const client = new WebSocket(`ws://127.0.0.1:${port}/`);
  t.teardown(() => client.terminate());
  const received: Buffer[] = [];
  await new Promise<void>((resolve, reject) => {
    client.on('error', reject);
    client.on('message', (data: Buffer, binary) => {
      if (!binary) reject(new Error('not binary'));
      received.push(data);
      if (received.length === count) resolve();
    });
  });
  client.close();
  await once(client, 'close');
  return received;
}
