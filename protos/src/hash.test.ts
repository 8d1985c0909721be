import test from 'ava';
import { Crc64Sum, crc64, xxh64 } from './hash.ts';

// XXH64's own check values, and those that log-cache-release v3.2.0 tests its routing with.
const XXH64: readonly (readonly [string, bigint])[] = [
  ['', 17241709254077376921n],
  ['0', 7148434200721666028n],
  ['200', 2685111111418367100n],
  ['400', 11111781720710347155n],
  ['73467cc3-261a-472e-80e8-d6eadfd30d98', 15320346944582137104n],
  ['Ünïcode-😀', 2833995368159791053n],
];

for (const [text, hash] of XXH64) {
  test(`XXH64 of "${text}" is ${hash}, as a string and as bytes`, (t) => {
    t.is(xxh64(text), hash);
    t.is(xxh64(Buffer.from(text)), hash);
  });
}

test('XXH64 of a slice in the middle of a buffer hashes that slice alone', (t) => {
  t.is(xxh64(Buffer.from('xx200xx').subarray(2, 5)), 2685111111418367100n);
});

test('XXH64 of a megabyte is exact', (t) => {
  const bytes = Buffer.alloc(1_000_000, 'abcdefg');
  t.is(xxh64(bytes), xxh64(bytes.toString()));
});

const CRC64: readonly (readonly [string, bigint])[] = [
  ['', 0n],
  ['123456789', 0x995dc9bbdf1939fan],
  ['hash', 0x232eec78c114cc40n],
  ['other-hash', 0x31896233e032cbf1n],
  ['a', 0x330284772e652b05n],
  ['b', 0x74a8fe9e8582d431n],
];

for (const [text, hash] of CRC64) {
  test(`CRC-64 of "${text}" is 0x${hash.toString(16)}`, (t) => {
    t.is(crc64(Buffer.from(text)), hash);
    const padded = Buffer.from(`<<${text}>>`);
    t.is(crc64(padded, 2, padded.length - 2), hash);
  });
}

test('the sum of the CRCs of a gauge wraps at 64 bits', (t) => {
  const sum = new Crc64Sum();
  for (const name of ['a', 'b']) sum.add(Buffer.from(name), 0, 1);
  t.is(sum.value(), 0xa7ab8315b3e7ff36n);
  sum.add(Buffer.from('123456789'), 0, 9);
  t.is(sum.value(), BigInt.asUintN(64, 0xa7ab8315b3e7ff36n + 0x995dc9bbdf1939fan));
  t.is(sum.reset().value(), 0n);
});

test('the sum modulo a number of members equals the 64-bit remainder', (t) => {
  for (const count of [1, 2, 3, 5, 7, 10, 64, 1000, 65_537, 1_048_575, 1_048_576]) {
    for (const text of ['hash', 'other-hash', 'a', 'b', '123456789', '']) {
      const sum = new Crc64Sum().add(Buffer.from(text), 0, text.length);
      t.is(sum.modulo(count), Number(sum.value() % BigInt(count)), `${text} mod ${count}`);
    }
  }
});

test('the sum refuses to divide by nothing', (t) => {
  t.throws(() => new Crc64Sum().modulo(0));
});
