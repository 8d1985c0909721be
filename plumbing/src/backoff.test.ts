import test from 'ava';
import { Backoff } from './backoff.ts';

test('waits longer each time, up to its limit', (t) => {
  const backoff = new Backoff({ firstMs: 100, maxMs: 1000, jitter: 0 });
  t.deepEqual(times(6, backoff), [100, 200, 400, 800, 1000, 1000]);
});

test('begins again after a success', (t) => {
  const backoff = new Backoff({ firstMs: 100, maxMs: 1000, factor: 3, jitter: 0 });
  times(4, backoff);
  backoff.reset();
  t.deepEqual(times(2, backoff), [100, 300]);
});

test('waits less than asked by a random part, never more', (t) => {
  const numbers = [0, 0.5, 0.9];
  const backoff = new Backoff({
    firstMs: 1000,
    maxMs: 1000,
    jitter: 0.5,
    random: () => numbers.shift() ?? 0,
  });
  t.deepEqual(times(3, backoff), [1000, 750, 550]);
});

function times(count: number, backoff: Backoff): number[] {
  return Array.from({ length: count }, () => backoff.next());
}
