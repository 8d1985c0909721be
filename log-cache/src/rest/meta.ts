/**
 * `GET /api/v1/meta`, as the original's gateway answers, and as its auth proxy.
 *
 * Who may see everything gets the one body that all such get; for others there is one each. Whichever
 * it is counts until its client has taken it.
 */

import { status } from '@grpc/grpc-js';
import type { Context } from 'koa';
import { viewOf, visible } from '../access/view.ts';
import type { AnswersInFlight, Hold } from '../answers-in-flight.ts';
import type { WriteMeta } from '../meta-bytes.ts';
import { type MetaResult, ReadError, type Reader } from '../reader.ts';
import { answerCounted, answerResult } from './answer.ts';
import type { Compression } from './compression.ts';
import { readForm } from './form.ts';
import { metaParams } from './params.ts';
import { answerOf, timeoutOf } from './timeout.ts';

interface MetaOptions {
  readonly reader: Reader;
  readonly compression: Compression;
  readonly answers: AnswersInFlight;
  readonly bodyOf: WriteMeta;
}

export async function answerMeta(
  ctx: Context,
  { reader, compression, answers, bodyOf }: MetaOptions,
): Promise<void> {
  const hold = answers.beginWith(ctx.res);
  const timeoutMs = timeoutOf(ctx.get('Grpc-Timeout'));
  const { localOnly } = metaParams(await readForm(ctx));
  const { sources, unreachable } = await answerOf(ctx, timeoutMs, () => reader.meta(localOnly));
  const body = await visibleBody(ctx, sources, { bodyOf, hold });
  await answerResult(ctx, { body, unreachable, compression, hold });
}

/** What the request may see. All of it is one body for all, which counts once it is sent. */
async function visibleBody(
  ctx: Context,
  sources: MetaResult['sources'],
  { bodyOf, hold }: Pick<MetaOptions, 'bodyOf'> & { readonly hold: Hold },
): Promise<Buffer> {
  const shown = visible(sources, viewOf(ctx));
  const body = await bodyOf(shown);
  if (shown !== sources) hold.resize(body.length);
  return body;
}

/** The auth proxy looks at no method and no parameter, and tells no reason. */
export async function answerProxyMeta(
  ctx: Context,
  { reader, compression, answers, bodyOf }: MetaOptions,
): Promise<void> {
  const hold = answers.beginWith(ctx.res);
  try {
    const { sources, unreachable } = await reader.meta(false);
    const body = await visibleBody(ctx, sources, { bodyOf, hold });
    await answerCounted(ctx, { body, unreachable, compression, hold });
    ctx.set('Content-Type', 'text/plain; charset=utf-8'); // What Go makes of it.
  } catch (error) {
    if (!(error instanceof ReadError)) throw error;
    ctx.body = null; // Which Koa makes 204, unless the status is said afterwards.
    ctx.status = error.code === status.RESOURCE_EXHAUSTED ? 429 : 502;
  }
}
