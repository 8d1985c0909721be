import { ConfigError } from '@standpipe/plumbing';
import test, { type ExecutionContext } from 'ava';
import { readConfig } from './config.ts';

const OPEN = {
  TRAFFIC_CONTROLLER_DISABLE_ACCESS_CONTROL: 'true',
  ROUTER_ADDRS: '10.0.0.1:8082, 10.0.0.2:8082',
  ROUTER_CA_FILE: 'ca',
  ROUTER_CERT_FILE: 'cert',
  ROUTER_KEY_FILE: 'key',
};

const SECURE = {
  ...OPEN,
  TRAFFIC_CONTROLLER_DISABLE_ACCESS_CONTROL: '',
  TRAFFIC_CONTROLLER_IP: '10.0.0.9',
  TRAFFIC_CONTROLLER_SYSTEM_DOMAIN: 'sys.example.com',
  TRAFFIC_CONTROLLER_API_HOST: 'https://cc.internal:9023',
  TRAFFIC_CONTROLLER_OUTGOING_DROPSONDE_PORT: '8081',
  TRAFFIC_CONTROLLER_OUTGOING_CERT_FILE: 'tc.crt',
  TRAFFIC_CONTROLLER_OUTGOING_KEY_FILE: 'tc.key',
  TRAFFIC_CONTROLLER_SKIP_CERT_VERIFY: 'false',
  TRAFFIC_CONTROLLER_UAA_HOST: 'https://uaa.internal',
  TRAFFIC_CONTROLLER_UAA_CLIENT: 'doppler',
  TRAFFIC_CONTROLLER_UAA_CLIENT_SECRET: 'hidden',
  TRAFFIC_CONTROLLER_UAA_CA_CERT: 'uaa-ca.crt',
  TRAFFIC_CONTROLLER_SECURITY_EVENT_LOG: '/var/log/access',
  TRAFFIC_CONTROLLER_PPROF_PORT: '6060',
  TRAFFIC_CONTROLLER_METRIC_EMITTER_INTERVAL: '1m',
  CC_CA_FILE: 'cc-ca',
  CC_CERT_FILE: 'cc-cert',
  CC_KEY_FILE: 'cc-key',
  CC_SERVER_NAME: 'cc.internal',
  AGENT_GRPC_ADDRESS: '127.0.0.1:3458',
  USE_RFC339: 'true',
};

test("takes every setting of the original's", (t) => {
  const config = readConfig(SECURE);
  t.is(config.listenAddress, '0.0.0.0:8081');
  t.deepEqual(config.certificate, { cert: 'tc.crt', key: 'tc.key' });
  t.deepEqual(config.accessControl, {
    uaaUrl: 'https://uaa.internal',
    uaaClient: 'doppler',
    uaaSecret: 'hidden',
    uaaCaFile: 'uaa-ca.crt',
    apiUrl: 'https://cc.internal:9023',
    apiTls: { ca: 'cc-ca', cert: 'cc-cert', key: 'cc-key' },
    apiServerName: 'cc.internal',
    skipVerify: false,
  });
  t.is(config.agentAddress, '127.0.0.1:3458');
  t.is(config.accessLogFile, '/var/log/access');
  t.is(config.observability.pprofPort, 6060);
  t.deepEqual(config.zones, [{ name: 'default', addresses: ['10.0.0.1:8082', '10.0.0.2:8082'] }]);
});

test('without access control it listens on loopback', (t) => {
  t.is(readConfig(OPEN).listenAddress, '127.0.0.1:8081');
  t.is(readConfig(OPEN).accessControl, undefined);
});

test('reads the Dopplers of every zone', (t) => {
  const { zones } = readConfig({ ...OPEN, DOPPLER_SHARDS: 'az1=a:1,b:2;az2=c:3' });
  t.deepEqual(
    zones.flatMap(({ addresses }) => addresses),
    ['a:1', 'b:2', 'c:3'],
  );
});

const mistakes: readonly (readonly [what: string, vars: Record<string, string>, told: RegExp])[] = [
  [
    'to listen for others without access control',
    { ...OPEN, TRAFFIC_CONTROLLER_OUTGOING_HOST: '0.0.0.0' },
    /TRAFFIC_CONTROLLER_OUTGOING_HOST is 0\.0\.0\.0, but access control is disabled/,
  ],
  [
    'to listen for others without TLS',
    {
      ...SECURE,
      TRAFFIC_CONTROLLER_OUTGOING_CERT_FILE: '',
      TRAFFIC_CONTROLLER_OUTGOING_KEY_FILE: '',
      TRAFFIC_CONTROLLER_OUTGOING_HOST: '10.0.0.9',
    },
    /without TLS it must be a loopback address/,
  ],
  [
    'a certificate without its key',
    { ...SECURE, TRAFFIC_CONTROLLER_OUTGOING_KEY_FILE: '' },
    /TRAFFIC_CONTROLLER_OUTGOING_KEY_FILE must be set/,
  ],
  [
    'access control that knows no UAA',
    { ...SECURE, TRAFFIC_CONTROLLER_UAA_HOST: '', TRAFFIC_CONTROLLER_UAA_CLIENT_SECRET: '' },
    /UAA_HOST must be set[\s\S]*UAA_CLIENT_SECRET must be set/,
  ],
  [
    'an API host that is no URL',
    { ...SECURE, TRAFFIC_CONTROLLER_API_HOST: 'cc.internal:9023' },
    /TRAFFIC_CONTROLLER_API_HOST must be http/,
  ],
  ['half of the files for Cloud Controller', { ...SECURE, CC_KEY_FILE: '' }, /CC_CA_FILE must be/],
  ['no Doppler', { ...OPEN, ROUTER_ADDRS: '' }, /DOPPLER_SHARDS must be set/],
  [
    'a misspelt name',
    { ...OPEN, TRAFFIC_CONTROLER_IP: '10.0.0.9' },
    /did you mean TRAFFIC_CONTROLLER_IP/,
  ],
];
for (const [what, vars, told] of mistakes) {
  test(`refuses ${what}`, (t) => {
    const error = t.throws(() => readConfig(vars), { instanceOf: ConfigError });
    tells(t, error, told);
  });
}

function tells(t: ExecutionContext, error: ConfigError | undefined, told: RegExp): void {
  t.regex(error?.message ?? '', told);
  t.notRegex(error?.message ?? '', /hidden/);
}
