import test from 'ava';
import {
  BODY_BYTES_MAX,
  encodeFileHead,
  FILE_HEAD_BYTES,
  FileKind,
  Frame,
  FrameBuffer,
  type FrameHead,
  FrameKind,
  NO_FRAME,
  readFileHead,
  readFrame,
} from './frames.ts';

const HEAD: FrameHead = {
  kind: FrameKind.envelopes,
  number: 7,
  ordinal: 2 ** 40 + 3,
  timeHigh: -5,
  timeLow: 4_000_000_000,
  count: 2,
};

test('a frame is read as it was written', (t) => {
  const { bytes } = bufferOf('some bytes');
  const frame = new Frame();
  t.is(readFrame(bytes, { at: 0, end: bytes.length, number: 7 }, frame), bytes.length);
  const { start, end, ...head } = frame;
  t.deepEqual(head, HEAD);
  t.is(bytes.toString('utf8', start, end), 'some bytes');
});

test('a frame outgrows the memory it is made in', (t) => {
  const body = Buffer.alloc(100_000, 'x');
  const buffer = new FrameBuffer(64);
  buffer.begin();
  buffer.addBytes(body, 0, body.length);
  buffer.finish(HEAD);
  const frame = new Frame();
  const { bytes } = buffer;
  t.is(readFrame(bytes, { at: 0, end: bytes.length, number: 7 }, frame), bytes.length);
  t.true(bytes.subarray(frame.start, frame.end).equals(body));
});

test('a frame that is not all there says how long it is', (t) => {
  const { bytes } = bufferOf('some bytes');
  for (let end = 0; end < bytes.length; end += 1) {
    const size = readFrame(bytes, { at: 0, end, number: 7 }, new Frame());
    t.true(size > end && size <= bytes.length, `${end} bytes of it`);
  }
});

test('a frame with any byte changed is none, or is not all there', (t) => {
  const { bytes } = bufferOf('some bytes');
  for (let at = 0; at < bytes.length; at += 1) {
    const damaged = Buffer.from(bytes);
    damaged[at] = (damaged[at] as number) ^ 0x10;
    const size = readFrame(damaged, { at: 0, end: bytes.length, number: 7 }, new Frame());
    t.true(size === NO_FRAME || size > bytes.length, `byte ${at}`);
  }
});

test('a frame of another file is none', (t) => {
  const { bytes } = bufferOf('some bytes');
  t.is(readFrame(bytes, { at: 0, end: bytes.length, number: 8 }, new Frame()), NO_FRAME);
});

test('a length that no frame has is not waited for', (t) => {
  const { bytes } = bufferOf('some bytes');
  const longer = Buffer.from(bytes);
  longer.writeUInt32LE(BODY_BYTES_MAX + 1, 4);
  t.is(readFrame(longer, { at: 0, end: longer.length, number: 7 }, new Frame()), NO_FRAME);
});

test('a file head is read as it was written', (t) => {
  const head = { kind: FileKind.journal, number: 12, ordinal: 2 ** 45 + 1 };
  t.deepEqual(readFileHead(encodeFileHead(head), FileKind.journal), { head });
});

for (const [what, mistake, bytes] of [
  ['another program wrote', 'foreign', Buffer.from('{"some":"json","which":"is longer"}')],
  ['is of another format', 'foreign', changed(8)],
  ['has other checksums', 'torn', changed(10)],
  ['is damaged', 'torn', changed(20)],
  ['is cut off', 'torn', encoded().subarray(0, FILE_HEAD_BYTES - 1)],
  ['has no byte', 'torn', Buffer.alloc(0)],
] as const) {
  test(`a file head that ${what} is ${mistake}`, (t) => {
    const verdict = readFileHead(bytes, FileKind.snapshot);
    t.is('mistake' in verdict && verdict.mistake, mistake);
  });
}

test('a journal is no snapshot', (t) => {
  const bytes = encodeFileHead({ kind: FileKind.journal, number: 1, ordinal: 0 });
  const verdict = readFileHead(bytes, FileKind.snapshot);
  t.is('mistake' in verdict && verdict.mistake, 'foreign');
});

function bufferOf(body: string): FrameBuffer {
  const buffer = new FrameBuffer(256);
  buffer.begin();
  buffer.addBytes(Buffer.from(body), 0, body.length);
  buffer.finish(HEAD);
  return buffer;
}

function encoded(): Buffer {
  return encodeFileHead({ kind: FileKind.snapshot, number: 1, ordinal: 0 });
}

function changed(at: number): Buffer {
  const bytes = encoded();
  bytes[at] = (bytes[at] as number) ^ 0x40;
  return bytes;
}
