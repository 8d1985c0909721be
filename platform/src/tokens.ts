/**
 * Tokens: signed JWTs with the claims of UAA's, and what is remembered of them, which is only
 * those that were revoked.
 *
 * An access token is good until it expires, is revoked, or its user or client has left the file. A
 * refresh token is one whose id ends in `-r`. REVOKED_MAX revoked ones are remembered until they
 * would have expired; past that the oldest is forgotten, counted, and good again. After a restart
 * with the same key all are.
 */

import { randomUUID } from 'node:crypto';
import type { Clock, Counter } from '@standpipe/plumbing';
import { errors, jwtVerify, SignJWT } from 'jose';
import { z } from 'zod';
import { type Client, type Model, TOKEN_SECONDS_MAX, type User } from './model.ts';
import type { SigningKey } from './signing-key.ts';

const REVOKED_MAX = 10_000;
const TOKEN_LENGTH_MAX = 16_384;
const REFRESH_SUFFIX = '-r';

/** What a token says; these at least. */
export interface Claims {
  readonly jti: string;
  readonly client_id: string;
  readonly scope: readonly string[];
  /** Whom it is for. */
  readonly aud: readonly string[];
  readonly exp: number;
  /** Undefined in a token of a client's own. */
  readonly user_id?: string | undefined;
  readonly [claim: string]: unknown;
}

const claimsShape: z.ZodType<Claims> = z.looseObject({
  jti: z.string(),
  client_id: z.string(),
  scope: z.array(z.string()),
  aud: z.array(z.string()),
  exp: z.number(),
  user_id: z.string().optional(),
});

/** Why a token is not taken. */
export class TokenError extends Error {
  readonly reason: 'expired' | 'revoked' | 'malformed';

  constructor(reason: TokenError['reason'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'TokenError';
    this.reason = reason;
  }
}

/** What a token is made for. */
export interface Grant {
  readonly client: Client;
  readonly user?: User | undefined;
  readonly scopes: readonly string[];
  readonly grantType: string;
  /** Whose tokens these are: the origin that the request asked for. */
  readonly origin: string;
}

/** What UAA answers. */
export interface TokenAnswer {
  readonly access_token: string;
  readonly token_type: 'bearer';
  readonly refresh_token?: string;
  readonly expires_in: number;
  readonly scope: string;
  readonly jti: string;
}

export interface TokensOptions {
  readonly model: () => Model;
  readonly key: SigningKey;
  readonly clock: Clock;
  /** Counts revoked tokens that are good again, for there were too many. */
  readonly forgotten: Counter;
}

export class Tokens {
  readonly #options: TokensOptions;
  /**
   * The ids of revoked tokens, in the order in which they were revoked, and when the last token
   * that was good then has expired, in seconds since 1970.
   */
  readonly #revoked = new Map<string, number>();

  constructor(options: TokensOptions) {
    this.#options = options;
  }

  /** A new access token; with it a refresh token, the one that it came from if there was one. */
  async issue(grant: Grant, refreshToken?: string): Promise<TokenAnswer> {
    const { client, user, scopes } = grant;
    const jti = randomUUID().replaceAll('-', '');
    const lifetime = client.accessTokenSeconds;
    const access = await this.#sign(grant, { jti, lifetime });
    let refresh = refreshToken;
    if (refresh === undefined && user && client.grantTypes.includes('refresh_token')) {
      const made = { jti: `${jti}${REFRESH_SUFFIX}`, lifetime: client.refreshTokenSeconds };
      refresh = await this.#sign(grant, made);
    }
    return {
      access_token: access,
      token_type: 'bearer',
      ...(refresh !== undefined && { refresh_token: refresh }),
      expires_in: lifetime,
      scope: scopes.join(' '),
      jti,
    };
  }

  /** The claims of an access token. Rejects with a TokenError. */
  async access(token: string): Promise<Claims> {
    return this.#verified(token, false);
  }

  /** The claims of a refresh token. Rejects with a TokenError. */
  async refresh(token: string): Promise<Claims> {
    return this.#verified(token, true);
  }

  /** Takes a token's worth away, by its id. */
  revoke(jti: string): void {
    const now = this.#seconds();
    this.#revoked.delete(jti);
    this.#revoked.set(jti, now + TOKEN_SECONDS_MAX);
    for (const [oldest, exp] of this.#revoked) {
      if (exp >= now && this.#revoked.size <= REVOKED_MAX) return;
      this.#revoked.delete(oldest);
      if (exp >= now) this.#options.forgotten.add(1);
    }
  }

  async #sign(
    grant: Grant,
    { jti, lifetime }: { readonly jti: string; readonly lifetime: number },
  ): Promise<string> {
    const { key } = this.#options;
    const { origin } = grant;
    const now = this.#seconds();
    return new SignJWT({
      ...claimsOf(grant, now),
      jti,
      iat: now,
      exp: now + lifetime,
      iss: `${origin}/oauth/token`,
    })
      .setProtectedHeader({
        alg: key.algorithm,
        jku: `${origin}/token_keys`,
        kid: key.id,
        typ: 'JWT',
      })
      .sign(key.privateKey);
  }

  async #verified(token: string, isRefresh: boolean): Promise<Claims> {
    const { key, clock } = this.#options;
    if (token.length > TOKEN_LENGTH_MAX) throw malformed();
    let claims: Claims;
    try {
      const { payload } = await jwtVerify(token, key.publicKey, {
        algorithms: [key.algorithm],
        currentDate: new Date(clock.now()),
        requiredClaims: ['exp'],
      });
      claims = claimsShape.parse(payload);
    } catch (error) {
      throw tokenErrorOf(error);
    }
    if (claims.jti.endsWith(REFRESH_SUFFIX) !== isRefresh) throw malformed();
    if (this.#revoked.has(claims.jti) || !this.#isKnown(claims)) {
      const told = 'The token expired, was revoked, or the token ID is incorrect.';
      throw new TokenError('revoked', told);
    }
    return claims;
  }

  /** Whether its client and its user, if it has one, stand in the file. */
  #isKnown({ client_id, user_id }: Claims): boolean {
    const { clients, users } = this.#options.model();
    if (!clients.some(({ id }) => id === client_id)) return false;
    return user_id === undefined || users.some(({ id }) => id === user_id);
  }

  #seconds(): number {
    return Math.floor(this.#options.clock.now() / 1000);
  }
}

function claimsOf(grant: Grant, now: number): Record<string, unknown> {
  const { client, user, scopes, grantType } = grant;
  const common = {
    scope: scopes,
    client_id: client.id,
    cid: client.id,
    azp: client.id,
    grant_type: grantType,
    aud: audienceOf(client, scopes),
    zid: 'uaa',
    revocable: true,
  };
  if (user === undefined) return { ...common, sub: client.id, authorities: scopes };
  return {
    ...common,
    sub: user.id,
    user_id: user.id,
    user_name: user.name,
    email: user.email,
    origin: 'uaa',
    auth_time: now,
  };
}

/** Whom a token is for: each server whose name stands before the last dot of a scope. */
function audienceOf(client: Client, scopes: readonly string[]): readonly string[] {
  const servers = scopes.filter((scope) => scope.includes('.'));
  return [
    ...new Set([...servers.map((scope) => scope.slice(0, scope.lastIndexOf('.'))), client.id]),
  ];
}

function malformed(cause?: unknown): TokenError {
  return new TokenError('malformed', 'Invalid token (could not decode)', { cause });
}

function tokenErrorOf(error: unknown): Error {
  if (error instanceof errors.JWTExpired) {
    const at = new Date(Number(error.payload.exp) * 1000).toISOString();
    return new TokenError('expired', `Token expired at ${at}`, { cause: error });
  }
  if (error instanceof errors.JOSEError || error instanceof z.ZodError) return malformed(error);
  return error instanceof Error ? error : new Error(String(error));
}
