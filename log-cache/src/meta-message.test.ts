import { logcache } from '@standpipe/protos';
import { longOf, randomFrom } from '@standpipe/protos/testing';
import test from 'ava';
import { MalformedError } from './messages.ts';
import { type MetaInfo, sumOf } from './meta-info.ts';
import { decodeMetaResponse, encodeMetaResponse } from './meta-message.ts';
import { metaOf, told } from './testing.ts';
import { Turns } from './turns.ts';

const { MetaResponse } = logcache.v1;

const turns = new Turns();

const EDGES = [0n, 1n, 127n, 128n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 63n - 1n];
const TIMES = [...EDGES, -1n, -(2n ** 32n), -(2n ** 63n), 1_700_000_000_123_456_789n];

for (const seed of [1, 2, 3]) {
  test(`writes meta as protobufjs reads it, and reads what it writes, seed ${seed}`, async (t) => {
    const random = randomFrom(seed);
    const sources = new Map<string, MetaInfo>();
    const plain: Record<string, object> = Object.create(null);
    const ids = ['', 'a', '__proto__', 'a\0b', '😀', 'ü'.repeat(40), 'x'.repeat(65_536)];
    for (const id of [...ids, ...Array.from({ length: 200 }, (_, n) => `source ${n}`)]) {
      const time = (): bigint => TIMES[random(TIMES.length)] ?? 0n;
      const count = [0, 1, 300, 2 ** 32, 2 ** 40 + 7][random(5)] ?? 0;
      const expired = [0, 2 ** 31, 2 ** 52 + 1][random(3)] ?? 0;
      const info = { count, expired, oldest: time(), newest: time() };
      sources.set(id, metaOf(info));
      plain[id] = {
        count: longOf(BigInt(count)),
        expired: longOf(BigInt(expired)),
        oldest_timestamp: longOf(info.oldest),
        newest_timestamp: longOf(info.newest),
      };
    }
    const expected = MetaResponse.toObject(MetaResponse.create({ meta: plain }), OF_STRINGS);
    const bytes = await encodeMetaResponse(sources);
    t.deepEqual(MetaResponse.toObject(MetaResponse.decode(bytes), OF_STRINGS), expected);
    t.deepEqual(await decodeMetaResponse(bytes, turns), sources);
    const theirs = Buffer.from(MetaResponse.encode(MetaResponse.create({ meta: plain })).finish());
    t.deepEqual(await decodeMetaResponse(theirs, turns), sources);
  });
}

const OF_STRINGS = { longs: String, defaults: true };

test('an answer without sources is no byte, and what is no answer is refused', async (t) => {
  t.is((await encodeMetaResponse(new Map())).length, 0);
  t.is((await decodeMetaResponse(Buffer.alloc(0), turns)).size, 0);
  await t.throwsAsync(decodeMetaResponse(Buffer.from([0x0a, 0x05]), turns), {
    instanceOf: MalformedError,
  });
});

test('two shares of a source add up', (t) => {
  const one = metaOf({ count: 1, expired: 2, oldest: -5n, newest: 7n });
  const other = metaOf({ count: 10, expired: 0, oldest: 2n ** 40n, newest: 2n ** 40n });
  for (const sum of [sumOf(one, other), sumOf(other, one)]) {
    t.deepEqual(told(sum), { count: 11, expired: 2, oldest: -5n, newest: 2n ** 40n });
  }
});

for (const seed of [1, 2, 3]) {
  test(`reads meta as protobufjs does or refuses it, whatever was done to it, seed ${seed}`, async (t) => {
    const random = randomFrom(seed);
    const info = { count: 300, expired: 2 ** 40, oldest: -1n, newest: 1_700_000_000_000_000_000n };
    const sources = new Map(['a', 'a longer id', ''].map((id) => [id, metaOf(info)]));
    const whole = await encodeMetaResponse(sources);
    const seen = { read: 0, refused: 0 };
    for (let round = 0; round < 3000; round += 1) {
      const bytes = Buffer.from(whole.subarray(0, whole.length - random(2) * random(whole.length)));
      for (let changes = random(3); changes > 0; changes -= 1) {
        bytes[random(bytes.length)] = random(256);
      }
      const ours = await readOrRefused(() => decodeMetaResponse(bytes, turns));
      const theirs = await readOrRefused(() => MetaResponse.decode(bytes));
      seen[ours === undefined ? 'refused' : 'read'] += 1;
      if (ours === undefined || theirs === undefined) continue;
      const counts = Object.entries(theirs.meta).map(([id, { count }]) => [id, Number(count ?? 0)]);
      t.deepEqual(
        [...ours].map(([id, { count }]) => [id, count]),
        counts,
        bytes.toString('hex'),
      );
    }
    t.true(seen.read > 300 && seen.refused > 300, JSON.stringify(seen));
  });
}

async function readOrRefused<T>(read: () => T | Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch {
    return undefined; // Each has its own errors.
  }
}
