/** Sends answers, and says of a large one that it is on its way until its client has taken it. */

import type { Context } from 'koa';
import type { Hold } from '../answers-in-flight.ts';
import { partialHeader } from '../partial.ts';
import type { Compression } from './compression.ts';

const JSON_TYPE = 'application/json';

export interface Result {
  readonly body: Buffer;
  readonly unreachable: readonly string[];
  readonly compression: Compression;
  readonly hold: Hold;
}

/** Answers with what is held from here on. Throws a ReadError, if that is too much. */
export async function answerCounted(
  ctx: Context,
  { body, unreachable, compression, hold }: Result,
): Promise<void> {
  const sent = await compression.of(ctx, body, hold);
  ctx.set(partialHeader(unreachable));
  answer(ctx, 200, sent);
}

/** The same, as an answer of the gRPC API. */
export async function answerResult(ctx: Context, result: Result): Promise<void> {
  await answerCounted(ctx, result);
  ctx.set('Grpc-Metadata-Content-Type', 'application/grpc');
}

export function answer(ctx: Context, code: number, body: Buffer): void {
  ctx.status = code;
  ctx.set('Content-Type', JSON_TYPE); // Not by `ctx.type`, which would add a charset.
  ctx.body = body;
}
