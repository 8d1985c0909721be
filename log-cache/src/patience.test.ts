import { ManualClock } from '@standpipe/plumbing/testing';
import test from 'ava';
import { Patience } from './patience.ts';

test('a node that let somebody wait in vain is waited for shortly, for a while', async (t) => {
  const clock = new ManualClock();
  const patience = new Patience({ longMs: 4000, shortMs: 500, clock });
  t.is(patience.limit(5000), 5000);
  patience.ranOut(4000);
  t.is(patience.limit(5000), 500);
  t.is(patience.limit(100), 100, 'whoever wants less gets that');
  await clock.advance(4999);
  patience.ranOut(4000);
  t.is(patience.limit(5000), 500);
  await clock.advance(1);
  t.is(patience.limit(5000), 5000, 'short waits that were in vain do not prolong it');
});

test('an answer to anybody ends the suspicion', (t) => {
  const patience = new Patience({ longMs: 4000, shortMs: 500, clock: new ManualClock() });
  patience.ranOut(4000);
  patience.answered();
  t.is(patience.limit(5000), 5000);
});

test('that callers with little time waited in vain says nothing', (t) => {
  const patience = new Patience({ longMs: 4000, shortMs: 500, clock: new ManualClock() });
  patience.ranOut(3999);
  t.is(patience.limit(5000), 5000);
});
