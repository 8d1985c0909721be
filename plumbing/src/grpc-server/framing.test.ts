import { status } from '@grpc/grpc-js';
import test from 'ava';
import { allocateMessage, FramingError, framed, MessageReader, PREFIX_BYTES } from './framing.ts';

const MAX_BYTES = 100_000;

/** A generator of numbers below 1 that a seed decides (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function messagesOf(reader: MessageReader, chunks: readonly Buffer[]): Buffer[] {
  const messages: Buffer[] = [];
  for (const chunk of chunks) {
    reader.add(chunk);
    for (let next = reader.next(); next !== undefined; next = reader.next()) messages.push(next);
  }
  return messages;
}

for (let seed = 1; seed <= 20; seed += 1) {
  test(`the messages are the same however their bytes are cut into chunks, seed ${seed}`, (t) => {
    const random = randomFrom(seed);
    const sizes = Array.from({ length: 50 }, () =>
      Math.floor(random() < 0.2 ? random() * 60_000 : random() * 40),
    );
    const messages = sizes.map((size, index) => Buffer.alloc(size, index));
    const bytes = Buffer.concat(messages.map(framed));
    const chunks: Buffer[] = [];
    for (let at = 0; at < bytes.length; ) {
      const end = at + 1 + Math.floor(random() * (random() < 0.5 ? 20 : 20_000));
      chunks.push(Buffer.from(bytes.subarray(at, end)));
      at = end;
    }
    const reader = new MessageReader(MAX_BYTES);
    t.deepEqual(messagesOf(reader, chunks), messages);
    t.false(reader.hasMore);
  });
}

test('a message that was received is framed without a copy', (t) => {
  const reader = new MessageReader(MAX_BYTES);
  const bytes = framed(Buffer.alloc(50_000, 'x'));
  const [message] = messagesOf(reader, [bytes.subarray(0, 20_000), bytes.subarray(20_000)]);
  const again = framed(message ?? Buffer.alloc(0));
  t.deepEqual(again, bytes);
  t.true(again.buffer === message?.buffer);
});

test('a message whose neighbours in memory say something else is framed by a copy', (t) => {
  const neighbours = Buffer.alloc(100, 7);
  const message = neighbours.subarray(50, 60);
  t.deepEqual(framed(message), Buffer.from([0, 0, 0, 0, 10, ...message]));
  t.false(framed(message).buffer === neighbours.buffer);
});

test('a small message does not keep alive the chunk that it came in', (t) => {
  const small = framed(Buffer.from('small'));
  const chunk = Buffer.concat([small, framed(Buffer.alloc(60_000))]);
  const [message] = messagesOf(new MessageReader(MAX_BYTES), [chunk]);
  t.is(message?.toString(), 'small');
  t.true((message?.buffer.byteLength ?? 0) < chunk.length);
});

test('a message over the limit is refused as soon as its length is known', (t) => {
  const reader = new MessageReader(10);
  reader.add(framed(Buffer.alloc(10)));
  t.is(reader.next()?.length, 10);
  reader.add(framed(Buffer.alloc(11)).subarray(0, PREFIX_BYTES));
  const error = t.throws(() => reader.next(), { instanceOf: FramingError });
  t.is(error?.code, status.RESOURCE_EXHAUSTED);
  t.is(error?.message, 'grpc: received message larger than max (11 vs. 10)');
});

test('a message that says it is compressed is refused', (t) => {
  const reader = new MessageReader(10);
  reader.add(Buffer.from([1, 0, 0, 0, 0]));
  const error = t.throws(() => reader.next(), { instanceOf: FramingError });
  t.is(error?.code, status.INTERNAL);
});

test('a message that is allocated with its prefix is framed without a copy', (t) => {
  const message = allocateMessage(3);
  message.write('abc');
  const whole = framed(message);
  t.is(whole.buffer, message.buffer);
  t.deepEqual(whole, Buffer.from([0, 0, 0, 0, 3, 0x61, 0x62, 0x63]));
});
