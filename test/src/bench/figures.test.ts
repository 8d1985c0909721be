import test from 'ava';
import { losses, readFigures } from './figures.ts';

test('what costs over 15 % more than it did is a loss', (t) => {
  const before = { a: 1, b: 2, c: 0.5 };
  t.deepEqual(losses(before, { a: 1.16, b: 2.2, c: 0.1 }), [{ name: 'a', before: 1, now: 1.16 }]);
});

test('what nothing is known of yet is no loss', (t) => {
  t.deepEqual(losses({ gone: 1 }, { fresh: 100 }), []);
});

test('the kept figures can be read', async (t) => {
  const { ratios, commit } = await readFigures();
  t.regex(commit, /^[0-9a-f]{7,}$/);
  t.true(Object.values(ratios).every((ratio) => ratio > 0));
});
