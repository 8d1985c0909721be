/**
 * Whether what stands in PEM files will do: certificates that can be read, in their validity, and
 * of their key. What will not is a TlsError that names the file, and the date where that is what
 * is wrong; so a process says it when it starts, and not at the first handshake.
 *
 * As in Loggregator v107.0.21, a file of authorities counts by those of its CERTIFICATE blocks
 * that have no headers and can be read. Whatever else is in it is passed over.
 */

import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';

/** Paths: of authorities, or of a certificate and its key, or of all three. */
export interface PemFiles {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

/** What stands in them. */
export interface Pem {
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
}

/** PEM that will do, and the certificate of it that is the first to end. */
export interface CheckedPem {
  readonly pem: Pem;
  readonly file: string;
  readonly expiresAt: number;
}

export class TlsError extends Error {
  readonly file: string;

  constructor(file: string, reason: string, options?: ErrorOptions) {
    super(`${file}: ${reason}`, options);
    this.name = 'TlsError';
    this.file = file;
  }
}

/** What readFile threw, in words. */
export function unreadable(file: string, error: unknown): TlsError {
  const code = (error as NodeJS.ErrnoException).code; // What readFile throws.
  const reason = code === 'ENOENT' ? 'does not exist' : `cannot be read (${code})`;
  return new TlsError(file, reason, { cause: error });
}

/** Checks what was read. Throws a TlsError. */
export function checkPem(files: PemFiles, read: Pem, now: number): CheckedPem {
  const authorities = checkAuthorities(files, read, now);
  const identity = checkIdentity(files, read, now);
  const [first, second] = [authorities, identity].filter((checked) => checked !== undefined);
  if (first === undefined) throw new TlsError('no file', 'none was named');
  const pem = { ...first.pem, ...second?.pem };
  try {
    createSecureContext(pem); // OpenSSL has a last word, on weak keys for example.
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new TlsError(files.cert ?? first.file, reason, { cause: error });
  }
  const soonest = second !== undefined && second.expiresAt < first.expiresAt ? second : first;
  return { ...soonest, pem };
}

/** A bundle may still hold the authority of before the last rotation: one that is valid will do. */
function checkAuthorities(files: PemFiles, read: Pem, now: number): CheckedPem | undefined {
  if (files.ca === undefined || read.ca === undefined) return undefined;
  const file = files.ca;
  const authorities: X509Certificate[] = [];
  for (const block of certificateBlocks(read.ca)) {
    try {
      authorities.push(new X509Certificate(block));
    } catch {
      // Passed over, as said above.
    }
  }
  const [first] = authorities;
  if (first === undefined) throw new TlsError(file, 'holds no PEM certificate');
  if (!authorities.some((authority) => isValidAt(authority, now))) checkDates(file, first, now);
  return {
    pem: { ca: Buffer.from(authorities.map(String).join('')) },
    file,
    expiresAt: Math.max(...authorities.map(({ validTo }) => Date.parse(validTo))),
  };
}

function checkIdentity(files: PemFiles, read: Pem, now: number): CheckedPem | undefined {
  const { cert: file, key: keyFile } = files;
  if (file === undefined || keyFile === undefined) return undefined;
  if (read.cert === undefined || read.key === undefined) return undefined;
  const leaf = leafOf(file, read.cert);
  checkDates(file, leaf, now);
  if (!leaf.checkPrivateKey(privateKeyOf(keyFile, read.key))) {
    throw new TlsError(keyFile, `is not the key of the certificate in ${file}`);
  }
  return { pem: { cert: read.cert, key: read.key }, file, expiresAt: Date.parse(leaf.validTo) };
}

function leafOf(file: string, pem: Buffer): X509Certificate {
  const [leaf] = certificateBlocks(pem);
  if (leaf === undefined) throw new TlsError(file, 'holds no PEM certificate');
  try {
    return new X509Certificate(leaf);
  } catch (error) {
    throw new TlsError(file, 'holds a PEM certificate that cannot be read', { cause: error });
  }
}

/** CERTIFICATE blocks without headers. */
function certificateBlocks(pem: Buffer): readonly string[] {
  const blocks = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g;
  return pem.toString('latin1').match(blocks) ?? [];
}

function privateKeyOf(file: string, pem: Buffer): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch (error) {
    const isEncrypted = /ENCRYPTED/.test(pem.toString('latin1'));
    const reason = isEncrypted ? 'holds a key that is encrypted' : 'holds no PEM private key';
    throw new TlsError(file, reason, { cause: error });
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
