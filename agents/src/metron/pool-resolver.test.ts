import test from 'ava';
import { poolResolver } from './pool-resolver.ts';

const KNOWN: Readonly<Record<string, readonly string[]>> = {
  'z1.doppler': ['10.0.1.1'],
  doppler: ['10.0.1.1', '10.0.2.1', 'fd00::1'],
  empty: [],
};

async function lookUp(host: string): Promise<{ address: string }[]> {
  const found = KNOWN[host];
  if (!found) throw new Error(`${host} is not known`);
  return found.map((address) => ({ address }));
}

test('asks for the name of its own zone first', async (t) => {
  const resolve = poolResolver('z1.doppler:8082', lookUp);
  t.is(await resolve('doppler:8083'), '10.0.1.1:8082');
});

for (const name of ['z9.doppler:1', 'empty:1', '']) {
  test(`asks for the plain name when "${name}" leads nowhere`, async (t) => {
    const resolve = poolResolver(name, lookUp);
    const seen = new Set<string>();
    for (let time = 0; time < 100; time += 1) seen.add(await resolve('doppler:8082'));
    t.deepEqual([...seen].sort(), ['10.0.1.1:8082', '10.0.2.1:8082', '[fd00::1]:8082']);
  });
}

test('says so when no name leads anywhere', async (t) => {
  await t.throwsAsync(poolResolver('', lookUp)('empty:1'), { message: 'empty:1 has no address' });
  await t.throwsAsync(poolResolver('', lookUp)('nowhere:1'));
});
