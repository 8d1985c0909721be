/** The settings of the original's cf-auth-proxy, for whoever plays its part. */

import type { Env } from '@standpipe/plumbing';

export interface AccessSettings {
  /** UAA_ADDR: where tokens come from; `http://` or `https://`, host and port. */
  readonly uaaUrl: string;
  /** UAA_CA_PATH: the authority of its certificate; '' is the system's. */
  readonly uaaCaFile: string;
  /** UAA_CLIENT_ID and UAA_CLIENT_SECRET: who asks for its keys; nobody in particular without both. */
  readonly uaaClient: string;
  readonly uaaSecret: string;
  /** CAPI_ADDR: where Cloud Controller answers. */
  readonly capiUrl: string;
  /** CAPI_CA_PATH: the authority of its certificate; '' is the system's. */
  readonly capiCaFile: string;
  /** CAPI_COMMON_NAME: the name in its certificate; '' is its host. */
  readonly capiServerName: string;
  /** SKIP_CERT_VERIFY: believe any certificate of the two. */
  readonly skipVerify: boolean;
  /** CACHE_EXPIRATION_INTERVAL: how long Cloud Controller's yes is kept. */
  readonly allowedMs: number;
  /** PROMQL_UNIMPLEMENTED: queries are answered 501. */
  readonly promQlUnimplemented: boolean;
}

export interface SecurityLogSettings {
  /** SECURITY_EVENT_LOG: the access log's file; '' is none. */
  readonly file: string;
  /** INTERNAL_IP: this machine, as the access log names it. */
  readonly ip: string;
}

/** Settings of the cf-auth-proxy that its original reads and never uses. */
export const ACCESS_UNUSED: readonly string[] = ['TOKEN_PRUNING_INTERVAL'];

/** Undefined, if neither UAA nor Cloud Controller is set: everybody may read. */
export function accessSettings(env: Env): AccessSettings | undefined {
  const settings: AccessSettings = {
    uaaUrl: urlIn(env, 'UAA_ADDR'),
    uaaCaFile: env.text('UAA_CA_PATH', { fallback: '' }),
    uaaClient: env.text('UAA_CLIENT_ID', { fallback: '' }),
    uaaSecret: env.text('UAA_CLIENT_SECRET', { fallback: '' }),
    capiUrl: urlIn(env, 'CAPI_ADDR'),
    capiCaFile: env.text('CAPI_CA_PATH', { fallback: '' }),
    capiServerName: env.text('CAPI_COMMON_NAME', { fallback: '' }),
    skipVerify: env.flag('SKIP_CERT_VERIFY', { fallback: false }),
    allowedMs: env.duration('CACHE_EXPIRATION_INTERVAL', {
      fallback: '1m',
      min: '100ms',
      max: '1h',
    }),
    promQlUnimplemented: env.flag('PROMQL_UNIMPLEMENTED', { fallback: false }),
  };
  const { uaaUrl, capiUrl } = settings;
  if (uaaUrl !== '' && capiUrl !== '') return settings;
  if (uaaUrl !== capiUrl) {
    const missing = uaaUrl === '' ? 'UAA_ADDR' : 'CAPI_ADDR';
    env.mistake(missing, 'must be set when the other of UAA_ADDR and CAPI_ADDR is');
  }
  return undefined;
}

export function securityLogSettings(env: Env): SecurityLogSettings {
  return {
    file: env.text('SECURITY_EVENT_LOG', { fallback: '' }),
    ip: env.text('INTERNAL_IP', { fallback: '0.0.0.0' }),
  };
}

function urlIn(env: Env, name: string): string {
  const value = env.text(name, { fallback: '' });
  if (value !== '' && !/^https?:\/\/[^/?#]+\/?$/.test(value)) {
    env.mistake(name, 'must be http:// or https://, a host and a port');
  }
  return value;
}
