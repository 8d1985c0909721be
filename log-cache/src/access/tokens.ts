/**
 * Whose request it is, by a token that is looked at here and nowhere else.
 *
 * A token is a JWT that UAA signed with RS256 or HS256, by a key whose id it names; of its claims
 * only `exp` decides whether it is good, as in log-cache-release v3.2.0. One that was revoked is good
 * until then. What a signature said is remembered for TOKENS_MAX tokens, as long as the key stays, for
 * clients ask four times a second with the same one.
 */

import { createHash, type KeyObject } from 'node:crypto';
import type { Clock, Counter } from '@standpipe/plumbing';
import { compactVerify, decodeProtectedHeader, errors } from 'jose';
import { fieldsIn } from './answers.ts';
import { ExpiringMap } from './expiring-map.ts';
import type { TokenKeys } from './token-keys.ts';

const ADMIN_SCOPES: readonly string[] = ['doppler.firehose', 'logs.admin'];
const TOKEN_LENGTH_MAX = 16_384;
const SUBJECT_LENGTH_MAX = 256;
const TOKENS_MAX = 10_000;
const REMEMBERED_MS = 600_000;

/** Somebody with a good token. */
export interface Identity {
  readonly token: string;
  /** Stands for the token where one is remembered. */
  readonly digest: string;
  /** Whom it speaks for: the user, or the client that got it for itself. */
  readonly subject: string;
  /** Whether it may read every source. */
  readonly isAdmin: boolean;
}

interface Verified {
  readonly keyId: string;
  readonly key: KeyObject;
  readonly expiresAtMs: number;
  readonly isAdmin: boolean;
  readonly subject: string | undefined;
}

export interface TokensOptions {
  readonly keys: TokenKeys;
  readonly clock: Clock;
  readonly evictions: Counter;
}

export class Tokens {
  readonly #options: TokensOptions;
  readonly #verified: ExpiringMap<Verified>;

  constructor(options: TokensOptions) {
    this.#options = options;
    const { clock, evictions } = options;
    this.#verified = new ExpiringMap({
      max: TOKENS_MAX,
      ageMs: REMEMBERED_MS,
      clock,
      onEvict: () => evictions.add(1),
    });
  }

  /** Whether tokens can be judged; false as long as UAA has never answered. */
  canJudge(): Promise<boolean> {
    return this.#options.keys.areHere();
  }

  /** Undefined: the token is good for nothing. */
  async identify(token: string): Promise<Identity | undefined> {
    if (token === '' || token.length > TOKEN_LENGTH_MAX) return undefined;
    const digest = createHash('sha256').update(token).digest('base64');
    const verified = this.#remembered(digest) ?? (await this.#verify(token));
    if (verified === undefined || verified.expiresAtMs <= this.#options.clock.now()) {
      return undefined;
    }
    this.#verified.set(digest, verified);
    const { isAdmin, subject = digest } = verified;
    return { token, digest, subject, isAdmin };
  }

  #remembered(digest: string): Verified | undefined {
    const verified = this.#verified.get(digest);
    if (verified === undefined) return undefined;
    if (this.#options.keys.known(verified.keyId)?.key === verified.key) return verified;
    this.#verified.delete(digest);
    return undefined;
  }

  async #verify(token: string): Promise<Verified | undefined> {
    const { keys } = this.#options;
    const keyId = keyIdOf(token);
    if (keyId === undefined) return undefined;
    const found = await keys.find(keyId);
    if (found === undefined) return undefined;
    const { key, algorithm } = found;
    try {
      const { payload } = await compactVerify(token, key, { algorithms: [algorithm] });
      const claims = fieldsIn(Buffer.from(payload).toString());
      if (typeof claims?.exp !== 'number') return undefined;
      const scopes = Array.isArray(claims.scope) ? claims.scope : [];
      const isAdmin = ADMIN_SCOPES.some((scope) => scopes.includes(scope));
      return { keyId, key, expiresAtMs: claims.exp * 1000, isAdmin, subject: subjectOf(claims) };
    } catch (error) {
      if (!(error instanceof errors.JOSEError)) throw error;
      // Its key may have been rolled and have kept its id: the next request will tell.
      if (error instanceof errors.JWSSignatureVerificationFailed) void keys.refresh();
      return undefined;
    }
  }
}

/** Undefined: it does not say, or at such a length that it is not kept. */
function subjectOf({ sub }: Readonly<Record<string, unknown>>): string | undefined {
  return typeof sub === 'string' && sub !== '' && sub.length <= SUBJECT_LENGTH_MAX
    ? sub
    : undefined;
}

/** The id of the key that a token names, if it is signed in a way that is taken. */
function keyIdOf(token: string): string | undefined {
  try {
    const { alg, kid } = decodeProtectedHeader(token);
    if (alg !== 'RS256' && alg !== 'HS256') return undefined;
    return typeof kid === 'string' && kid !== '' ? kid : undefined;
  } catch (error) {
    // What is no header at all is a TypeError to jose.
    if (error instanceof TypeError || error instanceof errors.JOSEError) return undefined;
    throw error;
  }
}
