import { randomFrom } from '@standpipe/protos/testing';
import test from 'ava';
import { createFramer, type Framer } from './framing.ts';

const OCTETS = { byLineFeeds: false, messageBytesMax: 100 };
const LINES = { byLineFeeds: true, messageBytesMax: 100 };

test('by octets, messages follow one another with or without a line feed between', (t) => {
  const { texts, mistake } = framed(createFramer(OCTETS), ['5 hello', '\n3 abc1 x\n\n', '2 a\n']);
  t.is(mistake, '');
  t.deepEqual(texts, ['hello', 'abc', 'x', 'a\n']);
});

for (const [what, text] of [
  ['no length', '<14>1 -'],
  ['a length of zero', '0 '],
  ['a length that begins with zero', '05 hello'],
  ['a length without end', '12345678901234567890'],
  ['a blank first', ' 5 hello'],
  ['a length above the limit', '101 x'],
] as const) {
  test(`by octets, ${what} is a mistake`, (t) => {
    const { texts, mistake } = framed(createFramer(OCTETS), ['2 ok', text]);
    t.deepEqual(texts, ['ok']);
    t.not(mistake, '');
  });
}

test('by octets, a message of the limit is taken', (t) => {
  const { texts, mistake } = framed(createFramer(OCTETS), [`100 ${'x'.repeat(100)}`]);
  t.is(mistake, '');
  t.is(texts[0]?.length, 100);
});

test('by line feeds, text of several lines is one message', (t) => {
  const framer = createFramer(LINES);
  const { texts } = framed(framer, ['<1>a\n  at b\n\n', ' at c\n<2>d', '\n<3>e\n']);
  t.deepEqual(texts, ['<1>a\n  at b\n\n at c', '<2>d']);
  t.deepEqual(quieted(framer), ['<3>e']);
  t.is(framer.pendingBytes, 0);
});

test('by line feeds, what has no line feed at its end waits', (t) => {
  const framer = createFramer(LINES);
  framed(framer, ['<1>a']);
  t.deepEqual(quieted(framer), []);
  t.is(framer.pendingBytes, 4);
});

test('by line feeds, a message without end is a mistake at a MiB', (t) => {
  const framer = createFramer(LINES);
  const piece = Buffer.alloc(64 * 1024, 'x').toString();
  let pieces = 0;
  while (framed(framer, [piece]).mistake === '') pieces += 1;
  t.is(pieces, 16);
});

test('what a long message took is given back when the next has begun', (t) => {
  const text = 'x'.repeat(60_000);
  for (const [options, first, second] of [
    [{ ...OCTETS, messageBytesMax: 70_000 }, `60003 <1>${text.slice(1)}`, 'x5'],
    [LINES, `<1>${text}`, '\n<'],
  ] as const) {
    const framer = createFramer(options);
    const { texts } = framed(framer, [first, second]);
    t.is(texts.length, 1);
    t.is(framer.pendingBytes, 1);
    t.is(framer.heldBytes, 1);
  }
});

// Wherever the network cuts, the messages are the same; nothing is held once all have come.
for (const seed of [1, 2, 3, 5, 8]) {
  for (const options of [OCTETS, LINES]) {
    const name = options.byLineFeeds ? 'line feeds' : 'octets';
    test(`by ${name}, messages are the same wherever they are cut, seed ${seed}`, (t) => {
      const random = randomFrom(seed);
      const sent = Array.from({ length: 50 }, () => {
        const body = Array.from({ length: random(60) }, () => '<a\n 1é'[random(6)]).join('');
        return `<1>${body}x`;
      }).filter((text) => Buffer.byteLength(text) <= 100 && !text.includes('\n<'));
      const all = Buffer.from(
        sent
          .map((text) => (options.byLineFeeds ? `${text}\n` : `${Buffer.byteLength(text)} ${text}`))
          .join(''),
      );
      const framer = createFramer(options);
      const texts: string[] = [];
      for (let at = 0; at < all.length; ) {
        const next = Math.min(all.length, at + 1 + random(random(3) ? 8 : 200));
        const mistake = framer.push(all.subarray(at, next), (bytes, start, end) => {
          texts.push(bytes.toString('utf8', start, end));
          return true;
        });
        t.is(mistake, '');
        t.true(framer.heldBytes <= 4 * framer.pendingBytes);
        at = next;
      }
      texts.push(...quieted(framer));
      t.deepEqual(texts, sent);
      t.is(framer.pendingBytes, 0);
    });
  }
}

function framed(
  framer: Framer,
  chunks: readonly string[],
): { readonly texts: string[]; readonly mistake: string } {
  const texts: string[] = [];
  let mistake = '';
  for (const chunk of chunks) {
    mistake = framer.push(Buffer.from(chunk), (bytes, start, end) => {
      texts.push(bytes.toString('utf8', start, end));
      return true;
    });
    if (mistake !== '') break;
  }
  return { texts, mistake };
}

function quieted(framer: Framer): string[] {
  const texts: string[] = [];
  framer.quiet((bytes, start, end) => {
    texts.push(bytes.toString('utf8', start, end));
    return true;
  });
  return texts;
}
