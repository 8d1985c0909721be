/**
 * The three ways to a token: a user's password, a client's own secret, a refresh token. What it may
 * carry is what the user has and the client may pass on, and of that what was asked for.
 */

import assert from 'node:assert/strict';
import { type Client, GRANT_TYPES, type GrantType, type Model, type User } from '../model.ts';
import { type Claims, type TokenAnswer, TokenError, type Tokens } from '../tokens.ts';
import { sameSecret } from './secrets.ts';
import { badCredentials, UaaError } from './uaa-error.ts';

export interface TokenRequest {
  readonly model: Model;
  readonly tokens: Tokens;
  readonly client: Client;
  readonly form: URLSearchParams;
  readonly origin: string;
}

/** The grant that the form asks for, if the client may. Throws a UaaError. */
export function grantTypeOf(client: Client, form: URLSearchParams): GrantType {
  const asked = form.get('grant_type') ?? '';
  if (asked === '') throw new UaaError(400, 'invalid_request', 'Missing grant type');
  const grantType = GRANT_TYPES.find((known) => known === asked);
  if (grantType === undefined) {
    throw new UaaError(400, 'unsupported_grant_type', 'Unsupported grant type');
  }
  if (client.grantTypes.includes(grantType)) return grantType;
  throw new UaaError(401, 'invalid_client', `Unauthorized grant type: ${grantType}`);
}

/** Rejects with a UaaError. */
export async function grant(grantType: GrantType, request: TokenRequest): Promise<TokenAnswer> {
  if (grantType === 'password') return byPassword(request);
  if (grantType === 'refresh_token') return byRefreshToken(request);
  return byClientCredentials(request);
}

async function byPassword(request: TokenRequest): Promise<TokenAnswer> {
  const { model, tokens, client, form, origin } = request;
  const name = form.get('username');
  const password = form.get('password');
  if (name === null || password === null) {
    throw new UaaError(400, 'invalid_request', 'username and password must be given');
  }
  const user = model.users.find((known) => known.name === name);
  if (!sameSecret(password, user?.password ?? '') || user === undefined) throw badCredentials();
  const scopes = narrowed(allowedTo(client, user), form);
  return tokens.issue({ client, user, scopes, grantType: 'password', origin });
}

async function byClientCredentials(request: TokenRequest): Promise<TokenAnswer> {
  const { tokens, client, form, origin } = request;
  const scopes = narrowed(client.authorities, form);
  return tokens.issue({ client, scopes, grantType: 'client_credentials', origin });
}

async function byRefreshToken(request: TokenRequest): Promise<TokenAnswer> {
  const { model, tokens, client, form, origin } = request;
  const token = form.get('refresh_token') ?? '';
  if (token === '') throw new UaaError(400, 'invalid_request', 'refresh_token must be given');
  const claims = await verified(tokens, token);
  if (claims.client_id !== client.id) {
    throw new UaaError(400, 'invalid_grant', 'Wrong client for this refresh token');
  }
  const user = model.users.find(({ id }) => id === claims.user_id);
  assert(user, 'a good token has a user that stands in the file');
  const granted = allowedTo(client, user).filter((scope) => claims.scope.includes(scope));
  const scopes = narrowed(granted, form);
  return tokens.issue({ client, user, scopes, grantType: 'password', origin }, token);
}

async function verified(tokens: Tokens, refreshToken: string): Promise<Claims> {
  try {
    return await tokens.refresh(refreshToken);
  } catch (error) {
    if (!(error instanceof TokenError)) throw error;
    const told =
      error.reason === 'expired'
        ? `Invalid refresh token (expired): ${error.message}`
        : error.message;
    throw new UaaError(401, 'invalid_token', told, { cause: error });
  }
}

function allowedTo(client: Client, user: User): readonly string[] {
  return user.scopes.filter((scope) => client.scopes.includes(scope));
}

/** What was asked for of what is allowed; all of it, if nothing was asked for. */
function narrowed(allowed: readonly string[], form: URLSearchParams): readonly string[] {
  const asked = (form.get('scope') ?? '').split(/[\s,]+/).filter((scope) => scope !== '');
  const strange = asked.filter((scope) => !allowed.includes(scope));
  if (strange.length > 0) {
    const told = `[${strange.join(', ')}] is invalid. This user or client is not allowed any of the requested scopes`;
    throw new UaaError(400, 'invalid_scope', told);
  }
  const scopes = asked.length === 0 ? allowed : asked;
  if (scopes.length > 0) return scopes;
  throw new UaaError(400, 'invalid_scope', 'there is no scope that this client may be given');
}
