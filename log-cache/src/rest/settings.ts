/** What a process is told that serves the REST API: where, with which certificate, and to whom. */

import { type Env, isLoopback, type KeyPairFiles, parseAddress } from '@standpipe/plumbing';
import {
  type AccessSettings,
  accessSettings,
  type SecurityLogSettings,
  securityLogSettings,
} from '../access/settings.ts';

export interface RestSettings {
  /** `host:port`; '' is nowhere. */
  readonly address: string;
  /** HTTPS and HTTP/2 with it, else plain HTTP, on loopback only. */
  readonly certificate: KeyPairFiles | undefined;
  /** Undefined: everybody may read. */
  readonly access: AccessSettings | undefined;
  readonly securityLog: SecurityLogSettings;
}

/** What is on this machine alone may do without tokens; other processes are told where to listen. */
export function restSettings(
  env: Env,
  names: {
    /** The variable of the address, */
    readonly address: string;
    /** and those of certificates, the first of which that is set is taken. */
    readonly certificates: readonly { readonly cert: string; readonly key: string }[];
    /** Whether the address must be set. */
    readonly required?: boolean;
    /** Whether others may come without a token, if there is a certificate. */
    readonly openToOthers?: boolean;
  },
): RestSettings {
  const address = env.address(names.address, {
    ...(names.required === true ? {} : { fallback: '' }),
    listen: true,
  });
  const certificates = names.certificates.map((one) => certificateIn(env, one));
  const settings: RestSettings = {
    address,
    certificate: certificates.find((one) => one !== undefined),
    access: accessSettings(env),
    securityLog: securityLogSettings(env),
  };
  const isNear = address === '' || isLoopback(parseAddress(address)?.host ?? '');
  if (!isNear && settings.access === undefined && names.openToOthers !== true) {
    env.mistake(
      names.address,
      `is ${address}, but there is no access control: without UAA_ADDR and CAPI_ADDR it must be a loopback address such as 127.0.0.1`,
    );
  }
  return settings;
}

function certificateIn(
  env: Env,
  names: { readonly cert: string; readonly key: string },
): KeyPairFiles | undefined {
  const cert = env.optional(names.cert);
  const key = env.optional(names.key);
  if (cert !== undefined && key !== undefined) return { cert, key };
  if (cert !== key) {
    const [missing, other] = cert === undefined ? [names.cert, names.key] : [names.key, names.cert];
    env.mistake(missing, `must be set when ${other} is`);
  }
  return undefined;
}
