import test from 'ava';
import { LogRate } from './log-rate.ts';

test("admits a second's worth at once, and more as time passes", (t) => {
  let now = 0;
  const rate = new LogRate(100, () => now);
  t.deepEqual([rate.admits(60), rate.admits(40), rate.admits(1)], [true, true, false]);
  now = 500;
  t.deepEqual([rate.admits(50), rate.admits(1)], [true, false]);
  now = 60_000;
  t.deepEqual([rate.admits(100), rate.admits(1)], [true, false]);
});

test("lets a line of more than a second's worth pass, and waits until it is paid for", (t) => {
  let now = 0;
  const rate = new LogRate(100, () => now);
  t.true(rate.admits(350));
  now = 2_500;
  t.false(rate.admits(1));
  now = 2_501;
  t.true(rate.admits(1));
});

test('admits everything without a limit, and nothing with one of zero', (t) => {
  t.true(new LogRate(undefined).admits(1e9));
  t.false(new LogRate(0).admits(1));
});
