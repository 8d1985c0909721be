/** The form of a request: its query string and, when it is a POST, its body, which comes first. */

import { status } from '@grpc/grpc-js';
import type { Context } from 'koa';
import { ReadError } from '../reader.ts';
import { type Form, parseForm } from './params.ts';

const BODY_BYTES_MAX = 1024 * 1024;

export async function readForm(ctx: Context): Promise<Form> {
  if (ctx.method === 'GET') return parseForm(ctx.querystring);
  return parseForm(await readBody(ctx), ctx.querystring);
}

async function readBody(ctx: Context): Promise<string> {
  const chunks: Buffer[] = [];
  let byteLength = 0;
  for await (const chunk of ctx.req) {
    byteLength += chunk.length;
    if (byteLength > BODY_BYTES_MAX) {
      ctx.set('Connection', 'close'); // The rest of the body is not read.
      throw new ReadError(status.INVALID_ARGUMENT, 'http: POST too large');
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
