/**
 * The form of a request: its query string and, when it is a POST, its body, which comes first. A
 * body can be read once, so the form is kept with the request for all who want it.
 */

import { status } from '@grpc/grpc-js';
import type { Context } from 'koa';
import { ReadError } from '../reader.ts';
import { type Form, parseForm } from './params.ts';

const BODY_BYTES_MAX = 1024 * 1024;

export function readForm(ctx: Context): Promise<Form> {
  const read = ctx.state.logCacheForm as Promise<Form> | undefined; // Nobody else writes it.
  if (read !== undefined) return read;
  const form = formOf(ctx);
  ctx.state.logCacheForm = form;
  return form;
}

/** Puts another value into the form that those who come later read. */
export async function replaceInForm(ctx: Context, name: string, value: string): Promise<void> {
  const form = new Map(await readForm(ctx)).set(name, [Buffer.from(value)]);
  ctx.state.logCacheForm = Promise.resolve(form);
}

async function formOf(ctx: Context): Promise<Form> {
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
