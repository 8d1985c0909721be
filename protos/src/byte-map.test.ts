import test from 'ava';
import { ByteMap, hashBytes } from './byte-map.ts';
import { randomFrom } from './testing.ts';

test('finds a key by a slice of other bytes', (t) => {
  const map = new ByteMap<number>();
  map.setString('doppler', 1);
  const bytes = Buffer.from('…doppler…');
  const start = bytes.indexOf('doppler');
  const end = start + 'doppler'.length;
  t.is(map.get(bytes, start, end, hashBytes(bytes, start, end)), 1);
});

test('keeps its own copy of a key', (t) => {
  const map = new ByteMap<number>();
  const bytes = Buffer.from('abc');
  map.set(bytes, 0, 3, hashBytes(bytes, 0, 3), 1);
  bytes.fill('x');
  t.is(map.getString('abc'), 1);
});

test('an empty key is a key', (t) => {
  const map = new ByteMap<number>();
  map.setString('', 1);
  t.is(map.getString(''), 1);
  t.true(map.deleteString(''));
  t.is(map.size, 0);
});

test('a hash depends on the bytes alone, not on where they stand', (t) => {
  const bytes = Buffer.from('--73467cc3-261a-472e--');
  const slice = Buffer.from(bytes.subarray(2, 20));
  t.is(hashBytes(bytes, 2, 20), hashBytes(slice, 0, slice.length));
});

test('spreads a million similar keys over its slots', (t) => {
  const buckets = new Uint32Array(1024);
  for (let index = 0; index < 1_000_000; index += 1) {
    const bytes = Buffer.from(`source-${index}`);
    const bucket = hashBytes(bytes, 0, bytes.length) & 1023;
    buckets[bucket] = (buckets[bucket] ?? 0) + 1;
  }
  t.true(Math.max(...buckets) < 1250, `the fullest of 1024 buckets holds ${Math.max(...buckets)}`);
});

for (const seed of [1, 2, 3, 5, 8]) {
  test(`agrees with a Map, seed ${seed}`, (t) => {
    const random = randomFrom(seed);
    const map = new ByteMap<number>();
    const model = new Map<string, number>();
    for (let step = 0; step < 5000; step += 1) {
      const key = `key-${random(300)}`;
      if (random(3) === 0) {
        t.is(map.deleteString(key), model.delete(key));
      } else {
        map.setString(key, step);
        model.set(key, step);
      }
      t.is(map.size, model.size);
      const asked = `key-${random(300)}`;
      t.is(map.getString(asked), model.get(asked));
    }
    t.deepEqual([...map.entries()].sort(byKey), [...model].sort(byKey));
    map.clear();
    t.is(map.size, 0);
  });
}

for (const seed of [1, 2, 3]) {
  test(`agrees with a Map while it grows, seed ${seed}`, (t) => {
    const random = randomFrom(seed);
    const map = new ByteMap<number>();
    const model = new Map<string, number>();
    const mistakes: string[] = [];
    const check = (what: string, is: unknown, should: unknown): void => {
      if (is !== should) mistakes.push(`${what}: ${is} instead of ${should}`);
    };
    for (let step = 0; step < 40_000; step += 1) {
      const key = `key-${random(20_000)}`;
      if (random(4) === 0) {
        check(`deleted ${key}`, map.deleteString(key), model.delete(key));
      } else {
        map.setString(key, step);
        model.set(key, step);
      }
      const asked = `key-${random(20_000)}`;
      check(asked, map.getString(asked), model.get(asked));
      check('size', map.size, model.size);
      if (step % 2500 === 0) {
        const entries = [...map.entries()].sort(byKey);
        check('entries', entries.join(), [...model].sort(byKey).join());
        check('values', [...map.values()].length, model.size);
      }
    }
    t.deepEqual(mistakes.slice(0, 5), []);
  });
}

function byKey([a]: [string, number], [b]: [string, number]): number {
  return a < b ? -1 : 1;
}
