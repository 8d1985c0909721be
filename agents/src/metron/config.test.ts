import { ConfigError } from '@standpipe/plumbing';
import test from 'ava';
import { readConfig } from './config.ts';

const TLS = { AGENT_CA_FILE: 'ca.crt', AGENT_CERT_FILE: 'm.crt', AGENT_KEY_FILE: 'm.key' };
const SUITE = 'TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256';

test('reads the shards of every zone, and which zone is its own', (t) => {
  const config = readConfig({
    ...TLS,
    DOPPLER_SHARDS: 'az1=10.0.0.1:8082,10.0.0.2:8082;az2=10.0.1.1:8082',
    AGENT_ZONE: 'az2',
    AGENT_TAGS: 'deployment:cf,job:diego-cell,url:http://x',
  });
  t.is(config.zone, 'az2');
  t.is(config.zones.length, 2);
  t.false(config.isPool);
  t.is(config.port, 3458);
  t.is(config.failoverAfterMs, 1000);
  t.deepEqual(Object.fromEntries(config.tags), {
    deployment: 'cf',
    job: 'diego-cell',
    url: 'http://x',
  });
});

test('takes the settings of the original, and is then a pool', (t) => {
  const config = readConfig({
    ...TLS,
    ROUTER_ADDR: 'doppler.service.cf.internal:8082',
    ROUTER_ADDR_WITH_AZ: 'z1.doppler.service.cf.internal:8082',
    AGENT_ZONE: 'z1',
    AGENT_INCOMING_UDP_PORT: '3457',
    AGENT_DISABLE_UDP: 'true',
    METRICS_CA_FILE_PATH: 'x',
    LOGS_DISABLED: '1',
  });
  t.true(config.isPool);
  t.is(config.udpPort, undefined);
  t.is(config.zone, 'z1');
  t.is(config.addressWithZone, 'z1.doppler.service.cf.internal:8082');
  t.true(config.logsDisabled);
});

test('narrows the cipher suites, and has its profiles where it is told to', (t) => {
  const vars = { ...TLS, ROUTER_ADDR: 'h:1', AGENT_CIPHER_SUITES: `${SUITE}:TLS_NO_SUCH_SUITE` };
  const { tls, pprofPort } = readConfig({ ...vars, PPROF_PORT: '6060' });
  t.deepEqual(tls.suites, { allowed: [SUITE], unknown: ['TLS_NO_SUCH_SUITE'] });
  t.is(pprofPort, 6060);
  t.is(readConfig({ ...vars, AGENT_PPROF_PORT: '6061' }).pprofPort, 6061);
});

test('takes dropsonde in where it is told to', (t) => {
  const vars = { ...TLS, ROUTER_ADDR: 'h:1', AGENT_INCOMING_UDP_PORT: '3457', AGENT_JOB: 'router' };
  const { udpPort, v1Defaults } = readConfig(vars);
  t.is(udpPort, 3457);
  t.deepEqual(v1Defaults, { deployment: '', job: 'router', index: '', ip: '' });
  t.is(readConfig({ ...TLS, ROUTER_ADDR: 'h:1' }).udpPort, undefined);
});

const MISTAKES: readonly [string, Record<string, string>, RegExp][] = [
  ['no Doppler', {}, /DOPPLER_SHARDS must be set/],
  ['a zone that is not there', { DOPPLER_SHARDS: 'a=h:1;b=h:2', AGENT_ZONE: 'c' }, /one of a, b/],
  ['no zone among several', { DOPPLER_SHARDS: 'a=h:1;b=h:2' }, /AGENT_ZONE must be one of a, b/],
  ['a misspelt setting', { ROUTER_ADDR: 'h:1', LOGS_DISABLD: 'true' }, /LOGS_DISABLED/],
  ['a tag without a value', { ROUTER_ADDR: 'h:1', AGENT_TAGS: 'a:b,c' }, /AGENT_TAGS/],
  [
    'more tags than there are bits',
    {
      ROUTER_ADDR: 'h:1',
      AGENT_TAGS: Array.from({ length: 32 }, (_, index) => `t${index}:x`).join(','),
    },
    /AGENT_TAGS has more than 31/,
  ],
];

for (const [title, vars, mistake] of MISTAKES) {
  test(`refuses ${title}`, (t) => {
    const error = t.throws(() => readConfig({ ...TLS, ...vars }), { instanceOf: ConfigError });
    t.regex(error?.mistakes.join('\n') ?? '', mistake);
  });
}
