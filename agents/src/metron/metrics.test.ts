import { ManualClock } from '@standpipe/plumbing/testing';
import test from 'ava';
import { AverageSize } from './metrics.ts';

test('is the mean size of the last minute, and 0 when nothing came', async (t) => {
  const clock = new ManualClock(1_000_000);
  const average = new AverageSize(clock);
  t.is(average.value, 0);
  average.add(10, 1000);
  t.is(average.value, 100);
  await clock.advance(30_000);
  average.add(10, 3000);
  t.is(average.value, 200);
  await clock.advance(30_000);
  t.is(average.value, 300);
  await clock.advance(3_600_000);
  t.is(average.value, 0);
});
