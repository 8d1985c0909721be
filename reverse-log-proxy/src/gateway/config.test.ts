import { ConfigError } from '@standpipe/plumbing';
import test from 'ava';
import { readConfig } from './config.ts';

const REQUIRED = {
  LOGS_PROVIDER_ADDR: '127.0.0.1:8084',
  LOGS_PROVIDER_CA_PATH: 'ca',
  LOGS_PROVIDER_CLIENT_CERT_PATH: 'cert',
  LOGS_PROVIDER_CLIENT_KEY_PATH: 'key',
};

const ACCESS = {
  LOG_ADMIN_ADDR: 'https://uaa.example.com',
  LOG_ADMIN_CLIENT_ID: 'doppler',
  LOG_ADMIN_CLIENT_SECRET: 'secret',
  LOG_ACCESS_ADDR: 'https://cc.internal:9023',
  LOG_ACCESS_ADDR_EXTERNAL: 'http://cc:9022',
};

test('defaults are those of the original', (t) => {
  const config = readConfig(REQUIRED);
  t.is(config.address, '127.0.0.1:8088');
  t.is(config.proxyName, 'reverselogproxy');
  t.is(config.streamTimeoutMs, 14 * 60_000);
  t.is(config.heartbeatMs, 15_000);
  t.is(config.access, undefined);
  t.is(config.https, undefined);
});

test('without access control only a loopback address will do', (t) => {
  for (const GATEWAY_ADDR of [':8088', '0.0.0.0:8088', '10.0.0.1:8088']) {
    t.regex(mistakesOf({ ...REQUIRED, GATEWAY_ADDR }), /GATEWAY_ADDR must be a loopback address/);
    t.notThrows(() => readConfig({ ...REQUIRED, ...ACCESS, GATEWAY_ADDR }));
  }
});

test('access control needs all its addresses, and they must be URLs', (t) => {
  const LOG_ADMIN_ADDR = 'https://uaa';
  const told = mistakesOf({ ...REQUIRED, LOG_ADMIN_ADDR });
  for (const name of ['LOG_ADMIN_CLIENT_ID', 'LOG_ACCESS_ADDR', 'LOG_ACCESS_ADDR_EXTERNAL']) {
    t.true(told.includes(`${name} must be set`), told);
  }
  t.regex(
    mistakesOf({ ...REQUIRED, ...ACCESS, LOG_ACCESS_ADDR: 'cc:9023' }),
    /LOG_ACCESS_ADDR must be/,
  );
});

test('a certificate for HTTPS needs its key, and the other way round', (t) => {
  t.regex(mistakesOf({ ...REQUIRED, HTTP_CERT_PATH: 'c' }), /HTTP_KEY_PATH must be set/);
  t.regex(mistakesOf({ ...REQUIRED, HTTP_KEY_PATH: 'k' }), /HTTP_CERT_PATH must be set/);
  t.deepEqual(readConfig({ ...REQUIRED, HTTP_CERT_PATH: 'c', HTTP_KEY_PATH: 'k' }).https, {
    cert: 'c',
    key: 'k',
  });
});

test("with its three files the metrics are HTTPS, at the original's port", (t) => {
  const files = {
    METRICS_CA_FILE_PATH: 'ca',
    METRICS_CERT_FILE_PATH: 'cert',
    METRICS_KEY_FILE_PATH: 'key',
  };
  const { observability } = readConfig({ ...REQUIRED, ...files });
  t.is(observability.metricsPort, 8089);
  t.deepEqual(observability.metricsTls, { ca: 'ca', cert: 'cert', key: 'key' });
  t.is(readConfig({ ...REQUIRED, ...files, METRICS_PORT: '7' }).observability.metricsPort, 7);
  t.is(readConfig(REQUIRED).observability.metricsPort, 0);
  for (const name of Object.keys(files)) {
    t.regex(mistakesOf({ ...REQUIRED, ...files, [name]: '' }), /METRICS_\w+ must be set/);
  }
});

test('any of the settings of access control asks for all that it needs', (t) => {
  for (const [name, value] of Object.entries(ACCESS)) {
    t.regex(mistakesOf({ ...REQUIRED, [name]: value }), /LOG_\w+ must be set/);
  }
});

test("all of the original's settings are known", (t) => {
  const config = readConfig({
    ...REQUIRED,
    ...ACCESS,
    GATEWAY_ADDR: ':8088',
    HTTP_CERT_PATH: 'c',
    HTTP_KEY_PATH: 'k',
    LOGS_PROVIDER_COMMON_NAME: 'rlp',
    LOG_ADMIN_CA_PATH: 'uaa-ca',
    LOG_ACCESS_CA_PATH: 'cc-ca',
    LOG_ACCESS_CERT_PATH: 'cc-cert',
    LOG_ACCESS_KEY_PATH: 'cc-key',
    LOG_ACCESS_COMMON_NAME: 'cc',
    SKIP_CERT_VERIFY: 'true',
    STREAM_TIMEOUT: '5m',
    PPROF_PORT: '0',
    METRICS_PORT: '8089',
    METRICS_CA_FILE_PATH: 'm-ca',
    METRICS_CERT_FILE_PATH: 'm-cert',
    METRICS_KEY_FILE_PATH: 'm-key',
  });
  t.is(config.proxyName, 'rlp');
  t.is(config.streamTimeoutMs, 5 * 60_000);
  t.is(config.access?.internalName, 'cc');
  t.deepEqual(config.access?.internalPair, { cert: 'cc-cert', key: 'cc-key' });
  t.true(config.access?.skipCertVerify);
});

function mistakesOf(vars: NodeJS.ProcessEnv): string {
  try {
    readConfig(vars);
    return '';
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.mistakes.join('\n');
  }
}
