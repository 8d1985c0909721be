import { Metrics } from '@standpipe/plumbing';
import { spyLog } from '@standpipe/plumbing/testing';
import test from 'ava';
import { SERIES_MAX, SlowSubscribers } from './slow-subscribers.ts';

test('drops are named by shard, selectors and peer, in the log and as a metric', (t) => {
  const { slow, log, series } = setUp();
  const drop = slow.subscriber({
    shardId: 's',
    selectors: 'log of any source',
    peer: '10.0.0.1:7',
  });
  t.deepEqual(series(), [], 'a subscriber that keeps up has no series');
  drop(100);
  drop(50);
  const labels = { shard_id: 's', selectors: 'log of any source', peer: '10.0.0.1:7' };
  t.deepEqual(series(), [{ labels, value: 150 }]);
  t.like(log.lines[0]?.fields, { ...labels, count: 100, in_all: 100 });
});

test('the series of slow subscribers are limited in number: the longest quiet one goes', (t) => {
  const { slow, series } = setUp();
  const drops = Array.from({ length: SERIES_MAX }, (_, n) =>
    slow.subscriber({ shardId: `${n}`, selectors: 'log of any source', peer: 'p' }),
  );
  for (const drop of drops) drop(1);
  drops[0]?.(1);
  slow.subscriber({ shardId: 'one more', selectors: 'log of any source', peer: 'p' })(1);
  const shards = series().map(({ labels }) => labels.shard_id);
  t.is(shards.length, SERIES_MAX);
  t.false(shards.includes('1'));
  t.true(shards.includes('0'));
  drops[1]?.(5);
  t.is(series().find(({ labels }) => labels.shard_id === '1')?.value, 5);
});

function setUp() {
  const metrics = new Metrics({ origin: 'doppler' });
  const log = spyLog();
  const series = () => [...metrics.series()].map(({ labels, value }) => ({ labels, value }));
  return { slow: new SlowSubscribers({ metrics, log }), log, series };
}
