import test from 'ava';
import { shardSettings, staticShards } from './discovery.ts';
import { Env } from './env.ts';

test('reads zones with their shards in order', (t) => {
  const env = new Env({ DOPPLER_SHARDS: 'az1=a:1, b:2; az2=c:3' });
  t.deepEqual(staticShards(env), {
    zones: [
      { name: 'az1', addresses: ['a:1', 'b:2'] },
      { name: 'az2', addresses: ['c:3'] },
    ],
  });
  env.done();
});

test("makes one zone of the original's addresses", (t) => {
  const list = new Env({ ROUTER_ADDRS: 'a:1,b:2' });
  t.deepEqual(shardSettings(list), [{ name: 'default', addresses: ['a:1', 'b:2'] }]);
  list.done();
  const single = new Env({ ROUTER_ADDR: 'a:1', AGENT_ZONE: 'z9' });
  t.deepEqual(shardSettings(single), [{ name: 'z9', addresses: ['a:1'] }]);
  single.done();
});

for (const [name, vars, message] of [
  ['nothing', {}, /must be set/],
  ['a zone without a name', { DOPPLER_SHARDS: 'a:1' }, /ZONE=HOST:PORT/],
  ['a bad address', { DOPPLER_SHARDS: 'az1=a' }, /ZONE=HOST:PORT/],
  ['an empty zone', { DOPPLER_SHARDS: 'az1=' }, /ZONE=HOST:PORT/],
  ['the same zone twice', { DOPPLER_SHARDS: 'az1=a:1;az1=b:1' }, /az1 twice/],
  ['only a semicolon', { DOPPLER_SHARDS: ';' }, /no zone/],
  ['a bad list', { ROUTER_ADDRS: 'a:1,b' }, /ROUTER_ADDRS is "b"/],
] as const) {
  test(`refuses ${name}`, (t) => {
    const env = new Env(vars);
    shardSettings(env);
    t.throws(() => env.done(), { message });
  });
}
