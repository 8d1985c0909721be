import { randomFrom } from '@standpipe/protos/testing';
import test from 'ava';
import { RE2JS, RE2JSException } from 're2js';
import { requiredWords } from './required-words.ts';
import { WordSearch } from './word-search.ts';

const EXPRESSIONS: readonly (readonly [string, readonly string[] | undefined])[] = [
  ['Error', ['error']],
  ['status=5\\d\\d', ['status=5']],
  ['status=5\\d\\d|(?:re)?tried', ['status=5', 'tried']],
  ['\\[ERROR\\]', ['[error]']],
  ['(?i)haystack', ['hay']],
  ['(?s)haystack', ['haystack']],
  ['colou?rs', ['colo']],
  ['abcd*', ['abc']],
  ['abcd+?e', ['abcd']],
  ['abcd{0}', ['abc']],
  ['x{3,5}abc', ['abc']],
  ['x{a}bc', ['a}bc']],
  ['[^]a]bcd', ['bcd']],
  ['[[:alpha:]]]bcd', [']bcd']],
  ['(a[)(]b)bcd', ['bcd']],
  ['(a|\\))bcd', ['bcd']],
  ['übcd', ['bcd']],
  ['a very long word and more of it', ['a very long word']],
  ['ab', undefined],
  ['abc|', undefined],
  ['abc|.*', undefined],
  ['\\Qabc|d\\E', undefined],
  ['(\\Q)\\E)abc', undefined],
  ['\\x41bcd', undefined],
  ['abcd(?i)*', undefined],
  ['\\pLabc', undefined],
  [Array.from({ length: 33 }, (_, n) => `word${n}`).join('|'), undefined],
];
for (const [expression, words] of EXPRESSIONS) {
  test(`of ${expression.slice(0, 40)} ${words ?? 'no words'} can be told`, (t) => {
    RE2JS.compile(expression);
    t.deepEqual(requiredWords(expression), words);
  });
}

const PARTS = [
  ...['abc', 'bca', 'Ask', 'KEY', 'k', 's', 'a', 'ü', '0', '-', '=', '/', '}', ' '],
  ...['.', '^', '$', '*', '?', '+', '{2}', '{0,1}', '{', '|', '(', ')', '(?:', '(?i)', '(?-i)'],
  ...['[ab]', '[^k]', '[]a]', '[[:alpha:]c]', '[\\]s]', '\\d', '\\.', '\\|', '\\(', '\\b', '\\pL'],
  ...['\\Qa|\\E', '\\x61', '(?P<n>', '(?s:', '(?i:'],
];
const TEXTS = ['abc', 'ABC', 'bca', 'ask', 'aſ\u212a', 'key', '\u212aey', 'a', 'k', 'ü', '0', ' '];

for (const seed of [1, 2, 3, 4]) {
  test(`what matches has one of the words, seed ${seed}`, (t) => {
    const random = randomFrom(seed);
    const some = (parts: readonly string[], most: number): string =>
      Array.from({ length: 1 + random(most) }, () => parts[random(parts.length)]).join('');
    const seen = { words: 0, matches: 0 };
    for (let round = 0; round < 4000; round += 1) {
      const expression = some(PARTS, 6);
      const words = isExpression(expression) ? requiredWords(expression) : undefined;
      if (words === undefined) continue;
      seen.words += 1;
      const compiled = RE2JS.compile(expression);
      const search = new WordSearch(words);
      for (let number = 0; number < 20; number += 1) {
        const text = Buffer.from(some([...TEXTS, ...PARTS.slice(0, 13)], 5));
        if (!compiled.test(text)) continue;
        seen.matches += 1;
        t.true(search.isIn(text, 0, text.length), `${expression} in ${text}: ${words}`);
      }
    }
    t.true(seen.words > 100 && seen.matches > 100, JSON.stringify(seen));
  });
}

function isExpression(text: string): boolean {
  try {
    RE2JS.compile(text);
    return true;
  } catch (error) {
    if (error instanceof RE2JSException) return false;
    throw error;
  }
}
