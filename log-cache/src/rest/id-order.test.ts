import { randomFrom } from '@standpipe/protos/testing';
import test from 'ava';
import { inOrder } from './id-order.ts';

for (const seed of [1, 2, 3]) {
  test(`ids stand in the order of their bytes in UTF-8, seed ${seed}`, async (t) => {
    const random = randomFrom(seed);
    const letters = [
      'a',
      'b',
      'A',
      '0',
      '-',
      '\0',
      '\x7e',
      '\x7f',
      '\x80',
      'ü',
      '\uffee',
      '\u{1f600}',
    ];
    const ids = new Set(['']);
    for (let n = 0; n < 3000; n += 1) {
      const few = letters.slice(0, 2 + random(letters.length));
      ids.add(Array.from({ length: random(9) }, () => few[random(few.length)]).join(''));
    }
    const expected = [...ids].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    t.deepEqual(await ordered([...ids]), expected);
  });
}

test('many that begin alike are in order as well, and others are served meanwhile', async (t) => {
  const ids = Array.from({ length: 20_000 }, (_, n) => `application-${(n * 7919) % 20_000}`);
  let rounds = 0;
  const round = setInterval(() => {
    rounds += 1;
  }, 0);
  const all = await ordered([...ids, 'application-\u{1f600}', 'application-\uffee']);
  clearInterval(round);
  t.deepEqual(all.slice(0, -2), ids.toSorted());
  t.deepEqual(all.slice(-2), ['application-\uffee', 'application-\u{1f600}']);
  t.true(rounds > 0);
});

test('more than there is room for beside five letters are in order as well', async (t) => {
  const ids = Array.from({ length: 2 ** 18 + 2 }, (_, n) => `${(n * 7919) % (2 ** 18 + 2)}`);
  const all = await ordered(ids);
  t.is(all.length, ids.length);
  t.true(all.every((id, at) => at === 0 || (all[at - 1] as string) < id));
  t.deepEqual(await ordered([]), []);
});

async function ordered(ids: readonly string[]): Promise<string[]> {
  return Array.from(await inOrder(ids), (row) => ids[row] ?? '');
}
