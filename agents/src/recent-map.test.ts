import { randomFrom } from '@standpipe/protos/testing';
import test from 'ava';
import { RecentMap } from './recent-map.ts';

test('gives the same value for the same bytes', (t) => {
  const map = mapOf(3);
  const value = use(map, 'a');
  t.is(use(map, 'a'), value);
  t.not(use(map, 'b'), value);
  t.is(map.size, 2);
});

test('forgets what was used longest ago when there is one too many', (t) => {
  const map = mapOf(2);
  const [a, b] = [use(map, 'a'), use(map, 'b')];
  use(map, 'a');
  use(map, 'c');
  t.is(use(map, 'a'), a);
  t.not(use(map, 'b'), b);
  t.is(map.forgotten, 2);
});

test('forgets what nobody has used for a while', (t) => {
  const map = mapOf(9);
  use(map, 'a', 1);
  use(map, 'b', 2);
  use(map, 'a', 3);
  map.forgetIdle(3);
  t.is(map.size, 1);
  map.forgetIdle(100);
  t.is(map.size, 0);
  t.is(map.forgotten, 2);
});

test('tells long keys apart', (t) => {
  const map = mapOf(9);
  const long = 'x'.repeat(10_000);
  const value = use(map, `${long}a`);
  t.not(use(map, `${long}b`), value);
  t.is(use(map, `${long}a`), value);
});

for (const seed of [1, 2, 3, 5]) {
  test(`keeps what a list of the last used keys would, seed ${seed}`, (t) => {
    const random = randomFrom(seed);
    const capacity = 1 + random(10);
    const map = mapOf(capacity);
    const model = new Map<string, { n: number }>();
    for (let step = 0; step < 2000; step += 1) {
      const key = `key ${random(20)}`;
      const value = use(map, key);
      const known = model.get(key);
      if (known) t.is(value, known);
      else t.is(value.n, 0, 'a value that was forgotten is new');
      value.n += 1;
      model.delete(key);
      model.set(key, value);
      if (model.size > capacity) model.delete([...model.keys()][0] ?? '');
      t.is(map.size, model.size);
    }
  });
}

function mapOf(capacity: number): RecentMap<{ n: number }> {
  return new RecentMap({ capacity, create: () => ({ n: 0 }) });
}

function use(map: RecentMap<{ n: number }>, key: string, nowMs = 0): { n: number } {
  const bytes = Buffer.from(key);
  return map.use(bytes, bytes.length, nowMs);
}
