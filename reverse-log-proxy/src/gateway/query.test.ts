import { loggregator } from '@standpipe/protos';
import test from 'ava';
import { EMPTY_QUERY, NO_KIND, readRequest } from './query.ts';

const CASES: readonly (readonly [string, readonly string[]])[] = [
  ['log', ['log of *']],
  ['log=false', ['log of *']],
  [
    'log&counter&gauge&timer&event',
    ['log of *', 'counter of *', 'gauge of *', 'timer of *', 'event of *'],
  ],
  ['log&source_id=a&source_id=b', ['log of a', 'log of b']],
  ['log&timer&source_id=a&source_id=b', ['log of a', 'timer of a', 'log of b', 'timer of b']],
  ['counter.name=x', ['counter x of *']],
  ['counter&counter.name=x&counter.name=y', ['counter x of *', 'counter y of *']],
  ['counter.name', ['counter of *']],
  ['gauge.name=cpu,memory', ['gauge cpu,memory of *']],
  ['gauge&gauge.name=a&gauge.name=b', ['gauge a of *', 'gauge b of *']],
  ['gauge.name=a&source_id=s&source_id=t', ['gauge a of s', 'gauge a of t']],
  ['log&source_id=', ['log of *']],
];

for (const [query, selectors] of CASES) {
  test(`?${query} selects ${selectors.join(' and ')}`, (t) => {
    t.deepEqual(requested(query).selectors?.map(described), selectors);
  });
}

test('?gauge.name selects gauges with one metric whose name is empty', (t) => {
  t.deepEqual(requested('gauge.name').selectors?.[0]?.gauge?.names, ['']);
});

test('preferred tags are always asked for; shard and deterministic name are passed on', (t) => {
  const request = requested('log&shard_id=one&shard_id=two&deterministic_name=me');
  t.true(request.use_preferred_tags);
  t.is(request.shard_id, 'one');
  t.is(request.deterministic_name, 'me');
});

test('no query at all, and a query without a kind, are told apart', (t) => {
  t.is(readRequest(new URLSearchParams('')), EMPTY_QUERY);
  t.is(readRequest(new URLSearchParams('source_id=a&shard_id=b')), NO_KIND);
});

function requested(query: string): loggregator.v2.EgressBatchRequest {
  const request = readRequest(new URLSearchParams(query));
  if (!Buffer.isBuffer(request)) throw new Error(request.error);
  return loggregator.v2.EgressBatchRequest.decode(request);
}

function described(selector: loggregator.v2.ISelector): string {
  const { counter, gauge } = selector;
  const kind = ['log', 'counter', 'gauge', 'timer', 'event'].find(
    (name) => selector[name as 'log'] != null,
  );
  const names = counter?.name || gauge?.names?.join(',') || '';
  return [kind, ...(names ? [names] : []), 'of', selector.source_id || '*'].join(' ');
}
