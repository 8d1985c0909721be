/**
 * Makes certificates: an authority's own, and those that it signs. Nothing is written here; for
 * files see authority.ts.
 *
 * An RSA key of 2048 bits takes about 0.2 s of a thread of Node's pool.
 */

import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';

const DAY_MS = 24 * 60 * 60 * 1000;
const VALID_MS = 365 * DAY_MS;
/** Clocks differ; a certificate is valid from a little before it was made. */
const SKEW_MS = 60 * 60 * 1000;

const RSA = {
  name: 'RSASSA-PKCS1-v1_5',
  hash: 'SHA-256',
  publicExponent: new Uint8Array([1, 0, 1]),
  modulusLength: 2048,
};
const ECDSA = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

const USES = {
  server: x509.ExtendedKeyUsage.serverAuth,
  client: x509.ExtendedKeyUsage.clientAuth,
} as const;

/** PEM. */
export interface Issued {
  readonly cert: string;
  readonly key: string;
}

export interface Validity {
  /** Milliseconds since 1970. Default: an hour ago. */
  readonly notBefore?: number;
  /** Default: in a year. */
  readonly notAfter?: number;
}

export interface IssueOptions extends Validity {
  /** The subject's common name. */
  readonly name: string;
  /** The names of hosts that it may be asked for by, besides 127.0.0.1. */
  readonly hosts: readonly string[];
  /** What it may be used for. Default: both. */
  readonly uses?: readonly ('server' | 'client')[];
  /** Default: RSA, which TLS 1.2 needs of our servers. */
  readonly algorithm?: 'rsa' | 'ecdsa';
}

export class Issuer {
  readonly #certificate: x509.X509Certificate;
  readonly #key: webcrypto.CryptoKey;

  private constructor(certificate: x509.X509Certificate, key: webcrypto.CryptoKey) {
    this.#certificate = certificate;
    this.#key = key;
  }

  /** Makes an authority of its own key. */
  static async create(name: string, validity: Validity = {}): Promise<Issuer> {
    const keys = await generateKeys(RSA);
    const certificate = await x509.X509CertificateGenerator.createSelfSigned({
      serialNumber: serialNumber(),
      name: `CN=${name}`,
      ...datesOf(validity),
      keys,
      signingAlgorithm: RSA,
      extensions: [
        new x509.BasicConstraintsExtension(true, undefined, true),
        new x509.KeyUsagesExtension(
          x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign,
          true,
        ),
      ],
    });
    return new Issuer(certificate, keys.privateKey);
  }

  /** An authority that was made before. */
  static async from({ cert, key }: Issued): Promise<Issuer> {
    const der = x509.PemConverter.decodeFirst(key);
    return new Issuer(
      new x509.X509Certificate(cert),
      await webcrypto.subtle.importKey('pkcs8', der, RSA, true, ['sign']),
    );
  }

  /** Its certificate, in PEM. */
  get cert(): string {
    return `${this.#certificate.toString('pem')}\n`;
  }

  /** Its key, in PEM. */
  key(): Promise<string> {
    return pemOf(this.#key);
  }

  /** Signs a certificate for a key that it makes. */
  async issue(options: IssueOptions): Promise<Issued> {
    const { name, hosts, uses = ['server', 'client'], algorithm = 'rsa' } = options;
    const keys = await generateKeys(algorithm === 'rsa' ? RSA : ECDSA);
    const certificate = await x509.X509CertificateGenerator.create({
      serialNumber: serialNumber(),
      subject: `CN=${name}`,
      issuer: this.#certificate.subject,
      ...datesOf(options),
      signingKey: this.#key,
      publicKey: keys.publicKey,
      signingAlgorithm: RSA,
      extensions: [
        new x509.BasicConstraintsExtension(false),
        new x509.KeyUsagesExtension(
          x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyEncipherment,
        ),
        new x509.ExtendedKeyUsageExtension(uses.map((use) => USES[use])),
        new x509.SubjectAlternativeNameExtension([
          ...hosts.map((host) => ({ type: 'dns' as const, value: host })),
          { type: 'ip' as const, value: '127.0.0.1' },
        ]),
      ],
    });
    return { cert: `${certificate.toString('pem')}\n`, key: await pemOf(keys.privateKey) };
  }
}

function datesOf({ notBefore, notAfter }: Validity): { notBefore: Date; notAfter: Date } {
  const now = Date.now();
  return {
    notBefore: new Date(notBefore ?? now - SKEW_MS),
    notAfter: new Date(notAfter ?? now + VALID_MS),
  };
}

function serialNumber(): string {
  // A leading 01 keeps the number positive.
  return `01${Buffer.from(webcrypto.getRandomValues(new Uint8Array(15))).toString('hex')}`;
}

function generateKeys(algorithm: typeof RSA | typeof ECDSA): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
}

async function pemOf(key: webcrypto.CryptoKey): Promise<string> {
  const der = await webcrypto.subtle.exportKey('pkcs8', key);
  return `${x509.PemConverter.encode(der, 'PRIVATE KEY')}\n`;
}
