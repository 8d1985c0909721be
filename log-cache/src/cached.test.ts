import test from 'ava';
import { Cached } from './cached.ts';

test('all who ask within a second get the same, and who asks later gets it anew', async (t) => {
  let now = 10_000;
  let loads = 0;
  const cached = new Cached(
    async () => {
      loads += 1;
      return loads;
    },
    () => now,
  );
  t.is(await cached.get(), 1);
  now += 999;
  t.is(await cached.get(), 1);
  now += 1;
  t.is(await cached.get(), 2);
  now -= 5000;
  t.is(await cached.get(), 3, 'a clock that is set back makes nothing young');
});

test('a failure is not kept', async (t) => {
  let loads = 0;
  const load = async (): Promise<string> => {
    loads += 1;
    if (loads === 1) throw new Error('away');
    return 'there';
  };
  const cached = new Cached(load, () => 0);
  await t.throwsAsync(cached.get(), { message: 'away' });
  t.is(await cached.get(), 'there');
});
