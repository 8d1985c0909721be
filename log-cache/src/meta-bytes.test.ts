import test from 'ava';
import { writtenOnce } from './meta-bytes.ts';
import { metaOf } from './testing.ts';

test('writes each map once, and another one anew', async (t) => {
  let count = 0;
  const bytesOf = writtenOnce(async (sources) => {
    count += 1;
    return Buffer.from([...sources.keys()].join());
  });
  const info = metaOf({ count: 1, expired: 0, oldest: 1n, newest: 1n });
  const [one, other] = [new Map([['a', info]]), new Map([['b', info]])];
  t.is(bytesOf(one), bytesOf(one));
  t.is(String(await bytesOf(other)), 'b');
  t.is(String(await bytesOf(one)), 'a');
  t.is(count, 2);
});
