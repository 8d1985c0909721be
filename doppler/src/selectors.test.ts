import { Kind, type loggregator } from '@standpipe/protos';
import test from 'ava';
import { describeSelectors, readSelectors, type Selector } from './selectors.ts';

const TABLE: readonly [string, loggregator.v2.ISelector, Selector][] = [
  ['a log selector', { source_id: 'a', log: {} }, { sourceId: 'a', kind: Kind.log, names: [] }],
  ['a timer selector', { timer: {} }, { sourceId: '', kind: Kind.timer, names: [] }],
  ['an event selector', { event: {} }, { sourceId: '', kind: Kind.event, names: [] }],
  ['any counter', { counter: { name: '' } }, { sourceId: '', kind: Kind.counter, names: [] }],
  ['one counter', { counter: { name: 'x' } }, { sourceId: '', kind: Kind.counter, names: ['x'] }],
  ['any gauge', { gauge: { names: [] } }, { sourceId: '', kind: Kind.gauge, names: [] }],
  [
    'a set of gauge names',
    { gauge: { names: ['b', 'a'] } },
    { sourceId: '', kind: Kind.gauge, names: ['b', 'a'] },
  ],
];

for (const [title, selector, expected] of TABLE) {
  test(`reads ${title}`, (t) => {
    t.deepEqual(readSelectors([selector]), [expected]);
  });
}

test('leaves out a selector without a kind: it selects nothing', (t) => {
  t.deepEqual(readSelectors([{ source_id: 'a' }]), []);
  t.deepEqual(readSelectors(undefined), []);
});

test('describes selectors for an operator, and only the first few', (t) => {
  const of = (id: string) => ({ source_id: id, log: {} });
  t.is(describeSelectors([]), 'nothing');
  t.is(
    describeSelectors(readSelectors([of('a'), { counter: { name: 'hits' } }])),
    'log of a, counter "hits" of any source',
  );
  t.is(
    describeSelectors(readSelectors(['a', 'b', 'c', 'd', 'e', 'f', 'g'].map(of))),
    'log of a, log of b, log of c, log of d, log of e and 2 more',
  );
  t.regex(describeSelectors(readSelectors([of('x'.repeat(1_000_000))])), /^log of x{80}…$/);
});
