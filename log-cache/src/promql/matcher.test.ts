import { randomFrom } from '@standpipe/protos/testing';
import test from 'ava';
import { PatternError } from '../pattern.ts';
import { listedIn, Matcher, oneOf, Pattern } from './matcher.ts';

for (const [pattern, literals] of [
  ['a', ['a']],
  ['a|b', ['a', 'b']],
  ['', ['']],
  ['a|', ['a', '']],
  ['a\\.b|c', ['a.b', 'c']],
  ['a\\|b|c', ['a|b', 'c']],
  ['a\\\\|b', ['a\\', 'b']],
  ['a\\/b\\-c', ['a/b-c']],
  ['a.b', undefined],
  ['a\\d', undefined],
  ['(a|b)', undefined],
  ['a*', undefined],
] as const) {
  test(`=~${JSON.stringify(pattern)} names ${JSON.stringify(literals)}`, (t) => {
    t.deepEqual(new Matcher('x', '=~', pattern).literals, literals);
    t.is(new Matcher('x', '!~', pattern).literals, undefined);
  });
}

for (const [pattern, listed] of [
  ['a.b|c', ['a.b', 'c']],
  ['a.b\\.c', ['a.b.c']],
  ['a\\\\.b', ['a\\.b']],
  ['a.*', undefined],
  ['a.b|(c)', undefined],
] as const) {
  test(`where dots are dots ${JSON.stringify(pattern)} lists ${JSON.stringify(listed)}`, (t) => {
    t.deepEqual(listedIn(pattern, { literalDots: true }), listed);
  });
}

for (const pattern of ['a\\', '\\é', '(', 'a|*']) {
  test(`=~${JSON.stringify(pattern)} is refused`, (t) => {
    t.throws(() => new Matcher('x', '=~', pattern), { instanceOf: PatternError });
  });
}

for (const seed of [1, 2, 3]) {
  test(`a list of values is what the expression means, seed ${seed}`, (t) => {
    const random = randomFrom(seed);
    const parts = ['a', 'b', '|', '\\|', '\\\\', '\\.', '.', '-', '\\-', '[', 'd', '\\d'];
    let listed = 0;
    for (let round = 0; round < 3000; round += 1) {
      const length = 1 + random(6);
      const pattern = Array.from({ length }, () => parts[random(parts.length)]).join('');
      let matcher: Matcher;
      try {
        matcher = new Matcher('x', '=~', pattern);
      } catch (error) {
        t.true(error instanceof PatternError);
        continue;
      }
      const expression = new Pattern(pattern);
      for (const value of [...(matcher.literals ?? []), '', 'a', 'b', 'a|b', 'a\\', '.', 'ab']) {
        t.is(matcher.matches(value), expression.matches(value), `${pattern} of ${value}`);
      }
      if (matcher.literals !== undefined) listed += 1;
    }
    t.true(listed > 100);
  });
}

test('lists any number of values', (t) => {
  const ids = Array.from({ length: 2000 }, (_, n) => `5b4ce2a1-8f0d-4d5e-b5a8-${n}.x`);
  const matcher = new Matcher('source_id', '=~', oneOf(ids));
  t.deepEqual(matcher.literals, ids);
  t.true(matcher.matches(ids[1999] ?? ''));
  t.false(matcher.matches('5b4ce2a1-8f0d-4d5e-b5a8-1-x'));
  t.false(new Matcher('source_id', '!~', oneOf(ids)).matches(ids[7] ?? ''));
});
