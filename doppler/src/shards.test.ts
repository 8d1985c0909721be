import test from 'ava';
import { type Lottery, type Member, Shards } from './shards.ts';

test('gives an envelope to every member without a shard', (t) => {
  const { shards, member } = setUp();
  member('a');
  member('b');
  t.deepEqual(shards(), ['a', 'b']);
});

test('gives an envelope to one member of each shard', (t) => {
  const { shards, member } = setUp({ random: 0.5 });
  member('a', { shardId: 's' });
  member('b', { shardId: 's' });
  member('c', { shardId: 'other' });
  t.deepEqual(shards(), ['b', 'c']);
});

test('counts a member of a shard as often as it registered', (t) => {
  const { shards, member } = setUp({ random: 0.6 });
  member('a', { shardId: 's' });
  member('a', { shardId: 's' });
  member('b', { shardId: 's' });
  t.deepEqual(shards(), ['a']);
});

test('gives two copies to a member without a shard that registered twice', (t) => {
  const { shards, member } = setUp();
  member('a');
  member('a');
  t.deepEqual(shards(), ['a', 'a']);
});

test('goes by the hash, in the order of names, once any member has one', (t) => {
  const { shards, member } = setUp({ hash: 1 });
  member('named b', { shardId: 's', name: 'b' });
  member('nameless', { shardId: 's' });
  member('named a', { shardId: 's', name: 'a' });
  t.deepEqual(shards(), ['named a'], 'the order is nameless, a, b');
});

test('orders names by their bytes, not by their letters', (t) => {
  const { shards, member } = setUp({ hash: 0 });
  member('small', { shardId: 's', name: 'a' });
  member('emoji', { shardId: 's', name: '😀' });
  member('large', { shardId: 's', name: 'B' });
  t.deepEqual(shards(), ['large']);
});

test('goes by chance again when the last member with a name has left', (t) => {
  const { shards, member } = setUp({ random: 0, hash: 1 });
  member('first', { shardId: 's' });
  const named = member('named', { shardId: 's', name: 'x' });
  member('second', { shardId: 's' });
  t.deepEqual(shards(), ['second']);
  named.leave();
  t.deepEqual(shards(), ['first']);
});

test('keeps the order of names through ten thousand members of one shard', (t) => {
  const lottery = { atRandom: () => 0, byHash: () => 0 };
  const shards = new Shards();
  const picked: number[] = [];
  const registrations = Array.from({ length: 10_000 }, (_, n) => {
    const name = String(n * 7919)
      .padStart(8, '0')
      .split('')
      .reverse()
      .join('');
    return { member: { pick: () => picked.push(n) }, shardId: 's', name };
  });
  for (const registration of registrations) shards.add(registration);
  const inOrder = registrations.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  for (const registration of inOrder) {
    shards.pick(0, lottery);
    shards.remove(registration);
  }
  t.deepEqual(
    picked,
    inOrder.map((registration) => registrations.indexOf(registration)),
  );
  t.true(shards.isEmpty);
});

test('is empty when all have left, and leaves others alone until then', (t) => {
  const { shards, member, isEmpty } = setUp();
  const leaving = [member('a'), member('b', { shardId: 's' }), member('c', { shardId: 's' })];
  t.false(isEmpty());
  leaving[1]?.leave();
  t.deepEqual(shards(), ['a', 'c']);
  leaving[0]?.leave();
  leaving[2]?.leave();
  t.true(isEmpty());
  t.deepEqual(shards(), []);
});

function setUp({ random = 0, hash = 0 }: { random?: number; hash?: number } = {}) {
  const subject = new Shards();
  const picked: string[] = [];
  const lottery: Lottery = {
    atRandom: (count) => Math.floor(random * count),
    byHash: (count) => hash % count,
  };
  return {
    isEmpty: () => subject.isEmpty,
    shards: () => {
      picked.length = 0;
      subject.pick(0, lottery);
      return [...picked];
    },
    member: (id: string, { shardId = '', name = '' }: { shardId?: string; name?: string } = {}) => {
      const member: Member = { pick: () => picked.push(id) };
      const registration = { member, shardId, name };
      subject.add(registration);
      return { leave: () => subject.remove(registration) };
    },
  };
}
