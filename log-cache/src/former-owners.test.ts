import { ownerOf } from '@standpipe/protos';
import test from 'ava';
import { FormerOwners, type Owner } from './former-owners.ts';

const DAY_MS = 86_400_000;
const NOW = 1_700_000_000_000;

function node(number: number): Owner {
  return { address: `10.0.0.${number}:8082` };
}

function zone(...numbers: readonly number[]): readonly (readonly Owner[])[] {
  return [numbers.map(node)];
}

function followed() {
  let now = NOW;
  const formers = new FormerOwners<Owner>(() => now);
  return {
    formers,
    later(ms: number): void {
      now += ms;
    },
    of(source: string, startTime: bigint, ...numbers: readonly number[]): string[] {
      const owner = node(numbers[ownerOf(source, numbers.length)] ?? 0);
      return formers.of(source, startTime, [owner]).map(({ address }) => address);
    },
  };
}

test('a list that grows by one moves about one in n of the sources', (t) => {
  const { formers, of } = followed();
  formers.change(zone(1, 2, 3), zone(1, 2, 3, 4));
  const sources = Array.from({ length: 4000 }, (_, n) => `source-${n}`);
  const moved = sources.filter((source) => of(source, 0n, 1, 2, 3, 4).length > 0);
  t.true(moved.length > 850 && moved.length < 1150, `${moved.length} of 4000`);
  t.true(moved.every((source) => ownerOf(source, 4) === 3));
});

test('is asked for what was before the change only', (t) => {
  const { formers, of, later } = followed();
  formers.change(zone(1), zone(2));
  const [endedAt, minute] = [BigInt(NOW) * 1_000_000n, 60_000_000_000n];
  t.deepEqual(of('x', endedAt, 2), ['10.0.0.1:8082']);
  t.deepEqual(of('x', endedAt + minute - 1n, 2), ['10.0.0.1:8082']);
  t.deepEqual(of('x', endedAt + minute, 2), []);
  later(DAY_MS);
  t.deepEqual(of('x', 0n, 2), ['10.0.0.1:8082']);
  later(1);
  t.deepEqual(of('x', 0n, 2), []);
  t.deepEqual(formers.left(), []);
});

test('each is asked once, and the last eight lists are remembered', (t) => {
  const { formers, of } = followed();
  formers.change([], zone(1));
  t.deepEqual(of('x', 0n, 1), [], 'there was nobody before the first');
  formers.change(zone(1), zone(1));
  t.deepEqual(of('x', 0n, 1), [], 'nothing has changed');
  for (let n = 1; n <= 10; n += 1) formers.change(zone(n), zone(n + 1));
  t.is(of('x', 0n, 11).length, 8);
  formers.change(zone(11), zone(10));
  t.is(of('x', 0n, 10).filter((address) => address === '10.0.0.10:8082').length, 0);
});

test('one that is no member and can not be reached is struck off, until it is one again', (t) => {
  const { formers, of } = followed();
  formers.change(zone(1, 2), zone(2));
  t.false(formers.strike(node(2)), 'a member may come back');
  t.deepEqual(formers.left(), [node(1)]);
  t.true(formers.strike(node(1)));
  t.deepEqual([formers.left(), of('src-zero', 0n, 2)], [[], []]);
  formers.change(zone(2), zone(1, 2));
  formers.change(zone(1, 2), zone(2));
  t.deepEqual(formers.left(), [node(1)]);
});

test('a name that was never resolved kept nothing', (t) => {
  const { formers, of } = followed();
  formers.change([[{ address: 'doppler.example:8082' }]], zone(1));
  t.deepEqual([formers.left(), of('x', 0n, 1)], [[], []]);
});
