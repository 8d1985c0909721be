import { ConfigError } from '@standpipe/plumbing';
import test from 'ava';
import { readConfig } from './config.ts';

const FILES = { ROUTER_CA_FILE: 'ca', ROUTER_CERT_FILE: 'cert', ROUTER_KEY_FILE: 'key' };

test("takes an original Doppler's settings as they are", (t) => {
  const config = readConfig({
    ...FILES,
    ROUTER_PORT: '8082',
    ROUTER_CIPHER_SUITES: 'TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256',
    INGRESS_BUFFER_SIZE: '10000',
    EGRESS_BUFFER_SIZE: '1000',
    ROUTER_PPROF_PORT: '6060',
    ROUTER_METRIC_BATCH_INTERVAL_MILLISECONDS: '1000',
    ROUTER_METRIC_SOURCE_ID: 'router',
    AGENT_GRPC_ADDRESS: '127.0.0.1:3458',
    USE_RFC339: 'false',
  });
  t.is(config.grpcAddress, '0.0.0.0:8082');
  t.deepEqual(config.tls, {
    ca: 'ca',
    cert: 'cert',
    key: 'key',
    suites: { allowed: ['TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256'], unknown: [] },
  });
  t.is(config.ingressBufferSize, 10_000);
  t.is(config.egressBufferSize, 1000);
  t.is(config.egressV2BufferSize, 50_000);
  t.is(config.observability.pprofPort, 6060);
  t.is(config.agentAddress, '127.0.0.1:3458');
  t.is(config.metricIntervalMs, 1000);
  t.is(config.metricSourceId, 'router');
  t.deepEqual(config.zones, []);
});

test('INGRESS_BUFFER_SIZE need not be set, nor any other size', (t) => {
  const { ingressBufferSize, egressBufferSize, egressV2BufferSize } = readConfig(FILES);
  t.deepEqual([ingressBufferSize, egressBufferSize, egressV2BufferSize], [10_000, 50_000, 50_000]);
});

test('knows its place among the Dopplers', (t) => {
  const { zone, nodeIndex, zones } = readConfig({
    ...FILES,
    DOPPLER_SHARDS: 'az1=h1:1;az2=h2:2,h3:3',
    DOPPLER_ZONE: 'az2',
    NODE_INDEX: '1',
  });
  t.deepEqual([zone, nodeIndex, zones.length], ['az2', 1, 2]);
});

const MISTAKES: [string, NodeJS.ProcessEnv, RegExp][] = [
  ['a missing certificate', { ...FILES, ROUTER_CERT_FILE: '' }, /ROUTER_CERT_FILE must be set/],
  ['a size of nothing', { ...FILES, EGRESS_BUFFER_SIZE: '0' }, /EGRESS_BUFFER_SIZE is "0"/],
  [
    'cipher suites of which none is known',
    { ...FILES, ROUTER_CIPHER_SUITES: 'TLS_RSA_WITH_AES_128_CBC_SHA' },
    /ROUTER_CIPHER_SUITES must name one of TLS_ECDHE_RSA/,
  ],
  ['a misspelt name', { ...FILES, EGRESS_BUFER_SIZE: '9' }, /did you mean EGRESS_BUFFER_SIZE/],
  [
    'a zone that is not there',
    { ...FILES, DOPPLER_SHARDS: 'az1=h:1', DOPPLER_ZONE: 'az9' },
    /DOPPLER_ZONE is "az9"/,
  ],
  [
    'a place beyond the last',
    { ...FILES, DOPPLER_SHARDS: 'az1=10.0.0.1:1', NODE_INDEX: '1' },
    /NODE_INDEX is 1/,
  ],
  ['a name for its own address', { ...FILES, NODE_ADDR: 'me:1' }, /NODE_ADDR is "me:1"/],
  ['shards that cannot be read', { ...FILES, DOPPLER_SHARDS: 'nonsense' }, /DOPPLER_SHARDS/],
];

for (const [title, vars, message] of MISTAKES) {
  test(`refuses ${title}`, (t) => {
    t.throws(() => readConfig(vars), { instanceOf: ConfigError, message });
  });
}

test('tells all mistakes at once', (t) => {
  const error = t.throws(() => readConfig({ ROUTER_PORT: 'x' }), { instanceOf: ConfigError });
  t.is(error?.mistakes.length, 4);
});
