import { ManualClock } from '@standpipe/plumbing/testing';
import test from 'ava';
import { Consumers } from './consumers.ts';

test('there is no room any more once it ends, and no timer is left', async (t) => {
  const clock = new ManualClock();
  const consumers = new Consumers({ maxConsumers: 1, clock, drainMs: 100 });
  t.false(consumers.full);
  t.is(clock.sleeping, 1);
  await consumers[Symbol.asyncDispose]();
  t.true(consumers.full);
  t.is(clock.sleeping, 0);
});
