import { randomFrom } from '@standpipe/protos/testing';
import test from 'ava';
import type { App } from './app.ts';
import { parseApps } from './apps-file.ts';
import { changeBetween, type DesiredInstance, desiredInstances } from './desired.ts';

const ONLY = { index: 0, count: 1 };

test('wants each instance of each app', (t) => {
  t.deepEqual(keysOf(desiredInstances(appsOf({ a: 2, b: 0, c: 1 }), ONLY)), ['a/0', 'a/1', 'c/0']);
});

test('gives each instance to exactly one of two cells', (t) => {
  const apps = appsOf({ a: 3, b: 1 });
  t.deepEqual(keysOf(desiredInstances(apps, { index: 0, count: 2 })), ['a/0', 'a/2', 'b/0']);
  t.deepEqual(keysOf(desiredInstances(apps, { index: 1, count: 2 })), ['a/1']);
});

test('changes nothing when nothing has changed', (t) => {
  t.deepEqual(difference({ a: 2 }, { a: 2 }), { stop: [], start: [], replace: [] });
});

test('starts what was added and stops what is gone', (t) => {
  t.deepEqual(difference({ a: 2, b: 1 }, { a: 3 }), { stop: ['b/0'], start: ['a/2'], replace: [] });
  t.deepEqual(difference({ a: 3 }, { a: 1 }), { stop: ['a/1', 'a/2'], start: [], replace: [] });
});

test('replaces all instances of an app that has changed, and no others', (t) => {
  const before = desiredInstances(appsOf({ a: 2, b: 1 }), ONLY);
  const changed = appsOf({ a: 2, b: 1 }).map((app) =>
    app.name === 'a' ? { ...app, env: { NEW: '1' } } : app,
  );
  const change = changeBetween(fingerprintsOf(before), desiredInstances(changed, ONLY));
  t.deepEqual(keysOf(change.replace), ['a/0', 'a/1']);
  t.deepEqual([change.stop, change.start], [[], []]);
});

// Whatever runs, after the change runs what is desired: no more, no less, and as described.
for (const seed of [1, 2, 3, 5, 8, 13]) {
  test(`makes any state the desired one, seed ${seed}`, (t) => {
    const random = randomFrom(seed);
    let actual = new Map<string, string>();
    for (let step = 0; step < 100; step += 1) {
      const cell = { index: random(2), count: 2 };
      const apps = appsOf({ a: random(4), b: random(4), c: random(4) }).map((app) => ({
        ...app,
        command: `run ${random(2)}`,
      }));
      const desired = desiredInstances(apps, cell);
      const { stop, start, replace } = changeBetween(actual, desired);
      const next = new Map(actual);
      for (const key of stop) t.true(next.delete(key));
      for (const { key, fingerprint } of start) {
        t.false(next.has(key));
        next.set(key, fingerprint);
      }
      for (const { key, fingerprint } of replace) {
        t.not(next.get(key), fingerprint);
        next.set(key, fingerprint);
      }
      t.deepEqual(sorted(next), sorted(fingerprintsOf(desired)));
      actual = next;
    }
  });
}

function appsOf(instances: Readonly<Record<string, number>>): readonly App[] {
  const entries = Object.entries(instances).map(([name, count]) => ({
    name,
    guid: name,
    command: `run ${name}`,
    instances: count,
  }));
  return parseApps(JSON.stringify(entries), '/');
}

function difference(before: Record<string, number>, after: Record<string, number>): object {
  const running = fingerprintsOf(desiredInstances(appsOf(before), ONLY));
  const { stop, start, replace } = changeBetween(running, desiredInstances(appsOf(after), ONLY));
  return { stop, start: keysOf(start), replace: keysOf(replace) };
}

function keysOf(instances: readonly DesiredInstance[]): string[] {
  return instances.map(({ key }) => key);
}

function fingerprintsOf(instances: readonly DesiredInstance[]): Map<string, string> {
  return new Map(instances.map(({ key, fingerprint }) => [key, fingerprint]));
}

function sorted(map: ReadonlyMap<string, string>): (readonly [string, string])[] {
  return [...map].toSorted(([a], [b]) => (a < b ? -1 : 1));
}
