/**
 * Which TLS is spoken: 1.2 and 1.3, and under 1.2 only the two suites that all of Loggregator
 * v107.0.21 has. Under 1.3 its own suites stay; both sides have them all.
 *
 * Suites go by their names in RFC 5289, as in the original's settings.
 */

import type { SecureVersion } from 'node:tls';
import type { Env } from './env.ts';
import type { Log } from './log.ts';

const MIN_VERSION: SecureVersion = 'TLSv1.2';
const MAX_VERSION: SecureVersion = 'TLSv1.3';

/** The suites of TLS 1.2 by their names, and what OpenSSL calls them. */
const SUITES: ReadonlyMap<string, string> = new Map([
  ['TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384', 'ECDHE-RSA-AES256-GCM-SHA384'],
  ['TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256', 'ECDHE-RSA-AES128-GCM-SHA256'],
]);

const SUITES_OF_1_3: readonly string[] = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
];

/** A setting's suites: what of them is known, and what is not. */
export interface CipherSuites {
  readonly allowed: readonly string[];
  readonly unknown: readonly string[];
}

/** Names between commas or colons. Unset is both; names that are unknown are left out. */
export function suitesSetting(env: Env, name: string): CipherSuites | undefined {
  const names = (env.optional(name) ?? '')
    .split(/[,:]/)
    .map((part) => part.trim())
    .filter((part) => part !== '');
  if (names.length === 0) return undefined;
  const allowed = names.filter((suite) => SUITES.has(suite));
  if (allowed.length === 0) {
    env.mistake(name, `must name one of ${[...SUITES.keys()].join(', ')}`);
  }
  return { allowed, unknown: names.filter((suite) => !SUITES.has(suite)) };
}

/** Says which names of a setting stood for nothing. */
export function warnOfUnknown(suites: CipherSuites | undefined, log: Log): void {
  if (suites === undefined || suites.unknown.length === 0) return;
  const { allowed, unknown } = suites;
  log.warn({ unknown, allowed }, 'cipher suites of unknown names are passed over');
}

/** Versions and suites, as node:tls takes them. */
export function protocolOptions(suites?: CipherSuites): {
  readonly minVersion: SecureVersion;
  readonly maxVersion: SecureVersion;
  readonly ciphers: string;
} {
  const names = [...SUITES].filter(([name]) => suites?.allowed.includes(name) ?? true);
  const ciphers = [...SUITES_OF_1_3, ...names.map(([, openSsl]) => openSsl)].join(':');
  return { minVersion: MIN_VERSION, maxVersion: MAX_VERSION, ciphers };
}
