import { ManualClock } from '@standpipe/plumbing/testing';
import test from 'ava';
import { ExpiringMap } from './expiring-map.ts';

test('forgets what is over, and the oldest when there is too much, which alone it tells', async (t) => {
  const clock = new ManualClock(0);
  let evicted = 0;
  const map = new ExpiringMap<number>({
    max: 2,
    ageMs: 100,
    clock,
    onEvict: () => {
      evicted += 1;
    },
  });
  map.set('a', 1);
  map.set('b', 2);
  await clock.advance(50);
  map.set('a', 3);
  map.set('c', 4);
  t.deepEqual([map.get('a'), map.get('b'), map.get('c')], [3, undefined, 4]);
  t.is(evicted, 1);
  await clock.advance(100);
  map.set('d', 5);
  t.deepEqual([map.size, evicted], [1, 1]);
  t.is(map.get('d'), 5);
  await clock.advance(100);
  t.is(map.get('d'), undefined);
});
