import { ConfigError } from '@standpipe/plumbing';
import test from 'ava';
import { readConfig } from './config.ts';

const NEEDED = { LOG_CACHE_ADDR: 'localhost:8080', SYSLOG_PORT: '6067' };

test("the original's settings, and their defaults", (t) => {
  const config = readConfig(NEEDED);
  t.is(config.address, '0.0.0.0:6067');
  t.deepEqual(config.destination, { kind: 'log-cache', address: 'localhost:8080', tls: undefined });
  t.is(config.idleMs, 120_000);
  t.is(config.messageBytesMax, 66_560);
  t.true(config.trim);
  t.false(config.byLineFeeds);
  t.is(config.tls, undefined);
  t.is(config.observability.metricsPort, 6061);
  t.is(config.observability.pprofPort, undefined);
});

test('files turn TLS on, for each side by itself', (t) => {
  const config = readConfig({
    ...NEEDED,
    CA_PATH: 'ca',
    CERT_PATH: 'cert',
    KEY_PATH: 'key',
    SYSLOG_TLS_CERT_PATH: 'c',
    SYSLOG_TLS_KEY_PATH: 'k',
    SYSLOG_CLIENT_TRUSTED_CA_FILE: 'a',
    METRICS_CA_FILE_PATH: 'ma',
    METRICS_CERT_FILE_PATH: 'mc',
    METRICS_KEY_FILE_PATH: 'mk',
    USE_RFC339: 'true',
  });
  t.deepEqual(config.tls, { ca: 'a', cert: 'c', key: 'k' });
  t.deepEqual(config.destination.tls, { ca: 'ca', cert: 'cert', key: 'key' });
  t.deepEqual(config.observability.metricsTls, { ca: 'ma', cert: 'mc', key: 'mk' });
});

for (const [what, vars, mistakes] of [
  ['nothing', {}, ['LOG_CACHE_ADDR', 'SYSLOG_PORT']],
  ['two destinations', { ...NEEDED, AGENT_ADDRESS: 'localhost:3458' }, ['AGENT_ADDRESS']],
  ['half a pair', { ...NEEDED, SYSLOG_TLS_KEY_PATH: 'k' }, ['SYSLOG_TLS_CERT_PATH']],
  [
    'an authority alone',
    { ...NEEDED, SYSLOG_CLIENT_TRUSTED_CA_FILE: 'a' },
    ['SYSLOG_TLS_CERT_PATH'],
  ],
  ['a CA alone', { ...NEEDED, CA_PATH: 'a' }, ['CERT_PATH', 'KEY_PATH']],
  ['a misspelt name', { ...NEEDED, SYSLOG_IDLE_TIMEOUTS: '1m' }, ['SYSLOG_IDLE_TIMEOUTS']],
] as const) {
  test(`${what} is told`, (t) => {
    const error = t.throws(() => readConfig(vars), { instanceOf: ConfigError });
    for (const name of mistakes) t.true(error?.message.includes(name), error?.message);
  });
}
