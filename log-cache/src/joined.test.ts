import { setImmediate as nextRound } from 'node:timers/promises';
import test from 'ava';
import { joined } from './joined.ts';

test('puts pieces of any size together', async (t) => {
  for (const sizes of [[], [3], [0, 2, 0], [2 ** 20 + 1, 1, 3 * 2 ** 20]]) {
    const pieces = sizes.map((size, index) => Buffer.alloc(size, index + 1));
    t.true((await joined(pieces)).equals(Buffer.concat(pieces)), String(sizes));
  }
});

test('copies no more than a MiB before others are served', async (t) => {
  let rounds = 0;
  let isOver = false;
  const whole = joined([Buffer.alloc(5 * 2 ** 20), Buffer.alloc(5 * 2 ** 20)]).then(() => {
    isOver = true;
  });
  for (; !isOver; rounds += 1) await nextRound();
  await whole;
  t.true(rounds >= 8, `${rounds}`);
});
