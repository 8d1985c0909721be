import test from 'ava';
import { startOptions, UsageError } from './options.ts';

test('takes several programs of the user’s own', (t) => {
  const { apps } = startOptions(['--app', 'web=python3 -m http.server', '--app', 'e=echo a=b'], {});
  t.deepEqual(apps, [
    { name: 'web', command: 'python3 -m http.server' },
    { name: 'e', command: 'echo a=b' },
  ]);
});

test('moves every port by PORT_OFFSET', (t) => {
  t.is(startOptions([], { PORT_OFFSET: '1000' }).portOffset, 1000);
  t.is(startOptions([], { PORT_OFFSET: '' }).portOffset, 0);
});

test('asks for no tokens unless it is to be secure', (t) => {
  t.false(startOptions([], {}).secure);
  t.true(startOptions(['--secure'], {}).secure);
});

test('refuses a --secure that npm has kept for itself', (t) => {
  const env = { npm_config_secure: 'true' };
  t.throws(() => startOptions([], env), { message: /npm start -- --secure/ });
  t.true(startOptions(['--secure'], env).secure);
});

for (const args of [
  ['--app', 'x'],
  ['--app', '=x'],
  ['--app', 'a b=x'],
  ['--secure=no'],
  ['extra'],
]) {
  test(`refuses ${args.join(' ')}`, (t) => {
    t.throws(() => startOptions(args, {}), { instanceOf: UsageError });
  });
}

for (const offset of ['-1', 'x', '1.5', '65000']) {
  test(`refuses PORT_OFFSET=${offset}`, (t) => {
    t.throws(() => startOptions([], { PORT_OFFSET: offset }), { message: /PORT_OFFSET must be/ });
  });
}
