import test from 'ava';
import { cleanPath, encodePath, splitTarget } from './paths.ts';

const cleanings: readonly (readonly [string, string])[] = [
  ['/', '/'],
  ['/a', '/a'],
  ['/a/', '/a/'],
  ['//', '/'],
  ['//a', '/a'],
  ['/a//b', '/a/b'],
  ['/a/./b', '/a/b'],
  ['/a/../b', '/b'],
  ['/a/..', '/'],
  ['/../..', '/'],
  ['/a/b/../../c/', '/c/'],
  ['/a/...', '/a/...'],
];
for (const [path, clean] of cleanings) {
  test(`${path} is ${clean} at its shortest`, (t) => t.is(cleanPath(path), clean));
}

test('a target is a decoded path and a query, and both as they came', (t) => {
  const raw = '/a%2Fb%20c?d=%20';
  t.deepEqual(splitTarget(raw), { path: '/a/b c', query: '?d=%20', raw });
  t.deepEqual(splitTarget('http://host:1/a?'), { path: '/a', query: '?', raw: '/a?' });
});

test('what is no path is none', (t) => {
  for (const target of ['*', '', '/%', '/%ff', 'a/b']) t.is(splitTarget(target), undefined, target);
});

test('a path in a header has nothing in it that a browser takes for another host', (t) => {
  t.is(encodePath(cleanPath('//\\evil/ü?#')), '/%5Cevil/%C3%BC%3F%23');
});
