import test from 'ava';
import { MetaTable, tableOf } from './meta-table.ts';
import { metaOf } from './testing.ts';

const infoOf = (n: number) =>
  metaOf({ count: n, expired: 2 ** 40 + n, oldest: BigInt(-n), newest: 2n ** 62n + BigInt(n) });

test('is a map of what was added, in its order', (t) => {
  const expected = new Map(Array.from({ length: 100 }, (_, n) => [`source ${n}`, infoOf(n)]));
  const table = new MetaTable();
  for (const [id, info] of expected) table.add(id, info);
  t.is(table.size, expected.size);
  t.deepEqual([...table], [...expected]);
  t.deepEqual([...table.keys()], [...expected.keys()]);
  t.deepEqual([...table.values()], [...expected.values()]);
  t.deepEqual(table.ids, [...expected.keys()]);
  const walked: unknown[] = [];
  table.forEach((info, id) => void walked.push([id, info]));
  t.deepEqual(walked, [...expected]);
});

test('finds one source, also among those that were added since the last look', (t) => {
  const table = new MetaTable(0);
  t.is(table.get('a'), undefined);
  table.add('a', infoOf(1));
  t.deepEqual(table.get('a'), infoOf(1));
  table.add('b', infoOf(2));
  t.deepEqual(table.get('b'), infoOf(2));
  t.true(table.has('a'));
  t.false(table.has('c'));
});

test('is made of any map, and of a table it is the table', async (t) => {
  const table = await tableOf(new Map([['a', infoOf(1)]]));
  t.deepEqual([...table], [['a', infoOf(1)]]);
  t.is(await tableOf(table), table);
});
