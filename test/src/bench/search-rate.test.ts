import test from 'ava';
import { highestRateThat } from './search-rate.ts';

async function searched(
  limit: number,
  first: number,
): Promise<{ found?: number; tried: number[] }> {
  const tried: number[] = [];
  const found = await highestRateThat(async (rate) => {
    tried.push(rate);
    return rate <= limit;
  }, first);
  return { tried, ...(found === undefined ? {} : { found }) };
}

for (const limit of [20, 60, 99, 100, 101, 250, 900]) {
  test(`what is found is at most a tenth below the limit, ${limit}`, async (t) => {
    const { found = 0, tried } = await searched(limit, 100);
    t.true(found <= limit && found > limit * 0.9, `found ${found}`);
    t.is(new Set(tried).size, tried.length, 'no rate is tried twice');
  });
}

test('nothing is found where nothing works', async (t) => {
  const { found, tried } = await searched(0, 100);
  t.true(found === undefined);
  t.is(tried.length, 10);
});

test('the search ends where everything works', async (t) => {
  const { found = 0, tried } = await searched(Number.POSITIVE_INFINITY, 100);
  t.is(tried.length, 10);
  t.deepEqual(found, Math.max(...tried));
});
