import { ConfigError } from '@standpipe/plumbing';
import { spyLog } from '@standpipe/plumbing/testing';
import test from 'ava';
import { readConfig as readNodeConfig } from './config.ts';
import { readConfig as readGatewayConfig } from './gateway/config.ts';

const TLS = { CA_PATH: 'ca', CERT_PATH: 'cert', KEY_PATH: 'key' };
const MEBIBYTE = 2 ** 20;

test('a node is told all that the original is, and begins with its defaults', (t) => {
  const config = readNodeConfig({
    ADDR: ':8080',
    NODE_INDEX: '1',
    NODE_ADDRS: ' 10.0.0.1:8080, log-cache-1.internal:8080 ',
    ...TLS,
    TRUNCATION_INTERVAL: '1s',
    PRUNES_PER_GC: '3',
    DEBUG_METRICS: '1',
    PPROF_PORT: '7070',
    METRICS_CA_FILE_PATH: 'm-ca',
    METRICS_CERT_FILE_PATH: 'm-cert',
    METRICS_KEY_FILE_PATH: 'm-key',
    USE_RFC339: 'true',
  });
  t.is(config.address, '0.0.0.0:8080');
  t.deepEqual(config.tls, { ca: 'ca', cert: 'cert', key: 'key' });
  t.deepEqual(config.zones, [
    { name: 'nodes', addresses: ['10.0.0.1:8080', 'log-cache-1.internal:8080'] },
  ]);
  t.deepEqual(
    [config.nodeIndex, config.store.maxPerSource, config.queryTimeoutMs],
    [1, 100_000, 10_000],
  );
  const { metricsPort, pprofPort, metricsTls } = config.observability;
  t.deepEqual([metricsPort, pprofPort], [6060, 7070]);
  t.deepEqual(metricsTls, { ca: 'm-ca', cert: 'm-cert', key: 'm-key' });
});

test('a node without TLS that would listen everywhere listens on this machine only', (t) => {
  const addresses = [':8080', '0.0.0.0:8080', 'localhost:8080', '10.1.1.1:8080'];
  t.deepEqual(
    addresses.map((ADDR) => readNodeConfig({ ADDR }).address),
    ['127.0.0.1:8080', '127.0.0.1:8080', 'localhost:8080', '10.1.1.1:8080'],
  );
});

test('a node starts with what the original starts with, and says what is odd', (t) => {
  const log = spyLog();
  const NODE_ADDRS = 'a:1,b:1,a:1,b:2,a:1';
  const vars = { ADDR: ':1', NODE_ADDRS, DEBUG_METRICS: 'yes', PPROF_PORT: '7070' };
  const config = readNodeConfig(vars, { log });
  t.is(config.observability.pprofPort, undefined);
  t.is(config.zones[0]?.addresses.length, 5);
  t.deepEqual(
    log.lines.map(({ text }) => text),
    [
      'DEBUG_METRICS is "yes", which is taken for false; true is true or 1',
      'NODE_ADDRS names a:1 more than once, so that it owns more than its share',
    ],
  );
  t.throws(() => readNodeConfig({ ADDR: ':1', LOG_CACHE_JOURNAL: 'yes' }), {
    instanceOf: ConfigError,
    message: /LOG_CACHE_JOURNAL is "yes"/,
  });
});

const mistakes: readonly (readonly [what: string, vars: Record<string, string>, told: RegExp])[] = [
  ['no address', {}, /ADDR must be set/],
  ['an index beyond its nodes', { ADDR: ':1', NODE_INDEX: '1', NODE_ADDRS: 'a:1' }, /NODE_INDEX/],
  ['an index without nodes', { ADDR: ':1', NODE_INDEX: '2' }, /NODE_INDEX is 2/],
  ['a half of TLS', { ADDR: ':1', CERT_PATH: 'cert' }, /CA_PATH must be set[\s\S]*KEY_PATH must/],
  ['a misspelling', { ADDR: ':1', NODE_ADRS: 'a:1' }, /did you mean NODE_ADDRS/],
];
for (const [what, vars, told] of mistakes) {
  test(`a node refuses ${what}`, (t) => {
    t.throws(() => readNodeConfig(vars), { instanceOf: ConfigError, message: told });
  });
}

test('a cache takes the bytes that it is told, within what it works with, or a part of what there is', (t) => {
  const budget = (vars: Record<string, string>): number =>
    readNodeConfig({ ADDR: ':8080', ...vars }).store.memoryLimitBytes;
  t.is(budget({ MEMORY_LIMIT_BYTES: String(100 * MEBIBYTE) }), 100 * MEBIBYTE);
  t.is(budget({ MEMORY_LIMIT_BYTES: '1' }), 64 * 1024);
  t.is(budget({ MEMORY_LIMIT_BYTES: '0' }), budget({ MEMORY_LIMIT_PERCENT: '50' }));
  t.true(budget({ MEMORY_LIMIT_PERCENT: '1' }) < budget({}));
});

test('a gateway takes the settings of the original’s gateway', (t) => {
  const config = readGatewayConfig({
    ADDR: ':8081',
    LOG_CACHE_ADDR: 'localhost:8080',
    PROXY_CERT_PATH: 'cert',
    PROXY_KEY_PATH: 'key',
    ...TLS,
  });
  t.is(config.rest.address, '0.0.0.0:8081');
  t.deepEqual(config.rest.certificate, { cert: 'cert', key: 'key' });
  t.is(config.rest.access, undefined);
  t.is(config.logCacheAddress, 'localhost:8080');
  t.is(config.observability.metricsPort, 6063);
  const plain = readGatewayConfig({ ADDR: ':8081', LOG_CACHE_ADDR: 'localhost:8080' });
  t.is(plain.rest.address, '127.0.0.1:8081');
});

test('a gateway with the settings of the original’s cf-auth-proxy asks for tokens', (t) => {
  const { rest } = readGatewayConfig({
    ADDR: ':8083',
    LOG_CACHE_ADDR: 'localhost:8080',
    LOG_CACHE_GATEWAY_ADDR: 'https://localhost:8081',
    PROXY_CA_PATH: 'ca',
    EXTERNAL_CERT: 'cert',
    EXTERNAL_KEY: 'key',
    INTERNAL_IP: '10.0.0.1',
    SECURITY_EVENT_LOG: '/var/log/events',
    SKIP_CERT_VERIFY: 'true',
    PROMQL_UNIMPLEMENTED: 'true',
    TOKEN_PRUNING_INTERVAL: '1m',
    CACHE_EXPIRATION_INTERVAL: '2m',
    CAPI_ADDR: 'https://cc:9024',
    CAPI_CA_PATH: 'capi-ca',
    CAPI_COMMON_NAME: 'cc',
    UAA_ADDR: 'https://uaa:8443',
    UAA_CA_PATH: 'uaa-ca',
    UAA_CLIENT_ID: 'id',
    UAA_CLIENT_SECRET: 'secret',
  });
  t.deepEqual(rest, {
    address: '0.0.0.0:8083',
    certificate: { cert: 'cert', key: 'key' },
    access: {
      uaaUrl: 'https://uaa:8443',
      uaaCaFile: 'uaa-ca',
      uaaClient: 'id',
      uaaSecret: 'secret',
      capiUrl: 'https://cc:9024',
      capiCaFile: 'capi-ca',
      capiServerName: 'cc',
      skipVerify: true,
      allowedMs: 120_000,
      promQlUnimplemented: true,
    },
    securityLog: { file: '/var/log/events', ip: '10.0.0.1' },
  });
});

const halves: readonly (readonly [vars: Record<string, string>, told: RegExp])[] = [
  [{ UAA_ADDR: 'https://uaa' }, /CAPI_ADDR must be set/],
  [{ CAPI_ADDR: 'https://cc' }, /UAA_ADDR must be set/],
  [{ UAA_ADDR: 'uaa:8443', CAPI_ADDR: 'https://cc' }, /UAA_ADDR must be http/],
  [{ PROXY_CERT_PATH: 'cert' }, /PROXY_KEY_PATH must be set/],
  [{ EXTERNAL_KEY: 'key' }, /EXTERNAL_CERT must be set/],
];
for (const [vars, told] of halves) {
  test(`a gateway refuses ${Object.keys(vars).join(' and ')} alone or badly written`, (t) => {
    const all = { ADDR: ':1', LOG_CACHE_ADDR: 'localhost:1', ...vars };
    t.throws(() => readGatewayConfig(all), { instanceOf: ConfigError, message: told });
  });
}
