import type { Metrics } from '@standpipe/plumbing';
import test from 'ava';
import { metricOf } from '../testing.ts';
import { LocalSeries } from './local-series.ts';
import { CountingPace, counterAt, gaugeAt, logAt, testQuerier } from './testing.ts';

const NOW = 1_700_000_000;

test('what a query reads of its time and sources counts as egress, whatever its name', async (t) => {
  const { put, ask, metrics } = testQuerier();
  const egress = (): number => egressOf(metrics);
  put(counterAt(NOW - 400, 'x', 1), counterAt(NOW - 10, 'x', 2), counterAt(NOW, 'x', 3));
  put(gaugeAt(NOW, { y: 1, z: 2 }), logAt(NOW), counterAt(NOW + 10, 'x', 4));
  put(counterAt(NOW, 'x', 1, { source: 'other' }));

  t.deepEqual(await ask('x{source_id="app"}', NOW), ['{source_id="app"} 3']);
  t.is(egress(), 3);
  await ask('nothing{source_id="app"}', NOW);
  t.is(egress(), 6);
  await ask('x', NOW);
  t.is(egress(), 10);
  await ask('1', NOW);
  t.is(egress(), 10);
});

test('a query that is given up has read what it has read', async (t) => {
  const { put, store, metrics } = testQuerier();
  put(...Array.from({ length: 5000 }, (_, n) => gaugeAt(NOW + n, { x: n })));
  const pace = new (class extends CountingPace {
    override async pause(): Promise<void> {
      throw new Error('enough');
    }
  })();
  const selection = { matchers: [], startMs: 0, endMs: Number.MAX_SAFE_INTEGER, labelsOnly: false };
  await t.throwsAsync(new LocalSeries(store, metrics).select(selection, pace), {
    message: 'enough',
  });
  const read = egressOf(metrics);
  t.true(read > 0 && read < 5000, `${read}`);
});

function egressOf(metrics: Metrics): number {
  return metricOf(metrics, 'log_cache_egress') ?? Number.NaN;
}
