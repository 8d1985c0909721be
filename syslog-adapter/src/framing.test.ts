import test from 'ava';
import { FrameBuffer } from './framing.ts';

for (const size of [1, 9, 10, 99, 100, 999, 1000, 70_000, 1_200_000]) {
  test(`puts its length before a message of ${size} bytes`, (t) => {
    const frames = new FrameBuffer();
    add(frames, 'first');
    add(frames, 'x'.repeat(size));
    add(frames, 'last');
    const text = frames.take().toString();
    t.true(text === `5 first${size} ${'x'.repeat(size)}4 last`);
  });
}

test('is empty again once its messages were taken', (t) => {
  const frames = new FrameBuffer();
  add(frames, 'a');
  frames.take();
  t.is(frames.byteLength, 0);
  t.is(frames.count, 0);
  t.is(frames.take().length, 0);
});

test('keeps what was taken as it was, whatever is written after it', (t) => {
  const frames = new FrameBuffer();
  add(frames, 'one');
  const taken = frames.take();
  add(frames, 'two');
  t.is(taken.toString(), '3 one');
});

test('forgets messages when it is rewound, and one that was never ended', (t) => {
  const frames = new FrameBuffer();
  add(frames, 'one');
  const { byteLength, count } = frames;
  add(frames, 'two');
  frames.rewind(byteLength, count);
  frames.begin(10);
  add(frames, 'three');
  t.is(frames.count, 2);
  t.is(frames.take().toString(), '3 one5 three');
});

function add(frames: FrameBuffer, text: string): void {
  const at = frames.begin(text.length);
  frames.end(at + frames.bytes.write(text, at, 'latin1'));
}
