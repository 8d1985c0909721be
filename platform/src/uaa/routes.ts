/**
 * UAA's part of the platform:
 *
 *     POST   /oauth/token                password, client_credentials, refresh_token
 *     DELETE /oauth/token/revoke/ID      what `cf logout` does with both its tokens
 *     POST   /check_token                for the doors, which don't read tokens themselves
 *     GET    /token_keys, /token_key     for those that do
 *     GET    /login                      what to ask a user for
 */

import type Router from 'koa-router';
import { bearerToken } from '../bearer.ts';
import type { PlatformContext } from '../context.ts';
import { type Claims, TokenError } from '../tokens.ts';
import { clientOf } from './client-login.ts';
import { readForm } from './form.ts';
import { grant, grantTypeOf } from './grants.ts';
import { UaaError } from './uaa-error.ts';

const UAA_VERSION = '76.0.0';

export function uaaRoutes(router: Router, platform: PlatformContext): void {
  const { metrics, tokens, key } = platform;

  router.post('/oauth/token', async (ctx) => {
    ctx.set('Cache-Control', 'no-store');
    try {
      const form = await readForm(ctx);
      const model = platform.model();
      const client = clientOf(model, ctx.get('Authorization'), form);
      const grantType = grantTypeOf(client, form);
      const origin = platform.originOf(ctx);
      ctx.body = await grant(grantType, { model, tokens, client, form, origin });
      metrics.issued(grantType).add(1);
    } catch (error) {
      if (!(error instanceof UaaError)) throw error;
      metrics.refused(error.error).add(1);
      answerUaaError(ctx, error);
    }
  });

  // Whoever knows a token's id has or had the token, so that any good token may revoke it.
  router.delete('/oauth/token/revoke/:jti', async (ctx) => {
    await accepted(() => tokens.access(bearerToken(ctx.get('Authorization'))), 401);
    tokens.revoke(ctx.params.jti ?? '');
    ctx.status = 200;
    ctx.body = '';
  });

  router.post('/check_token', async (ctx) => {
    const form = await readForm(ctx);
    const client = clientOf(platform.model(), ctx.get('Authorization'), form);
    if (!client.authorities.includes('uaa.resource')) {
      throw new UaaError(403, 'access_denied', 'Access is denied');
    }
    const token = form.get('token');
    if (token === null) {
      throw new UaaError(400, 'invalid_request', "Required parameter 'token' is not present.");
    }
    ctx.body = await accepted(() => tokens.access(bearerToken(token)), 400);
  });

  router.get('/token_keys', (ctx) => {
    ctx.body = { keys: [key.shown] };
  });

  router.get('/token_key', (ctx) => {
    ctx.body = key.shown;
  });

  router.get('/login', (ctx) => {
    const origin = platform.originOf(ctx);
    ctx.body = {
      app: { version: UAA_VERSION },
      links: { uaa: origin, login: origin },
      zone_name: 'uaa',
      entityID: origin,
      prompts: { username: ['text', 'Email'], password: ['password', 'Password'] },
    };
  });
}

/** Writes what a UAA that refuses writes. */
export function answerUaaError(
  ctx: { status: number; body: unknown; set(name: string, value: string): void },
  error: UaaError,
): void {
  if (error.challenge) {
    const told = `error="${error.error}", error_description="${error.message}"`;
    ctx.set('WWW-Authenticate', `Basic realm="UAA/client", ${told}`);
  }
  ctx.status = error.status;
  ctx.body = error.body;
}

async function accepted(check: () => Promise<Claims>, status: number): Promise<Claims> {
  try {
    return await check();
  } catch (error) {
    if (!(error instanceof TokenError)) throw error;
    throw new UaaError(status, 'invalid_token', error.message, { cause: error });
  }
}
