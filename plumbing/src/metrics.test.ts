import test from 'ava';
import { Metrics } from './metrics.ts';

test('writes the names, helps, labels and tags that were declared', async (t) => {
  const metrics = new Metrics({ origin: 'loggregator.doppler', tags: { zone: 'az1' } });
  metrics.counter('ingress', 'Envelopes received.').add(3);
  metrics.counter('dropped', 'Envelopes dropped.', { direction: 'ingress' }).add(1);
  metrics.counter('dropped', 'Envelopes dropped.', { direction: 'egress' }).add(2);
  metrics.gauge('subscriptions', 'Open subscriptions.', { unit: 'streams' }).set(7);
  const text = await metrics.text();
  t.deepEqual(text.trim().split('\n'), [
    '# HELP ingress Envelopes received.',
    '# TYPE ingress counter',
    'ingress{zone="az1"} 3',
    '',
    '# HELP dropped Envelopes dropped.',
    '# TYPE dropped counter',
    'dropped{direction="ingress",zone="az1"} 1',
    'dropped{direction="egress",zone="az1"} 2',
    '',
    '# HELP subscriptions Open subscriptions. (streams)',
    '# TYPE subscriptions gauge',
    'subscriptions{zone="az1"} 7',
  ]);
});

test('gives the same counter for the same name and labels, in any order', (t) => {
  const metrics = new Metrics({ origin: 'x' });
  const counter = metrics.counter('dropped', 'Help.', { a: '1', b: '2' });
  counter.add(4);
  t.is(metrics.counter('dropped', 'Help.', { b: '2', a: '1' }), counter);
  t.is(counter.value, 4);
  t.is(metrics.counter('dropped', 'Help.', { a: '1' }).value, 0);
});

test('lets the series of one name have different labels', async (t) => {
  const metrics = new Metrics({ origin: 'x' });
  metrics.counter('dropped', 'Help.', { direction: 'egress' }).add(1);
  metrics.counter('dropped', 'Help.', { reason: 'late "one"\n' }).add(2);
  const text = await metrics.text();
  t.true(text.includes('dropped{direction="egress"} 1'));
  t.true(text.includes('dropped{reason="late \\"one\\"\\n"} 2'));
});

test('reads a gauge when it is asked for', async (t) => {
  const metrics = new Metrics({ origin: 'x' });
  let held = 5;
  const gauge = metrics.gauge('held', 'Help.', { read: () => held });
  held = 6;
  t.is(gauge.value, 6);
  t.true((await metrics.text()).includes('held 6'));
});

test('a counter may be a second name for what another counts', (t) => {
  const metrics = new Metrics({ origin: 'x' });
  const dropped = metrics.counter('dropped', 'Help.');
  const alias = metrics.counter('old.dropped', 'Help.', {}, () => dropped.value);
  dropped.add(3);
  t.is(alias.value, 3);
});

test('keeps dots in names, and shows them to Prometheus as underscores', async (t) => {
  const metrics = new Metrics({ origin: 'x' });
  metrics.gauge('proxy.streams', 'Help.', { unit: 'connections' }).set(2);
  t.deepEqual(
    [...metrics.series()].map(({ name, unit }) => [name, unit]),
    [['proxy.streams', 'connections']],
  );
  t.true((await metrics.text()).includes('\nproxy_streams 2'));
  metrics.remove('proxy.streams');
  t.is([...metrics.series()].length, 0);
});

test('forgets a series that was removed', async (t) => {
  const metrics = new Metrics({ origin: 'x' });
  metrics.gauge('held', 'Help.', { labels: { drain: 'a' } }).set(1);
  metrics.gauge('held', 'Help.', { labels: { drain: 'b' } }).set(2);
  metrics.remove('held', { drain: 'a' });
  t.deepEqual(
    [...metrics.series()].map(({ labels, value }) => [labels, value]),
    [[{ drain: 'b' }, 2]],
  );
});

test('refuses a bad name, one name for two types or two metrics, and a counter that falls', (t) => {
  const metrics = new Metrics({ origin: 'x' });
  t.throws(() => metrics.counter('a b', 'Help.'), { message: /no name for a metric/ });
  metrics.counter('a.b', 'Help.');
  t.throws(() => metrics.counter('a_b', 'Help.'), { message: /would look like a.b/ });
  const counter = metrics.counter('held', 'Help.');
  t.throws(() => metrics.gauge('held', 'Help.'), { message: /a counter already/ });
  t.throws(() => counter.add(-1), { message: /only rises/ });
});
