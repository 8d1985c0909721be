import test from 'ava';
import { dnsSettings, shardSettings, staticMembers, zoneSettings } from './discovery.ts';
import { ConfigError, Env } from './env.ts';

test('reads zones with their shards in order', (t) => {
  const env = new Env({ DOPPLER_SHARDS: ' az1 = a:1, b:2; az2=c:3,[::1]:4 ; ' });
  t.deepEqual(shardSettings(env), [
    { name: 'az1', addresses: ['a:1', 'b:2'] },
    { name: 'az2', addresses: ['c:3', '[::1]:4'] },
  ]);
  env.done();
});

test('says when no zones are named at all', (t) => {
  const env = new Env({ ROUTER_ADDR: 'a:1' });
  t.is(zoneSettings(env), undefined);
});

test('tells all mistakes in a list of zones at once', (t) => {
  const env = new Env({ DOPPLER_SHARDS: 'a:1;az2=b,c:0' });
  zoneSettings(env);
  const error = t.throws(() => env.done(), { instanceOf: ConfigError });
  t.is(error?.mistakes.length, 3);
});

test("makes one zone of the original's addresses", (t) => {
  const list = new Env({ ROUTER_ADDRS: 'a:1,b:2' });
  t.deepEqual(shardSettings(list), [{ name: 'default', addresses: ['a:1', 'b:2'] }]);
  list.done();
  const single = new Env({ ROUTER_ADDR: 'a:1', AGENT_ZONE: 'z9' });
  t.deepEqual(shardSettings(single), [{ name: 'z9', addresses: ['a:1'] }]);
  single.done();
});

test('takes the name of a service for a shard, whose port DNS knows', (t) => {
  const env = new Env({ DOPPLER_SHARDS: 'az1=_grpc._tcp.doppler.example,a:1' });
  t.deepEqual(zoneSettings(env), [
    { name: 'az1', addresses: ['_grpc._tcp.doppler.example', 'a:1'] },
  ]);
  env.done();
});

test('a static list is its own members, each address once, and never changes', (t) => {
  const zones = [
    { name: 'az1', addresses: ['a:1', 'b:1'] },
    { name: 'az2', addresses: ['c:1'] },
  ];
  using members = staticMembers(zones);
  t.is(members.zones, zones);
  t.deepEqual(members.addresses, ['a:1', 'b:1', 'c:1']);
  using listening = members.onChange(() => t.fail());
  t.truthy(listening);
});

test('asks the machine for names every five seconds, unless told otherwise', (t) => {
  t.deepEqual(dnsSettings(new Env({})), { servers: [], intervalMs: 5000 });
  const env = new Env({ DNS_SERVERS: '127.0.0.1:8600, ::1', DNS_INTERVAL: '1s' });
  t.deepEqual(dnsSettings(env), { servers: ['127.0.0.1:8600', '::1'], intervalMs: 1000 });
  env.done();
});

test('refuses a DNS server that is itself a name', (t) => {
  const env = new Env({ DNS_SERVERS: 'ns.example:53' });
  dnsSettings(env);
  t.throws(() => env.done(), { message: /DNS_SERVERS has "ns.example:53": it must be IP/ });
});

for (const [name, vars, message] of [
  ['nothing', {}, /must be set/],
  ['a zone without a name', { DOPPLER_SHARDS: 'a:1' }, /ZONE=HOST:PORT/],
  ['a zone with an empty name', { DOPPLER_SHARDS: '=a:1' }, /ZONE=HOST:PORT/],
  ['a gap between zones', { DOPPLER_SHARDS: 'az1=a:1;;az2=b:1' }, /has "": it must be/],
  ['an empty zone', { DOPPLER_SHARDS: 'az1=' }, /has "", which is not HOST:PORT, in zone az1/],
  ['a gap between shards', { DOPPLER_SHARDS: 'az1=a:1,' }, /has "", which is not HOST:PORT/],
  ['a shard without a port', { DOPPLER_SHARDS: 'az1=a' }, /has "a", which is not HOST:PORT/],
  ['a shard without a host', { DOPPLER_SHARDS: 'az1=:80' }, /has ":80", which is not HOST:PORT/],
  ['a bare IPv6 shard', { DOPPLER_SHARDS: 'az1=::1:80' }, /"::1:80", which is not HOST:PORT/],
  ['a URL for a shard', { DOPPLER_SHARDS: 'az1=http://a:80' }, /which is not HOST:PORT/],
  ['a shard on port 0', { DOPPLER_SHARDS: 'az1=a:0' }, /"a:0", whose port can't be 0/],
  ['a port that is none', { DOPPLER_SHARDS: 'az1=a:65536' }, /"a:65536", which is not HOST:PORT/],
  ['the same zone twice', { DOPPLER_SHARDS: 'az1=a:1;az1=b:1' }, /az1 twice/],
  [
    'the same shard twice',
    { DOPPLER_SHARDS: 'az1=a:1;az2=a:1' },
    /in zone az1 already, in zone az2/,
  ],
  ['only a semicolon', { DOPPLER_SHARDS: ';' }, /has "": it must be/],
  ['a bad list', { ROUTER_ADDRS: 'a:1,b' }, /ROUTER_ADDRS is "b"/],
] as const) {
  test(`refuses ${name}`, (t) => {
    const env = new Env(vars);
    shardSettings(env);
    t.throws(() => env.done(), { message });
  });
}
