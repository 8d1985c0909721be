/**
 * Certificates from files, checked when a process starts and not at the first handshake.
 *
 * A file that is missing, no PEM, out of its validity or not of its key is a TlsError that names
 * the file, and the date where that is what is wrong.
 */

import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Env } from './env.ts';

/** Paths of a certificate and its key. */
export interface KeyPairFiles {
  readonly cert: string;
  readonly key: string;
}

/** Paths of what mutual TLS needs. */
export interface TlsFiles extends KeyPairFiles {
  readonly ca: string;
}

/** PEM. */
export interface KeyPair {
  readonly cert: Buffer;
  readonly key: Buffer;
}

/** PEM. */
export interface Tls extends KeyPair {
  readonly ca: Buffer;
}

export class TlsError extends Error {
  readonly file: string;

  constructor(file: string, reason: string, options?: ErrorOptions) {
    super(`${file}: ${reason}`, options);
    this.name = 'TlsError';
    this.file = file;
  }
}

/** The files that three variables name; all three must be set. */
export function tlsSettings(env: Env, names: TlsFiles): TlsFiles {
  return {
    ca: env.text(names.ca, {}),
    cert: env.text(names.cert, {}),
    key: env.text(names.key, {}),
  };
}

/** Reads what mutual TLS needs. Throws a TlsError. */
export function readTls(files: TlsFiles, now: number = Date.now()): Tls {
  const ca = readFile(files.ca);
  // A bundle may still hold the authority of before the last rotation: one that is valid will do.
  const authorities = certificatesOf(files.ca, ca);
  const [first] = authorities;
  if (first !== undefined && !authorities.some((authority) => isValidAt(authority, now))) {
    checkDates(files.ca, first, now);
  }
  return { ca, ...readKeyPair(files, now) };
}

/** Reads a server's certificate and key, for a listener that asks its clients for none. */
export function readKeyPair(files: KeyPairFiles, now: number = Date.now()): KeyPair {
  const cert = readFile(files.cert);
  const key = readFile(files.key);
  const [leaf] = certificatesOf(files.cert, cert);
  if (leaf === undefined) throw new TlsError(files.cert, 'holds no PEM certificate');
  checkDates(files.cert, leaf, now);
  if (!leaf.checkPrivateKey(privateKeyOf(files.key, key))) {
    throw new TlsError(files.key, `is not the key of the certificate in ${files.cert}`);
  }
  return { cert, key };
}

function readFile(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code; // What readFileSync throws.
    const reason = code === 'ENOENT' ? 'does not exist' : `cannot be read (${code})`;
    throw new TlsError(file, reason, { cause: error });
  }
}

function certificatesOf(file: string, pem: Buffer): readonly X509Certificate[] {
  const blocks = pem
    .toString('latin1')
    .match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g);
  if (blocks === null) throw new TlsError(file, 'holds no PEM certificate');
  return blocks.map((block) => {
    try {
      return new X509Certificate(block);
    } catch (error) {
      throw new TlsError(file, 'holds a PEM certificate that cannot be read', { cause: error });
    }
  });
}

function privateKeyOf(file: string, pem: Buffer): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch (error) {
    throw new TlsError(file, 'holds no PEM private key', { cause: error });
  }
}

function isValidAt(certificate: X509Certificate, now: number): boolean {
  return Date.parse(certificate.validFrom) <= now && now <= Date.parse(certificate.validTo);
}

function checkDates(file: string, certificate: X509Certificate, now: number): void {
  const { validFrom, validTo } = certificate;
  if (Date.parse(validFrom) > now) {
    throw new TlsError(file, `the certificate is not valid before ${isoDate(validFrom)}`);
  }
  if (Date.parse(validTo) < now) {
    throw new TlsError(file, `the certificate expired on ${isoDate(validTo)}`);
  }
}

function isoDate(text: string): string {
  return new Date(Date.parse(text)).toISOString();
}
