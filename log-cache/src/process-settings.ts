/** Settings that the processes of log-cache-release have in common. */

import { X509Certificate } from 'node:crypto';
import {
  type Env,
  formatAddress,
  isLoopback,
  type Log,
  type ObservabilityConfig,
  observabilitySettings,
  parseAddress,
  type Tls,
  type TlsFiles,
  tlsSettings,
} from '@standpipe/plumbing';

/** CA_PATH, CERT_PATH, KEY_PATH: as in the original, any one turns TLS on; all are needed then. */
export function internalTlsSettings(env: Env): TlsFiles | undefined {
  return tlsIfAny(env, { ca: 'CA_PATH', cert: 'CERT_PATH', key: 'KEY_PATH' });
}

/** METRICS_PORT and, for HTTPS there, METRICS_*_FILE_PATH; profiles with DEBUG_METRICS only. */
export function metricsSettings(
  env: Env,
  { port: fallback }: { readonly port: number },
): ObservabilityConfig {
  const settings = observabilitySettings(env);
  const metricsTls = tlsIfAny(env, {
    ca: 'METRICS_CA_FILE_PATH',
    cert: 'METRICS_CERT_FILE_PATH',
    key: 'METRICS_KEY_FILE_PATH',
  });
  return {
    ...settings,
    metricsPort: env.count('METRICS_PORT', { fallback, min: 0, max: 65_535 }),
    pprofPort: env.flag('DEBUG_METRICS', { fallback: false }) ? settings.pprofPort : undefined,
    ...(metricsTls && { metricsTls }),
  };
}

export interface NearAddress {
  /** Where to listen, `host:port`. */
  readonly address: string;
  /** What was set, where it says more than `address` does. */
  readonly askedAddress?: string;
}

/**
 * Where to listen. Where an address says every interface, and there is no TLS, that is this machine
 * alone: what anybody may read and write is not for others.
 */
export function nearUnlessSecure(address: string, secure: boolean): NearAddress {
  const parsed = parseAddress(address);
  if (secure || parsed === undefined || isLoopback(parsed.host)) return { address };
  const isEverywhere = parsed.host === '0.0.0.0' || parsed.host === '::' || parsed.host === '';
  if (!isEverywhere) return { address };
  const near = formatAddress({ host: '127.0.0.1', port: parsed.port });
  return { address: near, askedAddress: address };
}

/** Tells whoever set an address that others will not get there. */
export function tellIfNear({ askedAddress }: Pick<NearAddress, 'askedAddress'>, log: Log): void {
  if (askedAddress === undefined) return;
  log.warn({ asked: askedAddress }, 'without TLS only this machine is served');
}

/** What those who ask a Log Cache want its certificate to name. */
const SERVER_NAME = 'log-cache';

/** Tells whoever gave a certificate that those who check its name will hang up. */
export function tellIfUnnamed(tls: Pick<Tls, 'cert'>, file: string, log: Log): void {
  const names = new X509Certificate(tls.cert);
  // As Go, which has not looked at a subject for long.
  if (names.checkHost(SERVER_NAME, { subject: 'never' }) !== undefined) return;
  const named = names.subjectAltName ?? 'nothing';
  log.warn({ file, named }, `the certificate does not name ${SERVER_NAME}, which others insist on`);
}

function tlsIfAny(
  env: Env,
  names: { readonly ca: string; readonly cert: string; readonly key: string },
): TlsFiles | undefined {
  const isSet = Object.values(names).some((name) => env.optional(name) !== undefined);
  return isSet ? tlsSettings(env, names) : undefined;
}
