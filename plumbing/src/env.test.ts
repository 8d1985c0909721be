import test from 'ava';
import { ConfigError, Env } from './env.ts';
import { spyLog } from './testing.ts';

test('reads each kind of setting', (t) => {
  const env = new Env({
    NAME: 'doppler',
    RING_SIZE: '500',
    SECURE: '1',
    CIPHERS: 'a, b,,c ',
    AGENT_TAGS: 'deployment:cf,url:http://x:1',
    WAIT: '1m0.5s',
    PEER: '[::1]:80',
    PEERS: 'a:1,b:2',
    MODE: 'fast',
  });
  t.is(env.text('NAME', {}), 'doppler');
  t.is(env.optional('NAME'), 'doppler');
  t.is(env.count('RING_SIZE', { min: 1, max: 500 }), 500);
  t.true(env.flag('SECURE', {}));
  t.deepEqual(env.list('CIPHERS', {}), ['a', 'b', 'c']);
  t.deepEqual(
    [...env.map('AGENT_TAGS')],
    [
      ['deployment', 'cf'],
      ['url', 'http://x:1'],
    ],
  );
  t.is(env.duration('WAIT', { fallback: '5s' }), 60_500);
  t.is(env.address('PEER', {}), '[::1]:80');
  t.deepEqual(env.addresses('PEERS'), ['a:1', 'b:2']);
  t.is(env.choice('MODE', { among: ['slow', 'fast'] }), 'fast');
  env.done();
});

test('falls back when a variable is not set or empty', (t) => {
  const env = new Env({ NAME: '', RING_SIZE: '  ' });
  t.is(env.text('NAME', { fallback: 'x' }), 'x');
  t.is(env.optional('NAME'), undefined);
  t.is(env.count('RING_SIZE', { fallback: 7, min: 1, max: 10 }), 7);
  t.false(env.flag('SECURE', {}));
  t.true(env.flag('SECURE', { fallback: true }));
  t.deepEqual(env.list('CIPHERS', { fallback: [] }), []);
  t.is(env.map('AGENT_TAGS').size, 0);
  t.is(env.duration('WAIT', { fallback: '5s' }), 5000);
  t.is(env.address('PEER', { fallback: '' }), '');
  t.is(env.choice('MODE', { among: ['slow', 'fast'], fallback: 'fast' }), 'fast');
  env.done();
});

test('tells every mistake at once', (t) => {
  const env = new Env({
    RING_SIZE: 'many',
    WAIT: '5',
    PEER: 'nowhere',
    SECURE: 'yes',
    TAGS: 'a,:b',
  });
  env.text('NAME', {});
  env.count('RING_SIZE', { fallback: 7, min: 1, max: 10 });
  env.duration('WAIT', { fallback: '5s', max: '1h' });
  env.address('PEER', {});
  env.flag('SECURE', { strict: true });
  env.map('TAGS');
  env.mistake('NAME', 'must rhyme');
  const error = t.throws(() => env.done(), { instanceOf: ConfigError });
  t.deepEqual(error?.mistakes, [
    'NAME must be set',
    'RING_SIZE is "many": it must be a whole number from 1 to 10',
    'WAIT is "5": it must be a duration such as 500ms or 1h30m, from 0s to 1h',
    'PEER is "nowhere": it must be HOST:PORT with a port from 0 to 65535',
    'SECURE is "yes": it must be true, false, 1 or 0',
    'TAGS is "a": it must be key:value between commas',
    'TAGS is ":b": it must be key:value between commas',
    'NAME must rhyme',
  ]);
  for (const mistake of error?.mistakes ?? []) t.true(error?.message.includes(mistake));
});

for (const text of ['1.5', '11', '0', '-1', '1e1', '0x5', ' ', '5,0', '99999999999999999999']) {
  test(`does not take "${text}" for a whole number from 1 to 10`, (t) => {
    const env = new Env({ RING_SIZE: text });
    env.count('RING_SIZE', { min: 1, max: 10 });
    t.throws(() => env.done(), { message: /RING_SIZE/ });
  });
}

test('refuses a misspelt variable and names the one that was meant', (t) => {
  const env = new Env({ ROUTER_PROT: '8082' });
  env.count('ROUTER_PORT', { fallback: 1, min: 0, max: 65_535 });
  t.throws(() => env.done(), { message: /ROUTER_PROT is no setting; did you mean ROUTER_PORT\?/ });
});

test('takes no other setting, and no exempt variable, for a misspelling', (t) => {
  const env = new Env(
    { ROUTER_ADDRS: 'a:1', ROUTER_ADDRX: 'b', PATH: '/bin', LANGUAGE: 'en' },
    { exempt: ['ROUTER_ADDRX'] },
  );
  env.address('ROUTER_ADDR', { fallback: '' });
  env.text('PORT', { fallback: '' });
  t.notThrows(() => env.done());
});

test('never shows a secret', (t) => {
  const env = new Env({ CLIENT_SECRET: 'hunter2', DRAIN_URL: 'https://me:hunter2@drain' });
  env.count('CLIENT_SECRET', { min: 0, max: 1 });
  env.address('DRAIN_URL', {});
  const error = t.throws(() => env.done(), { instanceOf: ConfigError });
  t.false(error?.message.includes('hunter2'));
});

test('shortens a long value', (t) => {
  const env = new Env({ RING_SIZE: 'x'.repeat(5000) });
  env.count('RING_SIZE', { min: 0, max: 1 });
  t.true((t.throws(() => env.done())?.message ?? '').length < 300);
});

test('lets an address to listen on leave out its host', (t) => {
  const env = new Env({ LOG_CACHE_HTTP_ADDR: ':8080' });
  t.is(env.address('LOG_CACHE_HTTP_ADDR', { listen: true }), '0.0.0.0:8080');
  env.done();
  env.address('LOG_CACHE_HTTP_ADDR', {});
  t.throws(() => env.done(), { message: /HOST:PORT/ });
});

test('takes an odd flag for false, as the originals do, and says so', (t) => {
  const log = spyLog();
  const env = new Env({ DEBUG: 'yes', TRIM: 'True', API_TOKEN: 'on', OFF: '0', ON: '1' }, { log });
  t.false(env.flag('DEBUG'));
  t.false(env.flag('TRIM', { fallback: true }));
  t.false(env.flag('API_TOKEN'));
  t.false(env.flag('OFF'));
  t.true(env.flag('ON'));
  t.deepEqual(log.lines, [], 'before all is read nobody knows whether it starts');
  env.done();
  t.deepEqual(
    log.lines.map(({ level, text }) => [level, text]),
    [
      ['warn', 'DEBUG is "yes", which is taken for false; true is true or 1'],
      ['warn', 'TRIM is "True", which is taken for false; true is true or 1'],
      ['warn', 'API_TOKEN is (not shown), which is taken for false; true is true or 1'],
    ],
  );
});
