/**
 * The RSA key that signs tokens.
 *
 * With a file it is the same after a restart, and tokens stay good; without one it is made at each
 * start. Its id is the thumbprint of its public half (RFC 7638), so readers that keep keys by id
 * never mistake one for another.
 */

import { createPrivateKey, createPublicKey, generateKeyPair, type KeyObject } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { calculateJwkThumbprint, exportJWK } from 'jose';

const BITS = 2048;
const ALGORITHM = 'RS256';

export interface SigningKey {
  readonly id: string;
  readonly algorithm: typeof ALGORITHM;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  /** The public half as UAA shows it: as numbers, and as PEM. */
  readonly shown: Readonly<Record<string, string>>;
}

/** A key file that holds no key for RS256. */
export class KeyFileError extends Error {
  readonly file: string;

  constructor(file: string, reason: string, options?: ErrorOptions) {
    super(`${file}: ${reason}`, options);
    this.name = 'KeyFileError';
    this.file = file;
  }
}

/** The key in the file, which is made if it is missing; a new one, if there is to be no file. */
export async function openSigningKey(file: string): Promise<SigningKey> {
  return signingKeyOf(file === '' ? await newKey() : await keyIn(file));
}

async function newKey(): Promise<KeyObject> {
  const { privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: BITS });
  return privateKey;
}

async function keyIn(file: string): Promise<KeyObject> {
  const kept = await contentOf(file);
  if (kept !== undefined) return parsed(file, kept);
  const key = await newKey();
  const pem = key.export({ type: 'pkcs8', format: 'pem' });
  try {
    await writeFile(file, pem, { mode: 0o600, flag: 'wx' });
  } catch (error) {
    throw new KeyFileError(file, 'cannot be made', { cause: error });
  }
  return key;
}

async function contentOf(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw new KeyFileError(file, 'cannot be read', { cause: error });
  }
}

function parsed(file: string, pem: string): KeyObject {
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch (error) {
    throw new KeyFileError(file, 'holds no private key in PEM', { cause: error });
  }
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
  if (key.asymmetricKeyType === 'rsa' && bits >= BITS) return key;
  throw new KeyFileError(file, `must hold an RSA key of at least ${BITS} bits`);
}

async function signingKeyOf(privateKey: KeyObject): Promise<SigningKey> {
  const publicKey = createPublicKey(privateKey);
  const { n = '', e = '' } = await exportJWK(publicKey);
  const id = await calculateJwkThumbprint({ kty: 'RSA', n, e });
  const value = publicKey.export({ type: 'spki', format: 'pem' }).toString().trimEnd();
  return {
    id,
    algorithm: ALGORITHM,
    privateKey,
    publicKey,
    shown: { kty: 'RSA', e, use: 'sig', kid: id, alg: ALGORITHM, value, n },
  };
}
