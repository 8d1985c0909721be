import test from 'ava';
import { hashBytes } from './byte-map.ts';
import { ownerOf, SHARDS_MAX, ShardOwners } from './sharding.ts';

// Owners among 2, 3, 4, 5 and 10 shards, as log-cache-release v3.2.0 gives them.
const COUNTS = [2, 3, 4, 5, 10];
const OWNERS: readonly (readonly [string, readonly number[]])[] = [
  ['0', [0, 0, 3, 4, 4]],
  ['200', [0, 0, 3, 3, 3]],
  ['400', [0, 0, 0, 0, 6]],
  ['src-zero', [0, 0, 0, 0, 0]],
  ['other-src', [1, 2, 3, 3, 3]],
  ['', [1, 2, 2, 2, 7]],
  ['doppler', [1, 1, 1, 1, 1]],
  ['gorouter', [1, 1, 1, 4, 4]],
  ['log-cache', [1, 2, 2, 4, 4]],
  ['73467cc3-261a-472e-80e8-d6eadfd30d98', [0, 0, 0, 0, 5]],
  ['Ünïcode-😀', [0, 2, 3, 3, 9]],
];

for (const [sourceId, owners] of OWNERS) {
  test(`"${sourceId}" is owned as Log Cache would have it`, (t) => {
    const bytes = Buffer.from(sourceId);
    t.deepEqual(
      COUNTS.map((shards) => ownerOf(sourceId, shards)),
      owners,
    );
    t.deepEqual(
      COUNTS.map((shards) => ownerOf(bytes, shards)),
      owners,
    );
  });
}

test('one shard owns everything', (t) => {
  for (const [sourceId] of OWNERS) t.is(ownerOf(sourceId, 1), 0);
});

test('one more shard takes sources only to itself, and its fair part of them', (t) => {
  const moved = ids(4000).filter((id) => {
    const [before, after] = [ownerOf(id, 7), ownerOf(id, 8)];
    t.true(before === after || after === 7);
    return before !== after;
  });
  t.true(moved.length > 400 && moved.length < 600, `${moved.length} of 4000 moved, 500 expected`);
});

test('a number of shards that cannot be is refused', (t) => {
  for (const shards of [0, -1, 1.5, Number.NaN, SHARDS_MAX + 1]) {
    t.throws(() => ownerOf('a', shards), { instanceOf: RangeError });
    t.throws(() => new ShardOwners({ shards }), { instanceOf: RangeError });
  }
});

test('remembered owners are the owners', (t) => {
  const owners = new ShardOwners({ shards: 5 });
  for (let round = 0; round < 2; round += 1) {
    for (const id of [...ids(500), ...OWNERS.map(([id]) => id)]) {
      t.is(ask(owners, id), ownerOf(id, 5));
    }
  }
  t.is(owners.size, 500 + OWNERS.length);
});

test('no more sources are remembered than there is room for, and all still get their owner', (t) => {
  const owners = new ShardOwners({ shards: 3, capacity: 10 });
  for (const id of ids(95)) {
    t.is(ask(owners, id), ownerOf(id, 3));
    t.true(owners.size <= 10);
  }
});

test('a source id of a megabyte has an owner but is not remembered', (t) => {
  const owners = new ShardOwners({ shards: 3 });
  const id = 'x'.repeat(1_000_000);
  t.is(ask(owners, id), ownerOf(id, 3));
  t.is(owners.size, 0);
});

function ids(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `source-${index}`);
}

function ask(owners: ShardOwners, id: string): number {
  const bytes = Buffer.from(`<${id}>`);
  return owners.of(bytes, 1, bytes.length - 1, hashBytes(bytes, 1, bytes.length - 1));
}
