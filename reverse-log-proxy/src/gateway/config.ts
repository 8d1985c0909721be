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
 *
 * Without LOG_ADMIN_ADDR there is no access control: a token is neither asked for nor looked at, and
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
  readonly internalTls: Partial<TlsFiles>;
  readonly internalName: string | undefined;
  readonly externalUrl: string;
  readonly skipCertVerify: boolean;
}

/** Settings of the original that have no meaning here, and are no mistakes. */
const IGNORED: readonly string[] = [
  'PPROF_PORT',
  'METRICS_CA_FILE_PATH',
  'METRICS_CERT_FILE_PATH',
  'METRICS_KEY_FILE_PATH',
];

/** The original's, and what its clients' idle timers are made for. */
const HEARTBEAT_MS = 15_000;

export function readConfig(vars: Readonly<NodeJS.ProcessEnv> = process.env): GatewayConfig {
  const env = new Env(vars, { exempt: IGNORED });
  const config: GatewayConfig = {
    address: env.address('GATEWAY_ADDR', { fallback: '127.0.0.1:8088', listen: true }),
    https: httpsSettings(env),
    proxyAddress: env.address('LOGS_PROVIDER_ADDR'),
    proxyName: env.text('LOGS_PROVIDER_COMMON_NAME', { fallback: 'reverselogproxy' }),
    tls: tlsSettings(env, {
      ca: 'LOGS_PROVIDER_CA_PATH',
      cert: 'LOGS_PROVIDER_CLIENT_CERT_PATH',
      key: 'LOGS_PROVIDER_CLIENT_KEY_PATH',
    }),
    streamTimeoutMs: env.duration('STREAM_TIMEOUT', { fallback: '14m', min: '100ms', max: '24h' }),
    heartbeatMs: HEARTBEAT_MS,
    access: accessSettings(env),
    observability: observabilitySettings(env),
  };
  const host = parseAddress(config.address)?.host ?? '';
  if (config.access === undefined && host !== '' && !isLoopback(host)) {
    env.mistake('GATEWAY_ADDR', 'must be a loopback address as long as LOG_ADMIN_ADDR is not set');
  }
  env.done();
  return config;
}

function httpsSettings(env: Env): KeyPairFiles | undefined {
  const cert = env.optional('HTTP_CERT_PATH');
  const key = env.optional('HTTP_KEY_PATH');
  if (cert !== undefined && key !== undefined) return { cert, key };
  if (cert !== undefined) env.mistake('HTTP_KEY_PATH', 'must be set when HTTP_CERT_PATH is');
  if (key !== undefined) env.mistake('HTTP_CERT_PATH', 'must be set when HTTP_KEY_PATH is');
  return undefined;
}

function accessSettings(env: Env): AccessConfig | undefined {
  const uaaUrl = env.optional('LOG_ADMIN_ADDR');
  const needed = uaaUrl === undefined ? { fallback: '' } : {};
  const access = {
    uaaUrl: uaaUrl ?? '',
    uaaCa: env.optional('LOG_ADMIN_CA_PATH'),
    clientId: env.text('LOG_ADMIN_CLIENT_ID', needed),
    clientSecret: env.text('LOG_ADMIN_CLIENT_SECRET', { fallback: '' }),
    internalUrl: env.text('LOG_ACCESS_ADDR', needed),
    internalTls: internalTls(env),
    internalName: env.optional('LOG_ACCESS_COMMON_NAME'),
    externalUrl: env.text('LOG_ACCESS_ADDR_EXTERNAL', needed),
    skipCertVerify: env.flag('SKIP_CERT_VERIFY'),
  };
  if (uaaUrl === undefined) return undefined;
  checkUrl(env, 'LOG_ADMIN_ADDR', access.uaaUrl);
  checkUrl(env, 'LOG_ACCESS_ADDR', access.internalUrl);
  checkUrl(env, 'LOG_ACCESS_ADDR_EXTERNAL', access.externalUrl);
  return access;
}

function internalTls(env: Env): Partial<TlsFiles> {
  const ca = env.optional('LOG_ACCESS_CA_PATH');
  const cert = env.optional('LOG_ACCESS_CERT_PATH');
  const key = env.optional('LOG_ACCESS_KEY_PATH');
  return { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) };
}

function checkUrl(env: Env, name: string, url: string): void {
  if (url !== '' && !/^https?:\/\/[^/]/.test(url))
    env.mistake(name, 'must be an http or https URL');
}
