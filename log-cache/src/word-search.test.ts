import { randomFrom } from '@standpipe/protos/testing';
import test from 'ava';
import { WordSearch } from './word-search.ts';

test('finds a word in whatever case, within its bounds only', (t) => {
  const search = new WordSearch(['error', 'warn=']);
  const text = Buffer.from('an ErRoR and WARN=1');
  t.true(search.isIn(text, 0, text.length));
  t.true(search.isIn(text, 3, 8));
  t.false(search.isIn(text, 4, 13));
  t.false(search.isIn(text, 3, 7));
  t.true(search.isIn(text, 9, text.length - 1));
  t.false(search.isIn(text, 9, text.length - 2));
  t.false(search.isIn(text, 5, 5));
});

test('takes the signs beside letters for what they are', (t) => {
  t.false(new WordSearch(['a`{b']).isIn(Buffer.from('A@[B'), 0, 4));
});

test('counts what text costs it that is much like the words', (t) => {
  const search = new WordSearch(['aaaaaaab', 'caaaaaab']);
  search.isIn(Buffer.from('b'.repeat(1000)), 0, 1000);
  t.true(search.work < 500);
  search.isIn(Buffer.from('ab'.repeat(10_000)), 0, 20_000);
  t.true(search.work > 1000);
});

for (const seed of [1, 2, 3]) {
  test(`finds what a look at all of the text finds, seed ${seed}`, (t) => {
    const random = randomFrom(seed);
    const letters = (most: number): string =>
      Array.from({ length: most }, () => 'abAB-'[random(5)]).join('');
    let found = 0;
    for (let round = 0; round < 5000; round += 1) {
      const words = Array.from({ length: 1 + random(4) }, () =>
        letters(2 + random(5)).toLowerCase(),
      );
      const text = letters(random(30));
      const [start, end] = [random(5), text.length - random(5)];
      const within = text.slice(start, Math.max(start, end)).toLowerCase();
      const expected = words.some((word) => within.includes(word));
      t.is(new WordSearch(words).isIn(Buffer.from(text), start, end), expected, `${words} ${text}`);
      found += Number(expected);
    }
    t.true(found > 500 && found < 4500, String(found));
  });
}
