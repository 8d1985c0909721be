/**
 * A certificate authority for local runs and tests.
 *
 * `ensureCertificates` leaves in a folder `ca.crt`, and for each name `NAME.crt` and `NAME.key`.
 * What is there and still valid for a week stays as it is. The authority's own key is kept in
 * `ca.key`, readable for this user only, as are all keys; whoever has it can pose as any of the
 * processes, so this is nothing for a deployment that others can reach.
 */

import { createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdir, open, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { Issuer } from './issuer.ts';

export type CertificateName = string | { readonly name: string; readonly dns: readonly string[] };

const RENEW_MS = 7 * 24 * 60 * 60 * 1000;

const LOCK_STEP_MS = 50;
const LOCK_STALE_MS = 60_000;

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
  authority: Issuer,
  entry: CertificateName,
): Promise<void> {
  const { name, dns } = typeof entry === 'string' ? { name: entry, dns: [] } : entry;
  const hosts = [...new Set([name, ...dns, 'localhost'])];
  const present = await readText(join(folder, `${name}.crt`));
  const presentKey = await readText(join(folder, `${name}.key`));
  if (present !== undefined && presentKey !== undefined) {
    if (fits(present, presentKey, hosts, authority)) return;
  }

  const { cert, key } = await authority.issue({ name, hosts });
  await writeKey(join(folder, `${name}.key`), key);
  await writeFile(join(folder, `${name}.crt`), cert);
}

async function readAuthority(folder: string): Promise<Issuer | undefined> {
  const cert = await readText(join(folder, 'ca.crt'));
  const key = await readText(join(folder, 'ca.key'));
  if (cert === undefined || key === undefined || lasting(cert, key) === undefined) return undefined;
  return Issuer.from({ cert, key });
}

async function makeAuthority(folder: string): Promise<Issuer> {
  const authority = await Issuer.create('standpipe-local-ca');
  await writeKey(join(folder, 'ca.key'), await authority.key());
  await writeFile(join(folder, 'ca.crt'), authority.cert);
  return authority;
}

/** Whether a certificate can stay: of this authority, for these hosts, and for a while yet. */
function fits(pem: string, keyPem: string, hosts: readonly string[], authority: Issuer): boolean {
  const certificate = lasting(pem, keyPem);
  if (certificate === undefined) return false;
  const ca = new X509Certificate(authority.cert);
  return (
    certificate.verify(ca.publicKey) && hosts.every((host) => certificate.checkHost(host) === host)
  );
}

/** The certificate, if it can be read, is of its key and lasts; else it is made anew. */
function lasting(pem: string, keyPem: string): X509Certificate | undefined {
  try {
    const certificate = new X509Certificate(pem);
    if (!certificate.checkPrivateKey(createPrivateKey(keyPem))) return undefined;
    return Date.parse(certificate.validTo) > Date.now() + RENEW_MS ? certificate : undefined;
  } catch {
    return undefined; // No PEM: a start that was killed may have left half a file.
  }
}

async function writeKey(file: string, pem: string): Promise<void> {
  await writeFile(file, pem, { mode: 0o600 });
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
