/**
 * A certificate authority for local runs and tests.
 *
 * `ensureCertificates` leaves in a folder `ca.crt`, and for each name `NAME.crt` and `NAME.key`.
 * What is there and still valid for a week stays as it is. The authority's own key is kept in
 * `ca.key`, readable for this user only, as are all keys; whoever has it can pose as any of the
 * processes, so this is nothing for a deployment that others can reach.
 */

import 'reflect-metadata';
import { createPrivateKey, X509Certificate as NodeCertificate, webcrypto } from 'node:crypto';
import { mkdir, open, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import * as x509 from '@peculiar/x509';

export type CertificateName = string | { readonly name: string; readonly dns: readonly string[] };

const DAY_MS = 24 * 60 * 60 * 1000;
const VALID_MS = 365 * DAY_MS;
const RENEW_MS = 7 * DAY_MS;
/** Clocks differ; a certificate is valid from a little before it was made. */
const SKEW_MS = 60 * 60 * 1000;

const LOCK_STEP_MS = 50;
const LOCK_STALE_MS = 60_000;

const ALGORITHM = {
  name: 'RSASSA-PKCS1-v1_5',
  hash: 'SHA-256',
  publicExponent: new Uint8Array([1, 0, 1]),
  modulusLength: 2048,
};

interface Authority {
  readonly certificate: x509.X509Certificate;
  readonly key: webcrypto.CryptoKey;
}

export async function ensureCertificates(
  folder: string,
  names: readonly CertificateName[],
): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const unlock = await lock(join(folder, 'lock'));
  try {
    const authority = (await readAuthority(folder)) ?? (await makeAuthority(folder));
    await Promise.all(names.map((name) => ensureCertificate(folder, authority, name)));
  } finally {
    await unlock();
  }
}

/**
 * Two pipelines may be started at once for the first time: one makes the certificates, the other
 * waits. A lock whose holder died is taken over once it is older than anybody needs it.
 */
async function lock(file: string): Promise<() => Promise<void>> {
  for (;;) {
    try {
      await (await open(file, 'wx')).close();
      return () => rm(file, { force: true });
    } catch (error) {
      if (!isErrno(error, 'EEXIST')) throw error;
    }
    const age = await stat(file).then(
      ({ mtimeMs }) => Date.now() - mtimeMs,
      () => 0, // It is gone: try again.
    );
    if (age > LOCK_STALE_MS) await rm(file, { force: true });
    else await wait(LOCK_STEP_MS);
  }
}

async function ensureCertificate(
  folder: string,
  authority: Authority,
  entry: CertificateName,
): Promise<void> {
  const { name, dns } = typeof entry === 'string' ? { name: entry, dns: [] } : entry;
  const hosts = [...new Set([name, ...dns, 'localhost'])];
  const present = await readText(join(folder, `${name}.crt`));
  const key = await readText(join(folder, `${name}.key`));
  if (present !== undefined && key !== undefined && fits(present, key, hosts, authority)) return;

  const keys = await generateKeys();
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: `CN=${name}`,
    issuer: authority.certificate.subject,
    ...validity(),
    signingKey: authority.key,
    publicKey: keys.publicKey,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new x509.BasicConstraintsExtension(false),
      new x509.KeyUsagesExtension(
        x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyEncipherment,
      ),
      new x509.ExtendedKeyUsageExtension([
        x509.ExtendedKeyUsage.serverAuth,
        x509.ExtendedKeyUsage.clientAuth,
      ]),
      new x509.SubjectAlternativeNameExtension([
        ...hosts.map((host) => ({ type: 'dns' as const, value: host })),
        { type: 'ip' as const, value: '127.0.0.1' },
      ]),
    ],
  });
  await writeKey(join(folder, `${name}.key`), keys.privateKey);
  await writeFile(join(folder, `${name}.crt`), `${certificate.toString('pem')}\n`);
}

async function readAuthority(folder: string): Promise<Authority | undefined> {
  const certificatePem = await readText(join(folder, 'ca.crt'));
  const keyPem = await readText(join(folder, 'ca.key'));
  if (
    certificatePem === undefined ||
    keyPem === undefined ||
    lasting(certificatePem, keyPem) === undefined
  )
    return undefined;
  const der = x509.PemConverter.decodeFirst(keyPem);
  return {
    certificate: new x509.X509Certificate(certificatePem),
    key: await webcrypto.subtle.importKey('pkcs8', der, ALGORITHM, true, ['sign']),
  };
}

async function makeAuthority(folder: string): Promise<Authority> {
  const keys = await generateKeys();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: 'CN=standpipe-local-ca',
    ...validity(),
    keys,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(
        x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign,
        true,
      ),
    ],
  });
  await writeKey(join(folder, 'ca.key'), keys.privateKey);
  await writeFile(join(folder, 'ca.crt'), `${certificate.toString('pem')}\n`);
  return { certificate, key: keys.privateKey };
}

/** Whether a certificate can stay: of this authority, for these hosts, and for a while yet. */
function fits(
  pem: string,
  keyPem: string,
  hosts: readonly string[],
  authority: Authority,
): boolean {
  const certificate = lasting(pem, keyPem);
  if (certificate === undefined) return false;
  const ca = new NodeCertificate(authority.certificate.toString('pem'));
  return (
    certificate.verify(ca.publicKey) && hosts.every((host) => certificate.checkHost(host) === host)
  );
}

/** The certificate, if it can be read, is of its key and lasts; else it is made anew. */
function lasting(pem: string, keyPem: string): NodeCertificate | undefined {
  try {
    const certificate = new NodeCertificate(pem);
    if (!certificate.checkPrivateKey(createPrivateKey(keyPem))) return undefined;
    return Date.parse(certificate.validTo) > Date.now() + RENEW_MS ? certificate : undefined;
  } catch {
    return undefined; // No PEM: a start that was killed may have left half a file.
  }
}

function validity(): { notBefore: Date; notAfter: Date } {
  const now = Date.now();
  return { notBefore: new Date(now - SKEW_MS), notAfter: new Date(now + VALID_MS) };
}

function serialNumber(): string {
  // A leading 01 keeps the number positive.
  return `01${Buffer.from(webcrypto.getRandomValues(new Uint8Array(15))).toString('hex')}`;
}

function generateKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
}

async function writeKey(file: string, key: webcrypto.CryptoKey): Promise<void> {
  const der = await webcrypto.subtle.exportKey('pkcs8', key);
  await writeFile(file, `${x509.PemConverter.encode(der, 'PRIVATE KEY')}\n`, { mode: 0o600 });
}

async function readText(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined; // Not made yet.
    throw error;
  }
}

function isErrno(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
