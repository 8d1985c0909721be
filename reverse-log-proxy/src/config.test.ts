import { ConfigError } from '@standpipe/plumbing';
import test from 'ava';
import { readConfig } from './config.ts';

const TLS = { RLP_CA_FILE: 'ca', RLP_CERT_FILE: 'cert', RLP_KEY_FILE: 'key' };

test("the original's settings are enough", (t) => {
  const config = readConfig({ ...TLS, ROUTER_ADDRS: 'a:8082, b:8082', RLP_PORT: '8084' });
  t.is(config.address, '0.0.0.0:8084');
  t.deepEqual(config.zones, [{ name: 'default', addresses: ['a:8082', 'b:8082'] }]);
  t.is(config.maxEgressStreams, 500);
});

test('the Dopplers of all zones are read', (t) => {
  const config = readConfig({ ...TLS, DOPPLER_SHARDS: 'az1=a:1,b:1;az2=c:1' });
  t.deepEqual(
    config.zones.map(({ addresses }) => addresses),
    [['a:1', 'b:1'], ['c:1']],
  );
});

test('an interface can be chosen', (t) => {
  t.is(readConfig({ ...TLS, ROUTER_ADDRS: 'a:1', RLP_HOST: '127.0.0.1' }).address, '127.0.0.1:0');
  t.is(readConfig({ ...TLS, ROUTER_ADDRS: 'a:1', RLP_HOST: '::1' }).address, '[::1]:0');
});

test('all mistakes are told at once', (t) => {
  const error = t.throws(() => readConfig({ RLP_PORT: '70000', MAX_EGRESS_STREAMS: 'many' }), {
    instanceOf: ConfigError,
  });
  t.is(error.mistakes.length, 6);
});

test("all of the original's settings are known", (t) => {
  const config = readConfig({
    ...TLS,
    ROUTER_ADDRS: 'a:1',
    RLP_PORT: '8082',
    MAX_EGRESS_STREAMS: '1000',
    RLP_CIPHER_SUITES: 'TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256',
    RLP_PPROF_PORT: '0',
    RLP_METRIC_EMITTER_INTERVAL: '1m',
    RLP_METRIC_SOURCE_ID: 'reverse_log_proxy',
    AGENT_ADDR: 'localhost:3458',
    USE_RFC339: 'false',
  });
  t.is(config.maxEgressStreams, 1000);
  t.is(config.observability.pprofPort, 0);
  t.deepEqual(config.tls.suites?.unknown, []);
});

test("defaults are the original's", (t) => {
  const config = readConfig({ ...TLS, ROUTER_ADDRS: 'a:1' });
  t.is(config.maxEgressStreams, 500);
  t.is(config.maxConnections, 500);
  t.is(config.observability.pprofPort, 6061);
});
