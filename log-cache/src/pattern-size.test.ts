import test from 'ava';
import { compiled, PatternError } from './pattern.ts';
import { sizeWrittenOut } from './pattern-size.ts';

for (const [pattern, size] of [
  ['', 0],
  ['abc', 3],
  ['a{3}', 3],
  ['a{2,5}b', 6],
  ['a{0}', 1],
  ['a{3,}', 3],
  ['(ab){3}', 9],
  ['((a{10}){10}){10}', 1110],
  ['[a{9}]{4}', 4],
  ['[]{9}]{4}', 4],
  ['\\{9}', 3],
  ['\\pL{3}\\p{Greek}{5}', 8],
  ['\\Q(a\\E{2}', 12],
  ['a{,5}', 5],
  ['(((', 3],
  [')))', 3],
] as const) {
  test(`${pattern} written out has ${size} parts`, (t) => {
    t.is(sizeWrittenOut(pattern), size);
  });
}

for (const pattern of [
  'x{1000}'.repeat(1000),
  '(x{1000})'.repeat(100),
  '(a{10}){10}'.repeat(400),
]) {
  test(`${pattern.slice(0, 20)}… is too large to be compiled`, (t) => {
    t.throws(() => compiled(pattern), {
      instanceOf: PatternError,
      message: /expression too large/,
    });
  });
}

for (const pattern of [
  '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}',
  '.{0,255}',
  'a{1000}',
  '(?i)error|warn(ing)?'.repeat(20),
]) {
  test(`${pattern.slice(0, 20)}… is compiled`, (t) => {
    t.notThrows(() => compiled(pattern));
  });
}
