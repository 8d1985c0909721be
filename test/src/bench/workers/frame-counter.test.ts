import test from 'ava';
import { FrameCounter } from './frame-counter.ts';

/** An unmasked frame of this opcode, the last of its message or not. */
function frame(length: number, opcode = 2, isFinal = true): Buffer {
  const first = (isFinal ? 0x80 : 0) | opcode;
  const header = [first, length];
  if (length > 0xffff) {
    header.splice(
      1,
      1,
      127,
      0,
      0,
      0,
      0,
      0,
      (length >> 16) & 0xff,
      (length >> 8) & 0xff,
      length & 0xff,
    );
  } else if (length > 125) header.splice(1, 1, 126, length >> 8, length & 0xff);
  // Payloads that look like headers must not be taken for some.
  return Buffer.concat([Buffer.from(header), Buffer.alloc(length, 0x82)]);
}

test('counts messages of every length of length, wherever the bytes are cut', (t) => {
  const bytes = Buffer.concat([0, 1, 125, 126, 300, 65_535, 65_536, 7].map((size) => frame(size)));
  for (const size of [1, 2, 3, 127, 5000, bytes.length]) {
    const counter = new FrameCounter();
    for (let at = 0; at < bytes.length; at += size) {
      counter.take(bytes, at, Math.min(at + size, bytes.length));
    }
    t.is(counter.messages, 8, `in pieces of ${size}`);
  }
});

test('counts no pings, and a message in pieces once', (t) => {
  const counter = new FrameCounter();
  const bytes = Buffer.concat([frame(4, 9), frame(9, 2, false), frame(4, 9), frame(3, 0)]);
  counter.take(bytes, 0, bytes.length);
  t.is(counter.messages, 1);
});
