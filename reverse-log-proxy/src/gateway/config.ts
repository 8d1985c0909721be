/**
 * The settings of the reverse log proxy's gateway, under the names of Loggregator v107.0.21.
 *
 *     GATEWAY_ADDR                          where clients read; :8088 is every interface
 *     HTTP_CERT_PATH, HTTP_KEY_PATH         both, or plain HTTP on a loopback address
 *     LOGS_PROVIDER_ADDR                    the reverse log proxy
 *     LOGS_PROVIDER_CA_PATH, _CLIENT_CERT_PATH, _CLIENT_KEY_PATH, _COMMON_NAME
 *     STREAM_TIMEOUT                        when a stream is closed, so that clients come anew
 *     LOG_ADMIN_ADDR, _CLIENT_ID, _CLIENT_SECRET, _CA_PATH              UAA: who may read everything
 *     LOG_ACCESS_ADDR, _CA_PATH, _CERT_PATH, _KEY_PATH, _COMMON_NAME    Cloud Controller: who may
 *     LOG_ACCESS_ADDR_EXTERNAL                                          read which source
 *     SKIP_CERT_VERIFY                      take any certificate from those two
 *     METRICS_PORT, METRICS_CA_FILE_PATH, _CERT_FILE_PATH, _KEY_FILE_PATH
 *     PPROF_PORT                            profiles, on loopback
 *
 * Without LOG_ADMIN_* and LOG_ACCESS_* there is no access control: a token is neither asked for nor looked at, and
 * the gateway listens on a loopback address only.
 */

import {
  Env,
  isLoopback,
  type KeyPairFiles,
  type ObservabilityConfig,
  observabilitySettings,
  parseAddress,
  type TlsFiles,
  tlsSettings,
} from '@standpipe/plumbing';

export interface GatewayConfig {
  /** `host:port` for clients. */
  readonly address: string;
  /** For HTTPS; without it, plain HTTP. */
  readonly https: KeyPairFiles | undefined;
  /** `host:port` of the reverse log proxy, and the name in its certificate. */
  readonly proxyAddress: string;
  readonly proxyName: string;
  readonly tls: TlsFiles;
  /** A stream that has lasted so long is closed, with an event that says so. */
  readonly streamTimeoutMs: number;
  /** A stream that has brought nothing for so long gets a heartbeat. */
  readonly heartbeatMs: number;
  /** A client that has taken nothing for so long, while there was something, is cut. */
  readonly stallMs: number;
  /** How long a request waits for a proxy that is away. */
  readonly proxyWaitMs: number;
  /** Who may read what; without it, everybody everything. */
  readonly access: AccessConfig | undefined;
  readonly observability: ObservabilityConfig;
}

/** Whom to ask who may read what. */
export interface AccessConfig {
  readonly uaaUrl: string;
  readonly uaaCa: string | undefined;
  readonly clientId: string;
  readonly clientSecret: string;
  /** Cloud Controller by mutual TLS, and as everybody reaches it. */
  readonly internalUrl: string;
  readonly internalCa: string | undefined;
  readonly internalPair: KeyPairFiles | undefined;
  readonly internalName: string | undefined;
  readonly externalUrl: string;
  readonly skipCertVerify: boolean;
}

const METRICS_PORT = 8089;

/** Any of these asks for access control, and then the addresses and the client are needed. */
const ACCESS: readonly string[] = [
  ...['LOG_ADMIN_ADDR', 'LOG_ADMIN_CLIENT_ID', 'LOG_ADMIN_CLIENT_SECRET'],
  ...['LOG_ACCESS_ADDR', 'LOG_ACCESS_ADDR_EXTERNAL'],
];

/** The original's, and what its clients' idle timers are made for. */
const HEARTBEAT_MS = 15_000;

const STALL_MS = 60_000;

/** A restart of the proxy, and some. */
const PROXY_WAIT_MS = 10_000;

export function readConfig(vars: Readonly<NodeJS.ProcessEnv> = process.env): GatewayConfig {
  const env = new Env(vars);
  const config: GatewayConfig = {
    address: env.address('GATEWAY_ADDR', { fallback: '127.0.0.1:8088', listen: true }),
    https: pairSettings(env, 'HTTP_CERT_PATH', 'HTTP_KEY_PATH'),
    proxyAddress: env.address('LOGS_PROVIDER_ADDR'),
    proxyName: env.text('LOGS_PROVIDER_COMMON_NAME', { fallback: 'reverselogproxy' }),
    tls: tlsSettings(env, {
      ca: 'LOGS_PROVIDER_CA_PATH',
      cert: 'LOGS_PROVIDER_CLIENT_CERT_PATH',
      key: 'LOGS_PROVIDER_CLIENT_KEY_PATH',
    }),
    streamTimeoutMs: env.duration('STREAM_TIMEOUT', { fallback: '14m', min: '100ms', max: '24h' }),
    heartbeatMs: HEARTBEAT_MS,
    stallMs: STALL_MS,
    proxyWaitMs: PROXY_WAIT_MS,
    access: accessSettings(env),
    observability: metricsSettings(env),
  };
  const host = parseAddress(config.address)?.host ?? '';
  if (config.access === undefined && host !== '' && !isLoopback(host)) {
    env.mistake('GATEWAY_ADDR', 'must be a loopback address as long as LOG_ADMIN_ADDR is not set');
  }
  env.done();
  return config;
}

/** With the three files metrics are HTTPS for those with a certificate, at the original's port. */
function metricsSettings(env: Env): ObservabilityConfig {
  const ca = env.optional('METRICS_CA_FILE_PATH');
  const pair = pairSettings(env, 'METRICS_CERT_FILE_PATH', 'METRICS_KEY_FILE_PATH');
  const settings = observabilitySettings(env);
  if (ca === undefined && pair === undefined) return settings;
  if (ca === undefined) env.mistake('METRICS_CA_FILE_PATH', 'must be set when the others are');
  if (pair === undefined) env.mistake('METRICS_CERT_FILE_PATH', 'must be set when the CA is');
  if (ca === undefined || pair === undefined) return settings;
  const metricsPort = env.count('METRICS_PORT', { fallback: METRICS_PORT, min: 0, max: 65_535 });
  return { ...settings, metricsPort, metricsTls: { ca, ...pair } };
}

function accessSettings(env: Env): AccessConfig | undefined {
  const isOpen = ACCESS.every((name) => env.optional(name) === undefined);
  const needed = isOpen ? { fallback: '' } : {};
  const access = {
    uaaUrl: env.text('LOG_ADMIN_ADDR', needed),
    uaaCa: env.optional('LOG_ADMIN_CA_PATH'),
    clientId: env.text('LOG_ADMIN_CLIENT_ID', needed),
    clientSecret: env.text('LOG_ADMIN_CLIENT_SECRET', { fallback: '' }),
    internalUrl: env.text('LOG_ACCESS_ADDR', needed),
    internalCa: env.optional('LOG_ACCESS_CA_PATH'),
    internalPair: pairSettings(env, 'LOG_ACCESS_CERT_PATH', 'LOG_ACCESS_KEY_PATH'),
    internalName: env.optional('LOG_ACCESS_COMMON_NAME'),
    externalUrl: env.text('LOG_ACCESS_ADDR_EXTERNAL', needed),
    skipCertVerify: env.flag('SKIP_CERT_VERIFY'),
  };
  if (isOpen) return undefined;
  checkUrl(env, 'LOG_ADMIN_ADDR', access.uaaUrl);
  checkUrl(env, 'LOG_ACCESS_ADDR', access.internalUrl);
  checkUrl(env, 'LOG_ACCESS_ADDR_EXTERNAL', access.externalUrl);
  return access;
}

/** A certificate and its key, or neither. */
function pairSettings(env: Env, certName: string, keyName: string): KeyPairFiles | undefined {
  const cert = env.optional(certName);
  const key = env.optional(keyName);
  if (cert !== undefined && key !== undefined) return { cert, key };
  if (cert !== undefined) env.mistake(keyName, `must be set when ${certName} is`);
  if (key !== undefined) env.mistake(certName, `must be set when ${keyName} is`);
  return undefined;
}

function checkUrl(env: Env, name: string, url: string): void {
  if (url !== '' && !/^https?:\/\/[^/]/.test(url))
    env.mistake(name, 'must be an http or https URL');
}
