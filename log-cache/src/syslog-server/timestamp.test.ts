import { joinTime } from '@standpipe/protos';
import { randomFrom } from '@standpipe/protos/testing';
import test from 'ava';
import { Timestamp } from './timestamp.ts';

for (const [text, wanted] of [
  ['1970-01-01T00:00:00Z', 0n],
  ['1970-01-01T00:00:00.000001Z', 1000n],
  ['2023-11-14T22:13:20.123456Z', 1_700_000_000_123_456_000n],
  ['2023-11-14T22:13:20.12345+00:00', 1_700_000_000_123_450_000n],
  ['2023-11-14T23:43:20.1+01:30', 1_700_000_000_100_000_000n],
  ['2023-11-14T14:13:20-08:00', 1_700_000_000_000_000_000n],
  ['2024-02-29T00:00:00Z', 1_709_164_800_000_000_000n],
  ['1969-12-31T23:59:59.5Z', -500_000_000n],
  ['1900-03-01T00:00:00Z', -2_203_891_200_000_000_000n],
] as const) {
  test(`reads ${text}`, (t) => t.is(read(text), wanted));
}

for (const text of [
  '',
  '2023-11-14',
  '2023-11-14 22:13:20Z',
  '2023-11-14t22:13:20Z',
  '2023-11-14T22:13:20',
  '2023-11-14T22:13:20z',
  '2023-11-14T22:13:20.Z',
  '2023-11-14T22:13:20.1234567Z',
  '2023-11-14T22:13:20.123456789Z',
  '2023-11-14T22:13:20Z ',
  '2023-11-14T22:13:20+1:00',
  '2023-11-14T22:13:20+24:00',
  '2023-11-14T22:13:20+01:60',
  '2023-11-14T22:13:60Z',
  '2023-11-14T24:00:00Z',
  '2023-11-14T22:60:00Z',
  '2023-13-14T22:13:20Z',
  '2023-00-14T22:13:20Z',
  '2023-11-31T22:13:20Z',
  '2023-02-29T22:13:20Z',
  '1900-02-29T22:13:20Z',
  'x023-11-14T22:13:20Z',
]) {
  test(`refuses ${JSON.stringify(text)}`, (t) => t.is(read(text), undefined));
}

for (const seed of [1, 2, 3]) {
  test(`agrees with Date, seed ${seed}`, (t) => {
    const random = randomFrom(seed);
    for (let step = 0; step < 2000; step += 1) {
      // From 1930 to 2200.
      const ms = (random(2 ** 31) - 2 ** 28) * 4000 + random(1000);
      t.is(read(new Date(ms).toISOString()), BigInt(ms) * 1_000_000n);
    }
  });
}

function read(text: string): bigint | undefined {
  const bytes = Buffer.from(`>${text}<`);
  const timestamp = new Timestamp();
  if (!timestamp.read(bytes, 1, bytes.length - 1)) return undefined;
  return joinTime(timestamp.high, timestamp.low);
}
