/**
 * All that can be set on a syslog server: the names of log-cache-release v3.2.0's, and whom it sends
 * to instead of a Log Cache.
 */

import {
  Env,
  type KeyPairFiles,
  type ObservabilityConfig,
  type TlsFiles,
} from '@standpipe/plumbing';
import { internalTlsSettings, metricsSettings } from '../process-settings.ts';

export interface SyslogServerConfig {
  /** Where syslog is taken (TCP). */
  readonly address: string;
  /** TLS there; with a `ca`, senders must bring a certificate of it. Undefined: plain. */
  readonly tls: KeyPairFiles | TlsFiles | undefined;
  readonly destination: {
    readonly kind: 'log-cache' | 'agent';
    readonly address: string;
    readonly tls: TlsFiles | undefined;
  };
  /** How long a connection may be without a whole message. */
  readonly idleMs: number;
  /** The longest message, with octet counting. */
  readonly messageBytesMax: number;
  readonly trim: boolean;
  /** Messages end with a line feed, and no length stands before them. */
  readonly byLineFeeds: boolean;
  readonly maxConnections: number;
  readonly observability: ObservabilityConfig;
}

/** Settings of the original that have no use here. */
const UNUSED: readonly string[] = ['USE_RFC339'];

export function readConfig(vars: Readonly<NodeJS.ProcessEnv> = process.env): SyslogServerConfig {
  const env = new Env(vars, { exempt: UNUSED });
  const host = env.text('SYSLOG_HOST', { fallback: '0.0.0.0' });
  const port = env.count('SYSLOG_PORT', { min: 0, max: 65_535 });
  const config: SyslogServerConfig = {
    address: `${host}:${port}`,
    tls: listenTls(env),
    destination: destination(env),
    idleMs: env.duration('SYSLOG_IDLE_TIMEOUT', { fallback: '2m', min: '10ms', max: '24h' }),
    messageBytesMax: env.count('SYSLOG_MAX_MESSAGE_LENGTH', {
      fallback: 65 * 1024,
      min: 1,
      max: 16 * 2 ** 20,
    }),
    trim: env.flag('SYSLOG_TRIM_MESSAGE_WHITESPACE', { fallback: true }),
    byLineFeeds: env.flag('SYSLOG_NON_TRANSPARENT_FRAMING'),
    maxConnections: env.count('SYSLOG_MAX_CONNECTIONS', { fallback: 10_000, min: 1, max: 100_000 }),
    observability: metricsSettings(env, { port: 6061 }),
  };
  env.done();
  return config;
}

function listenTls(env: Env): KeyPairFiles | TlsFiles | undefined {
  const cert = env.text('SYSLOG_TLS_CERT_PATH', { fallback: '' });
  const key = env.text('SYSLOG_TLS_KEY_PATH', { fallback: '' });
  const ca = env.text('SYSLOG_CLIENT_TRUSTED_CA_FILE', { fallback: '' });
  if (cert === '' && key === '') {
    if (ca !== '')
      env.mistake('SYSLOG_TLS_CERT_PATH', 'must be set where certificates are asked for');
    return undefined;
  }
  if (cert === '') env.mistake('SYSLOG_TLS_CERT_PATH', 'must be set, as the key is');
  if (key === '') env.mistake('SYSLOG_TLS_KEY_PATH', 'must be set, as the certificate is');
  return ca === '' ? { cert, key } : { ca, cert, key };
}

function destination(env: Env): SyslogServerConfig['destination'] {
  const cache = env.address('LOG_CACHE_ADDR', { fallback: '' });
  const agent = env.address('AGENT_ADDRESS', { fallback: '' });
  const tls = internalTlsSettings(env);
  if (cache === '' && agent === '') env.mistake('LOG_CACHE_ADDR', 'must be set, or AGENT_ADDRESS');
  if (cache !== '' && agent !== '') {
    env.mistake('AGENT_ADDRESS', 'and LOG_CACHE_ADDR are both set: one of them is sent to');
  }
  return agent === ''
    ? { kind: 'log-cache', address: cache, tls }
    : { kind: 'agent', address: agent, tls };
}
