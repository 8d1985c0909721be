import test from 'ava';
import { fixedNumber, quoted, shortNumber } from './quote.ts';

for (const [text, wanted] of [
  ['plain é 漢 😀', '"plain é 漢 😀"'],
  ['a "b" \\ c', '"a \\"b\\" \\\\ c"'],
  ['\u0007\b\f\n\r\t\v', '"\\a\\b\\f\\n\\r\\t\\v"'],
  ['\u0001\u007f', '"\\x01\\x7f"'],
  ['\u00a0\u200b', '"\\u00a0\\u200b"'],
  ['\u{e0001}', '"\\U000e0001"'],
] as const) {
  test(`quotes ${wanted} as Go does`, (t) => {
    t.is(quoted(text), wanted);
  });
}

for (const [value, wanted] of [
  [0, '0'],
  [-0, '-0'],
  [1.5, '1.5'],
  [-999_999, '-999999'],
  [1e6, '1e+06'],
  [123_456_789, '1.23456789e+08'],
  [2 ** 63, '9.223372036854776e+18'],
  [-1e100, '-1e+100'],
  [0.0001, '0.0001'],
  [0.00001, '1e-05'],
  [Number.NaN, 'NaN'],
  [Number.POSITIVE_INFINITY, '+Inf'],
  [Number.NEGATIVE_INFINITY, '-Inf'],
] as const) {
  test(`tells the number ${wanted} as Go does`, (t) => {
    t.is(shortNumber(value), wanted);
  });
}

for (const [value, wanted] of [
  [0.5, '0.500000'],
  [1e20, '100000000000000000000.000000'],
  [-1e23, '-99999999999999991611392.000000'],
  [Number.NaN, 'NaN'],
  [Number.POSITIVE_INFINITY, '+Inf'],
] as const) {
  test(`tells the decimals of ${wanted} as Go does`, (t) => {
    t.is(fixedNumber(value), wanted);
  });
}
