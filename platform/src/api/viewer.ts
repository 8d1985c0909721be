/**
 * Who asks Cloud Controller, and what he sees: with an administrator's scope everything, else the
 * spaces that stand with him in the file.
 */

import type { Context } from 'koa';
import { bearerToken } from '../bearer.ts';
import type { PlatformContext } from '../context.ts';
import { type View, viewOf } from '../model.ts';
import { type Claims, TokenError } from '../tokens.ts';
import { ApiError } from './api-error.ts';

const AUDIENCE = 'cloud_controller';
const READ_ALL: readonly string[] = [
  'cloud_controller.admin',
  'cloud_controller.admin_read_only',
  'cloud_controller.global_auditor',
];
const READ = 'cloud_controller.read';

/** Rejects with an ApiError. */
export async function viewerOf(platform: PlatformContext, ctx: Context): Promise<View> {
  const { scope, user_id, client_id } = await claimsOf(platform, ctx);
  const model = platform.model();
  if (READ_ALL.some((wanted) => scope.includes(wanted))) return model;
  if (!scope.includes(READ)) {
    const told = 'You are not authorized to perform the requested action';
    throw new ApiError(403, 10_003, 'CF-NotAuthorized', told);
  }
  const { users, clients } = model;
  const holder =
    user_id === undefined
      ? clients.find(({ id }) => id === client_id)
      : users.find(({ id }) => id === user_id);
  return viewOf(model, holder?.spaces ?? []);
}

/** The claims of the request's token, which must be meant for Cloud Controller. */
export async function claimsOf(platform: PlatformContext, ctx: Context): Promise<Claims> {
  const token = bearerToken(ctx.get('Authorization'));
  if (token === '') {
    throw new ApiError(401, 10_002, 'CF-NotAuthenticated', 'Authentication error');
  }
  let cause: unknown;
  try {
    const claims = await platform.tokens.access(token);
    if (claims.aud.includes(AUDIENCE)) return claims;
  } catch (error) {
    if (!(error instanceof TokenError)) throw error;
    cause = error;
  }
  throw new ApiError(401, 1000, 'CF-InvalidAuthToken', 'Invalid Auth Token', { cause });
}
