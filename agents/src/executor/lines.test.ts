import { randomFrom } from '@standpipe/protos/testing';
import test from 'ava';
import { LINE_BYTES_MAX, LineSplitter } from './lines.ts';

const CASES: readonly [title: string, chunks: readonly string[], lines: readonly string[]][] = [
  ['a line per LF', ['one\ntwo\n'], ['one', 'two']],
  ['the same, chunk by chunk', ['o', 'ne', '\n', 'tw', 'o\n'], ['one', 'two']],
  ['a last line that has no end', ['one\ntwo'], ['one', 'two']],
  ['no CR before an LF', ['one\r\ntwo\r\n'], ['one', 'two']],
  ['no CR before an LF that comes later', ['one\r', '\ntwo\r', '\n'], ['one', 'two']],
  ['a line per CR, as progress bars write them', ['10%\r20%\r30%\n'], ['10%', '20%', '30%']],
  ['no empty line', ['\n\none\n\n\r\n\r\rtwo\n\n'], ['one', 'two']],
  ['blanks, which are no end of line', ['  \n\t\n'], ['  ', '\t']],
  ['nothing when nothing came', ['', ''], []],
  ['lines of the limit whole', ['12345678\n'], ['12345678']],
  ['a longer line in parts', ['1234567890\nx\n'], ['12345678', '90', 'x']],
  [
    'a longer line in parts, when it comes bit by bit',
    ['1234', '5678', '9', '0\n'],
    ['12345678', '90'],
  ],
  ['a line of twice the limit in two', ['12345678abcdefgh\n'], ['12345678', 'abcdefgh']],
  ['no half character', ['123456é\n1234567é\n'], ['123456é', '1234567', 'é']],
  [
    'no half character, chunk by chunk',
    ['1234567\u00e9', '\n12345', '6😀\n'],
    ['1234567', 'é', '123456', '😀'],
  ],
];

for (const [title, chunks, lines] of CASES) {
  test(`gives ${title}`, (t) => {
    t.deepEqual(
      splitAll(
        chunks.map((chunk) => Buffer.from(chunk)),
        8,
      ),
      lines,
    );
  });
}

test('cuts at the limit when the bytes are no UTF-8', (t) => {
  const lines: number[] = [];
  const splitter = new LineSplitter((_bytes, start, end) => lines.push(end - start), 8);
  splitter.push(Buffer.alloc(20, 0x80));
  splitter.flush();
  t.deepEqual(lines, [8, 8, 4]);
});

test('keeps every byte that is no end of line', (t) => {
  const all = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
  const parts: Buffer[] = [];
  const splitter = new LineSplitter((bytes, start, end) => {
    parts.push(Buffer.from(bytes.subarray(start, end)));
  });
  splitter.push(all);
  splitter.flush();
  t.deepEqual(Buffer.concat(parts), Buffer.from(all.filter((byte) => byte !== 10 && byte !== 13)));
});

test('cuts a line of a megabyte into messages of 60 KiB', (t) => {
  const lines = splitAll([Buffer.alloc(1024 * 1024, 'x'), Buffer.from('\nnext\n')], LINE_BYTES_MAX);
  t.true(lines.slice(0, -2).every((line) => line.length === 61_440));
  t.is(lines.slice(0, -1).join('').length, 1024 * 1024);
  t.is(lines.at(-1), 'next');
});

// Numbered lines, some longer than the limit, in chunks that end anywhere: each number must come
// out exactly once and in order. A failure names the seed, and the seed alone repeats the run.
for (const seed of [1, 2, 3, 5, 8, 13, 21, 34]) {
  test(`gives numbered lines once and in order, seed ${seed}`, (t) => {
    const random = randomFrom(seed);
    const wanted = Array.from({ length: 500 }, (_, n) => `line ${n} ${'é'.repeat(random(40))}`);
    const ends = ['\n', '\r\n', '\n\n', '\r'];
    const bytes = Buffer.from(wanted.map((line) => line + ends[random(ends.length)]).join(''));
    const chunks: Buffer[] = [];
    for (let start = 0; start < bytes.length; ) {
      const end = Math.min(bytes.length, start + random(64));
      chunks.push(bytes.subarray(start, end));
      start = end;
    }

    const limit = 16 + random(32);
    const got = splitAll(chunks, limit);
    t.true(got.every((line) => Buffer.byteLength(line) <= limit && !line.includes('\ufffd')));
    t.is(got.join(''), wanted.join(''));
    const numbers = got
      .filter((line) => line.startsWith('line '))
      .map((line) => line.split(' ')[1]);
    t.deepEqual(
      numbers,
      wanted.map((_, n) => String(n)),
    );
  });
}

function splitAll(chunks: readonly Buffer[], limitBytes: number): string[] {
  const lines: string[] = [];
  const splitter = new LineSplitter((bytes, start, end) => {
    lines.push(bytes.toString('utf8', start, end));
  }, limitBytes);
  for (const chunk of chunks) splitter.push(chunk);
  splitter.flush();
  return lines;
}
