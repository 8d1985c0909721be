import { randomFrom } from '@standpipe/protos/testing';
import test from 'ava';
import { plainDecimal } from './plain-decimal.ts';

const CASES: readonly [number, string][] = [
  [0, '0'],
  [-0, '-0'],
  [0.8, '0.8'],
  [-17, '-17'],
  [1e21, '1000000000000000000000'],
  [1.5e22, '15000000000000000000000'],
  [1e-7, '0.0000001'],
  [-1.25e-9, '-0.00000000125'],
  [123456789.5, '123456789.5'],
  [Number.NaN, 'NaN'],
  [Number.POSITIVE_INFINITY, '+Inf'],
  [Number.NEGATIVE_INFINITY, '-Inf'],
];

for (const [value, text] of CASES) {
  test(`writes ${text}`, (t) => {
    t.is(plainDecimal(value), text);
  });
}

test('writes the same double again, without an exponent, seed 1', (t) => {
  const random = randomFrom(1);
  const words = new Uint32Array(2);
  const [value] = [new Float64Array(words.buffer)];
  for (let step = 0; step < 2000; step += 1) {
    words[0] = random(2 ** 32);
    words[1] = random(2 ** 32);
    const number = value[0] ?? 0;
    if (!Number.isFinite(number)) continue;
    const text = plainDecimal(number);
    t.is(Number(text), number);
    t.regex(text, /^-?\d+(\.\d+)?$/);
  }
});
