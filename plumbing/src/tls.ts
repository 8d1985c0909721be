/**
 * Certificates from files, for whoever listens or dials.
 *
 * What is read here knows its files: listeners and dialers follow them while they are open, so that
 * new connections have the new certificates while those that live stay as they are.
 */

import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls';
import type { Pem, PemFiles } from './certificates.ts';
import { type CipherSuites, protocolOptions, suitesSetting } from './cipher-suites.ts';
import type { Env } from './env.ts';
import { TlsSource, type TlsSourceOptions } from './tls-source.ts';

/** Paths of a certificate and its key. */
export interface KeyPairFiles {
  readonly cert: string;
  readonly key: string;
}

/** Paths of what mutual TLS needs. */
export interface TlsFiles extends KeyPairFiles {
  readonly ca: string;
  /** What of TLS 1.2's suites a listener takes. Undefined: both. */
  readonly suites?: CipherSuites;
}

/** PEM, and the files that it came from; without them it stays as it is. */
export interface Authorities {
  readonly ca: Buffer;
  readonly source?: TlsSource;
}

/** PEM, likewise. */
export interface KeyPair {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly source?: TlsSource;
}

/** PEM, likewise. */
export interface Tls extends Authorities, KeyPair {
  readonly suites?: CipherSuites;
}

/** The files that variables name, all of which must be set; suites may be. */
export function tlsSettings(
  env: Env,
  names: {
    readonly ca: string;
    readonly cert: string;
    readonly key: string;
    readonly suites?: string;
  },
): TlsFiles {
  const suites = names.suites === undefined ? undefined : suitesSetting(env, names.suites);
  return {
    ca: env.text(names.ca, {}),
    cert: env.text(names.cert, {}),
    key: env.text(names.key, {}),
    ...(suites && { suites }),
  };
}

/** Reads what mutual TLS needs. Throws a TlsError. */
export function readTls(files: TlsFiles, options: TlsSourceOptions = {}): Tls {
  const { ca, cert, key, suites } = files;
  const tls = live<Tls>({ ca, cert, key }, options);
  return suites === undefined ? tls : Object.assign(tls, { suites });
}

/** Reads a server's certificate and key, for a listener that asks its clients for none. */
export function readKeyPair({ cert, key }: KeyPairFiles, options: TlsSourceOptions = {}): KeyPair {
  return live<KeyPair>({ cert, key }, options);
}

/** Reads the authorities that a client believes who brings no certificate of its own. */
export function readAuthorities(ca: string, options: TlsSourceOptions = {}): Authorities {
  return live<Authorities>({ ca }, options);
}

/**
 * What was read, as something that says what the files said last. A copy of it stays as it is, for
 * the source is not copied.
 */
function live<T extends { readonly source?: TlsSource }>(
  files: PemFiles,
  options: TlsSourceOptions,
): T {
  const source = new TlsSource(files, options);
  const tls = {};
  for (const part of Object.keys(files) as (keyof PemFiles)[]) {
    Object.defineProperty(tls, part, { enumerable: true, get: () => source.pem[part] });
  }
  return Object.defineProperty(tls, 'source', { value: source }) as T; // It has what files have.
}

/** What TLS is spoken with, as node:tls takes it. */
export function contextOptions(pem: Pem, suites?: CipherSuites): SecureContextOptions {
  const { ca, cert, key } = pem;
  return {
    ...(ca && { ca }),
    ...(cert && { cert }),
    ...(key && { key }),
    ...protocolOptions(suites),
  };
}

/** What clients speak TLS with. */
export interface ClientContext extends Disposable {
  /** For `tls.connect`, an `https.Agent`, and whatever else takes one. */
  readonly secureContext: SecureContext;
}

/** A client's context whose new connections go by what the files say, until it is disposed of. */
export function clientContext(tls: Authorities | KeyPair | Tls): ClientContext {
  const secureContext = createSecureContext(contextOptions(tls));
  const following = tls.source?.follow((pem) => {
    // A connection takes what stands here when it is made, and never looks at it again.
    secureContext.context = createSecureContext(contextOptions(pem)).context;
  });
  return { secureContext, [Symbol.dispose]: () => following?.[Symbol.dispose]() };
}
