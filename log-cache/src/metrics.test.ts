import test from 'ava';
import { line, metricOf, testStore } from './testing.ts';

test('tells by the original names how much memory the store uses', (t) => {
  const { store, metrics, put } = testStore({ memoryLimitBytes: 256 * 1024 });
  t.is(metricOf(metrics, 'log_cache_heap_in_use_memory'), 0);
  t.is(metricOf(metrics, 'log_cache_truncation_duration'), 0);
  t.is(metricOf(metrics, 'log_cache_total_system_memory'), store.limitBytes);
  for (let n = 0; n < 20_000; n += 1) put(line('a', n));
  t.is(metricOf(metrics, 'log_cache_heap_in_use_memory'), store.usedBytes);
  const percentage = metricOf(metrics, 'log_cache_memory_utilization') ?? 0;
  t.true(percentage > 75 && percentage <= 100, String(percentage));
  t.true((metricOf(metrics, 'log_cache_truncation_duration') ?? 0) > 0);
  t.true((metricOf(metrics, 'log_cache_available_system_memory') ?? 0) > 0);
  t.true(Number.isInteger(metricOf(metrics, 'log_cache_uptime')));
});

test('tells what came to the fifty sources that take the most memory, and to no others', async (t) => {
  const { metrics, put } = testStore({ maxPerSource: 90 });
  for (let n = 0; n < 60; n += 1) {
    put(...Array.from({ length: 1 + 40 * (n % 6) }, (_, index) => line(`source ${n}`, index)));
  }
  const text = await metrics.text();
  const ingress = [
    ...text.matchAll(/^log_cache_source_ingress{source_id="source (\d+)"} (\d+)$/gm),
  ];
  t.is(ingress.length, 50);
  for (const [, n, count] of ingress) t.is(Number(count), 1 + 40 * (Number(n) % 6));
  t.false(ingress.some(([, n]) => Number(n) % 6 === 0));
  t.true(text.includes('log_cache_source_expired{source_id="source 5"} 111'));
  t.regex(text, /^log_cache_source_bytes{source_id="source 5"} \d{4,}$/m);
  // They come and go, so they are not pushed to anybody.
  t.false([...metrics.series()].some(({ name }) => name.startsWith('log_cache_source')));
});
