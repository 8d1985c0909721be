import { joinTime } from '@standpipe/protos';
import { randomFrom } from '@standpipe/protos/testing';
import test from 'ava';
import { NumberText } from './number-text.ts';

for (const [text, unsigned, signed] of [
  ['0', 0n, 0n],
  ['42', 42n, 42n],
  ['000000000000000000000000000042', 42n, 42n],
  ['999999999999999', 999_999_999_999_999n, 999_999_999_999_999n],
  ['9223372036854775807', 2n ** 63n - 1n, 2n ** 63n - 1n],
  ['9223372036854775808', 2n ** 63n, undefined],
  ['18446744073709551615', 2n ** 64n - 1n, undefined],
  ['18446744073709551616', undefined, undefined],
  ['99999999999999999999999', undefined, undefined],
  ['-1', undefined, -1n],
  ['-4294967297', undefined, -4_294_967_297n],
  ['-9223372036854775808', undefined, -(2n ** 63n)],
  ['-9223372036854775809', undefined, undefined],
  ['+7', undefined, 7n],
  ['', undefined, undefined],
  ['-', undefined, undefined],
  ['1 ', undefined, undefined],
  ['1.0', undefined, undefined],
  ['0x1', undefined, undefined],
  ['1_000', undefined, undefined],
] as const) {
  test(`reads the integer ${JSON.stringify(text)} as Go does`, (t) => {
    const bytes = Buffer.from(`9${text}9`);
    const number = new NumberText();
    const isUnsigned = number.readUnsigned(bytes, 1, bytes.length - 1);
    const asUnsigned = BigInt.asUintN(64, joinTime(number.high, number.low));
    t.is(isUnsigned ? asUnsigned : undefined, unsigned);
    const isSigned = number.readSigned(bytes, 1, bytes.length - 1);
    t.is(isSigned ? joinTime(number.high, number.low) : undefined, signed);
  });
}

for (const [text, wanted] of [
  ['0.23', 0.23],
  ['-0', -0],
  ['5', 5],
  ['+5.5', 5.5],
  ['.5', 0.5],
  ['5.', 5],
  ['1e21', 1e21],
  ['-1.5E-7', -1.5e-7],
  ['0.1234567890123456789', 0.123_456_789_012_345_68],
  ['123456789012345678901234567890', 1.234_567_890_123_456_8e29],
  ['NaN', Number.NaN],
  ['nan', Number.NaN],
  ['Inf', Number.POSITIVE_INFINITY],
  ['+infinity', Number.POSITIVE_INFINITY],
  ['-inf', Number.NEGATIVE_INFINITY],
  ['0x1.8p1', 3],
  ['1_000.5', 1000.5],
  ['1e400', undefined],
  ['', undefined],
  ['.', undefined],
  ['-', undefined],
  ['1.2.3', undefined],
  ['a', undefined],
  ['1,5', undefined],
  [' 1', undefined],
] as const) {
  test(`reads the float ${JSON.stringify(text)} as Go does`, (t) => {
    t.is(float(text), wanted);
  });
}

test('reads short floats as JavaScript does', (t) => {
  const random = randomFrom(7);
  for (let step = 0; step < 5000; step += 1) {
    const text = `${random(2) ? '-' : ''}${random(1_000_000)}.${random(1_000_000_000)}`;
    t.is(float(text), Number(text), text);
  }
});

function float(text: string): number | undefined {
  const bytes = Buffer.from(`9${text}9`);
  const number = new NumberText();
  return number.readFloat(bytes, 1, bytes.length - 1) ? number.float : undefined;
}
