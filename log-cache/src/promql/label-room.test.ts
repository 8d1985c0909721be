import test from 'ava';
import { QueryError } from './errors.ts';
import { labelJoin, labelReplace } from './functions/label.ts';
import { LABELS_LENGTH_MAX } from './label-room.ts';
import { Labels } from './labels.ts';
import { PatternSizes } from './matcher.ts';
import { SampleBudget } from './pacer.ts';
import { Row } from './rows.ts';
import { CountingPace, gaugeAt, type TestQuerier, testQuerier } from './testing.ts';

const NOW = 1_700_000_000;

/** A call in itself so many times. */
function nested(times: number, inner: string, call: (inner: string) => string): string {
  let query = inner;
  for (let n = 0; n < times; n += 1) query = call(query);
  return query;
}

function withSeries(count: number, length: number, budget = new SampleBudget(50_000_000)) {
  const asked: TestQuerier = testQuerier({ budget });
  for (let n = 0; n < count; n += 1) {
    asked.put(
      gaugeAt(NOW, { x: n }, { instance: String(n), tags: { a: 'ab'.repeat(length / 2) } }),
    );
  }
  return { ...asked, budget };
}

for (const [name, call] of [
  ['label_join', (inner: string) => `label_join(${inner}, "a", "", "a", "a")`],
  ['label_replace', (inner: string) => `label_replace(${inner}, "a", "$1$1", "a", "(.*)")`],
] as const) {
  test(`${name} that doubles a label comes to an end`, async (t) => {
    const { ask, budget } = withSeries(8, 8);
    t.is((await ask(nested(10, 'x', call), NOW)).length, 8);
    for (const times of [14, 25, 100]) {
      const error = await t.throwsAsync(ask(nested(times, 'x', call), NOW), {
        instanceOf: QueryError,
        message: `labels too long in ${name}(): a series may have 65536 characters of them`,
      });
      t.is(error?.type, 'execution');
    }
    t.is(budget.held, 0);
    t.deepEqual(
      await ask(nested(100, 'vector(1)', call), NOW),
      ['{} 1'],
      'nothing twice is nothing',
    );
  });
}

test('a label is not put together when it would be too long', async (t) => {
  const { ask } = withSeries(1, 5000);
  for (const query of [
    `label_replace(x, "b", "${'$1'.repeat(60_000)}", "a", "(.*)")`,
    `label_join(x, "b", "${'-'.repeat(30_000)}", "no", "no", "no", "no")`,
    `label_join(x, "b", "", ${Array(14).fill('"a"').join(', ')})`,
  ]) {
    await t.throwsAsync(ask(query, NOW), { message: /^labels too long in label_/ });
  }
});

test('the labels of a series may have 65536 characters, names included', async (t) => {
  const { ask } = testQuerier();
  const with_ = (length: number): string =>
    `label_replace(label_join(vector(1), "a", "${'-'.repeat(30_000)}", "no", "no"), "b", "${'-'.repeat(length)}", "", "")`;
  const room = LABELS_LENGTH_MAX - 30_000 - 'ab'.length;
  t.is((await ask(with_(room), NOW)).length, 1);
  await t.throwsAsync(ask(with_(room + 1), NOW), { message: /^labels too long/ });
  // What was there in the label’s place does not count.
  const again = `label_replace(${with_(room)}, "b", "${'='.repeat(room)}", "", "")`;
  t.is((await ask(again, NOW)).length, 1);
});

test('labels that a query makes count as samples until it is over', async (t) => {
  const { ask, budget } = withSeries(100, 1000, new SampleBudget(100_000));
  const call = (inner: string): string => `label_join(${inner}, "b", "", "a", "a")`;
  t.is((await ask(nested(1, 'x', call), NOW)).length, 100);
  await t.throwsAsync(ask(nested(3, 'x', call), NOW), { message: /too many samples/ });
  t.is(budget.held, 0);
});

test('many labels count as well, however short they are', async (t) => {
  const { ask, budget } = withSeries(100, 2, new SampleBudget(100_000));
  let query = 'x';
  for (let n = 0; n < 100; n += 1) query = `label_replace(${query}, "l${n}", "", "", "")`;
  t.is((await ask(query, NOW)).length, 100);
  await t.throwsAsync(ask(query.replaceAll('""', '"a"').replaceAll('"a", "a")', '"", "")'), NOW), {
    message: /too many samples/,
  });
  t.is(budget.held, 0);
});

test('a long label may be given to many series, of which none has a copy', async (t) => {
  const { ask } = withSeries(300, 2);
  const long = `label_replace(vector(1), "long", "${'-'.repeat(60_000)}", "", "")`;
  t.deepEqual(await ask(`count(x * on () group_left (long) ${long})`, NOW), ['{} 300']);
});

test('group_left takes what is there, and takes away what is not', async (t) => {
  const { put, ask } = testQuerier();
  put(gaugeAt(NOW, { x: 2 }, { tags: { a: '1', b: '2' } }));
  const one = 'label_replace(vector(3), "c", "4", "", "")';
  t.deepEqual(await ask(`x * on () group_left (b, c, d) ${one}`, NOW), [
    '{a="1", c="4", source_id="app"} 6',
  ]);
});

test('a key is short, and tells apart what differs in a character', (t) => {
  const long = 'a'.repeat(60_000);
  const of = (value: string): string => Labels.of([['a', value]]).key;
  t.true(of(long).length < 100);
  t.is(of(long), of(`${long.slice(1)}a`));
  t.not(of(long), of(`${long.slice(1)}b`));
  t.not(of('a'), of('b'));
});

test('the length of labels is work', async (t) => {
  const rows = Array.from({ length: 20 }, (_, n) => {
    const labels = Labels.of([
      ['a', 'a'.repeat(30_000)],
      ['n', String(n)],
    ]);
    return new Row(labels, Float64Array.of(n), Uint8Array.of(1));
  });
  for (const make of [
    (pace: CountingPace) => labelJoin(pace, rows, ['b', '', 'a']),
    (pace: CountingPace) => labelReplace(pace, rows, ['b', '$1', 'a', '(a*)'], new PatternSizes()),
    (pace: CountingPace) =>
      labelReplace(pace, rows, ['b', '$2'.repeat(30_000), 'n', '(.*)'], new PatternSizes()),
  ]) {
    const pace = new CountingPace();
    await make(pace);
    t.true(pace.work > 20 * (30_000 / 64), `${pace.work}`);
    t.true(pace.pauses > 0);
  }
});

test('the expressions of label_replace and those of matchers have one sum', async (t) => {
  const { ask } = testQuerier();
  const call = (count: number, inner: string): string =>
    Array.from({ length: count }, (_, n) => n).reduce(
      (query, n) => `label_replace(${query}, "a", "b", "c", "(d{990})${n}")`,
      inner,
    );
  const most = `x{${Array(5).fill('a=~"(bc){900}"').join(',')}}`;
  t.is((await ask(call(10, 'vector(1)'), NOW)).length, 1);
  t.is((await ask(most, NOW)).length, 0);
  for (const query of [call(400, 'vector(1)'), call(15, most)]) {
    const error = await t.throwsAsync(ask(query, NOW), {
      instanceOf: QueryError,
      message: 'there are too many, or too large, regular expressions',
    });
    t.is(error?.type, 'execution');
  }
});
