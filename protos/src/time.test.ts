import test from 'ava';
import { randomFrom } from './testing.ts';
import { compareTime, joinTime, nowNanoseconds, splitTime, timeOfDay } from './time.ts';
import { encodeVarint, encodeVarint64, varintSize } from './varint.ts';

const EDGES = [0n, 1n, -1n, 2n ** 31n, 2n ** 32n, -(2n ** 32n), 2n ** 63n - 1n, -(2n ** 63n)];

for (const time of [...EDGES, 1_714_564_800_123_456_789n]) {
  test(`${time} survives being split and joined`, (t) => {
    const { high, low } = splitTime(time);
    t.is(joinTime(high, low), time);
  });
}

test('compares as the joined times do', (t) => {
  for (const a of EDGES) {
    for (const b of EDGES) {
      const [left, right] = [splitTime(a), splitTime(b)];
      const order = Math.sign(compareTime(left.high, left.low, right.high, right.low));
      t.is(order, a < b ? -1 : a > b ? 1 : 0);
    }
  }
});

test('now is the time of day and never runs backwards', (t) => {
  const off = Number(nowNanoseconds() / 1_000_000n) - Date.now();
  t.true(Math.abs(off) < 1000, `${off} ms from the time of day`);
  let last = nowNanoseconds();
  for (let round = 0; round < 10_000; round += 1) {
    const next = nowNanoseconds();
    t.true(next >= last);
    last = next;
  }
});

test('follows the time of day when the machine slept or was set, but not its wobble', (t) => {
  let milliseconds = 1_700_000_000_000;
  let ticks = 5n;
  const now = timeOfDay(
    () => milliseconds,
    () => ticks,
  );
  t.is(now(), 1_700_000_000_000_000_000n);
  ticks += 250n;
  milliseconds -= 900;
  t.is(now(), 1_700_000_000_000_000_250n);
  milliseconds = 1_700_003_600_000; // An hour's sleep, in which nothing ticked.
  t.is(now(), 1_700_003_600_000_000_000n);
  milliseconds -= 60_000;
  ticks += 7n;
  t.is(now(), 1_700_003_540_000_000_000n);
  ticks += 7n;
  t.is(now(), 1_700_003_540_000_000_007n);
});

test('varints are as long as they are said to be, and read back', (t) => {
  const random = randomFrom(1);
  const bytes = Buffer.alloc(10);
  for (let round = 0; round < 5000; round += 1) {
    const value = random(2 ** 32) >>> random(32);
    const end = encodeVarint(bytes, 0, value);
    t.is(end, varintSize(value));
    t.is(encodeVarint64(Buffer.alloc(10), 0, 0, value), end);
    t.is(readBack(bytes.subarray(0, end)), BigInt(value));
  }
  const end = encodeVarint64(bytes, 0, 0xffffffff, 0xfffffffe);
  t.is(readBack(bytes.subarray(0, end)), 2n ** 64n - 2n);
});

function readBack(bytes: Buffer): bigint {
  let value = 0n;
  for (const [index, byte] of bytes.entries()) value |= BigInt(byte & 0x7f) << BigInt(7 * index);
  return value;
}
