import test from 'ava';
import {
  goFixed,
  goShortest,
  joinDouble,
  jsonNumber,
  writeSigned,
  writeUnsigned,
} from './decimal.ts';
import { randomFrom } from './testing.ts';

const UNSIGNED = [
  0n,
  9n,
  10n,
  999_999_999n,
  1_000_000_000n,
  4_294_967_295n,
  4_294_967_296n,
  999_999_999_999_999_999n,
  1_000_000_000_000_000_000n,
  1_700_000_000_123_456_789n,
  9_223_372_036_854_775_807n,
  9_223_372_036_854_775_808n,
  18_446_744_073_709_551_615n,
];

for (const value of UNSIGNED) {
  test(`writes ${value}, and it signed and negated`, (t) => {
    t.is(unsigned(value), String(value));
    t.is(signed(value), String(BigInt.asIntN(64, value)));
    t.is(signed(-value), String(BigInt.asIntN(64, -value)));
  });
}

for (const seed of [1, 2, 3]) {
  test(`writes integers as BigInt does, seed ${seed}`, (t) => {
    const random = randomFrom(seed);
    for (let round = 0; round < 5000; round += 1) {
      const words = (BigInt(random(2 ** 32)) << 32n) | BigInt(random(2 ** 32));
      const value = words >> BigInt(random(64));
      t.is(unsigned(value), String(value));
      t.is(signed(value), String(BigInt.asIntN(64, value)));
    }
  });
}

test('joins the words of a double', (t) => {
  const bytes = Buffer.alloc(8);
  for (const value of [0, -0, 1.5, -1e300, 5e-324, Number.NaN, Number.NEGATIVE_INFINITY]) {
    bytes.writeDoubleLE(value);
    t.is(joinDouble(bytes.readUInt32LE(4), bytes.readUInt32LE(0)), value);
  }
});

// Value; as protojson prints it; as Go's %g does; as Go's %f does.
const DOUBLES: readonly (readonly [number, string, string, string])[] = [
  [0, '0', '0', '0.000000'],
  [-0, '-0', '-0', '-0.000000'],
  [1, '1', '1', '1.000000'],
  [0.1, '0.1', '0.1', '0.100000'],
  [-12.5, '-12.5', '-12.5', '-12.500000'],
  [100_000, '100000', '100000', '100000.000000'],
  [123_456.7, '123456.7', '123456.7', '123456.700000'],
  [999_999, '999999', '999999', '999999.000000'],
  [1_000_000, '1000000', '1e+06', '1000000.000000'],
  [1_234_567, '1234567', '1.234567e+06', '1234567.000000'],
  [134_217_728, '134217728', '1.34217728e+08', '134217728.000000'],
  [0.0001, '0.0001', '0.0001', '0.000100'],
  [0.00001, '0.00001', '1e-05', '0.000010'],
  [0.000001, '0.000001', '1e-06', '0.000001'],
  [0.0000001, '1e-7', '1e-07', '0.000000'],
  [1.5e-10, '1.5e-10', '1.5e-10', '0.000000'],
  [-1e-7, '-1e-7', '-1e-07', '-0.000000'],
  [1e20, '100000000000000000000', '1e+20', '100000000000000000000.000000'],
  [1e21, '1e+21', '1e+21', '1000000000000000000000.000000'],
  [1e23, '1e+23', '1e+23', '99999999999999991611392.000000'],
  [2.5e100, '2.5e+100', '2.5e+100', `${BigInt(2.5e100)}.000000`],
  [1 / 128, '0.0078125', '0.0078125', '0.007812'],
  [3 / 128, '0.0234375', '0.0234375', '0.023438'],
  [-1 / 128, '-0.0078125', '-0.0078125', '-0.007812'],
  [0.0000005, '5e-7', '5e-07', '0.000000'],
  [0.0000015, '0.0000015', '1.5e-06', '0.000002'],
  [Number.NaN, '"NaN"', 'NaN', 'NaN'],
  [Number.POSITIVE_INFINITY, '"Infinity"', '+Inf', '+Inf'],
  [Number.NEGATIVE_INFINITY, '"-Infinity"', '-Inf', '-Inf'],
];

for (const [value, json, shortest, fixed] of DOUBLES) {
  test(`prints ${Object.is(value, -0) ? '-0' : value} as protojson, %g and %f do`, (t) => {
    t.is(jsonNumber(value), json);
    t.is(goShortest(value), shortest);
    t.is(goFixed(value), fixed);
  });
}

function unsigned(value: bigint): string {
  return written(writeUnsigned, value);
}

function signed(value: bigint): string {
  return written(writeSigned, value);
}

function written(write: typeof writeUnsigned, value: bigint): string {
  const out = Buffer.alloc(24, '.');
  const high = Number((value >> 32n) & 0xffffffffn);
  const end = write(out, 2, high, Number(value & 0xffffffffn));
  return out.toString('latin1', 2, end);
}
