/**
 * The form in a request's body. A longer one than BODY_BYTES_MAX is refused, a body of another type
 * as well, and no body at all is an empty form.
 */

import type { Context } from 'koa';
import { UaaError } from './uaa-error.ts';

const BODY_BYTES_MAX = 64 * 1024;
const FORM_TYPE = 'application/x-www-form-urlencoded';

export async function readForm(ctx: Context): Promise<URLSearchParams> {
  const parts: Buffer[] = [];
  let byteLength = 0;
  // Not destroyed when it is left, for a refusal goes out on the same connection.
  for await (const part of ctx.req.iterator({ destroyOnReturn: false })) {
    byteLength += part.length;
    if (byteLength > BODY_BYTES_MAX) {
      ctx.req.resume(); // The rest comes to nothing.
      throw new UaaError(413, 'invalid_request', `a form has at most ${BODY_BYTES_MAX} bytes`);
    }
    parts.push(part);
  }
  const type = ctx.get('Content-Type').split(';', 1).join('').trim().toLowerCase();
  if (byteLength > 0 && type !== FORM_TYPE) {
    throw new UaaError(415, 'invalid_request', `Content-Type must be ${FORM_TYPE}`);
  }
  return new URLSearchParams(Buffer.concat(parts).toString());
}
