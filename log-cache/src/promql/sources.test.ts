import { randomFrom } from '@standpipe/protos/testing';
import test from 'ava';
import { Matcher, oneOf } from './matcher.ts';
import { sourcesOf } from './sources.ts';

/** What selectors that list these ids, before somebody who may see those, can have something of. */
function of(lists: readonly (readonly string[])[], sources?: ReadonlySet<string>) {
  const listing = lists.map((ids) => new Matcher('source_id', '=~', oneOf(ids)));
  const matchers = [new Matcher('job', '=', 'x'), ...listing];
  return sourcesOf({ matchers, sources, startMs: 0, endMs: 0, labelsOnly: false });
}

function idsFrom(first: number, count: number): string[] {
  return Array.from({ length: count }, (_, n) => `id-${first + n}`);
}

test('sources that are not listed are any, or those that may be seen', (t) => {
  t.is(of([]), undefined);
  t.deepEqual(of([], new Set(['b', 'a'])), ['b', 'a']);
  t.deepEqual(of([], new Set()), []);
});

test('lists may be as long as a query has room for', (t) => {
  const seen = new Set(idsFrom(5000, 100_000));
  t.deepEqual(of([idsFrom(0, 9000), idsFrom(4000, 4000)], seen), idsFrom(5000, 3000));
});

for (const seed of [1, 2, 3]) {
  test(`are in all lists, each once and in the order of the first, seed ${seed}`, (t) => {
    const random = randomFrom(seed);
    const list = (): string[] => Array.from({ length: 1 + random(10) }, () => `id-${random(8)}`);
    for (let round = 0; round < 200; round += 1) {
      const lists = Array.from({ length: 1 + random(3) }, list);
      const seen = random(2) ? list() : undefined;
      const [first = [], ...others] = seen === undefined ? lists : [...lists, seen];
      const wanted = [...new Set(first)].filter((id) => others.every((own) => own.includes(id)));
      t.deepEqual(of(lists, seen && new Set(seen)), wanted);
    }
  });
}
