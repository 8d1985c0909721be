/**
 * PromQL over HTTP: what clients of the original ask, and what Grafana's Prometheus data source does.
 *
 *     query, query_range               results (format.ts)
 *     series, labels, label/NAME/values, metadata
 *     status/buildinfo, status/config, status/flags, rules, alerts, query_exemplars
 *
 * All are there by GET and as a form by POST, with Prometheus' parameters. `names=true`, which a data
 * source can add to all it asks, gives each series its metric's name.
 *
 * Errors have Prometheus' body and types. For what is the query's the status is one whose body the
 * original's clients read, which is 400 or 500 alone: 400 for mistakes, 500 when it took too long. For
 * what is not, it is the original's: 503 when its node is away, 504 when the client's `Grpc-Timeout`
 * is over, 429 when the answer is too large.
 */

import type { Context } from 'koa';
import { viewOf } from '../access/view.ts';
import type { AnswersInFlight } from '../answers-in-flight.ts';
import { onceClosed } from '../once-closed.ts';
import { partialHeader } from '../partial.ts';
import { deadlineExceeded, ReadError } from '../read-error.ts';
import type { Compression } from '../rest/compression.ts';
import { readForm } from '../rest/form.ts';
import { type Form, textParam } from '../rest/params.ts';
import { httpStatusOf } from '../rest/status.ts';
import { timeoutOf } from '../rest/timeout.ts';
import { CATALOGUE, type Handler, labelValues, type Reply, warningsOf } from './catalogue.ts';
import { badData, type ErrorType, QueryError } from './errors.ts';
import { resultBody } from './format.ts';
import { jsonText } from './json-chunks.ts';
import { parseDuration } from './literals.ts';
import { boundsOf, instantOf } from './params.ts';
import type { Answer, Asker, Querier } from './querier.ts';
import type { Pace } from './series.ts';

const LABEL_VALUES = /^label\/(.+)\/values$/;

/** What a query's language and API are said to be. */
const BUILD_INFO = {
  version: '2.42.0',
  revision: 'standpipe',
  branch: '',
  buildUser: '',
  buildDate: '',
  goVersion: '',
};

/** What there is only so that nobody finds it missing. */
const FIXED: Readonly<Record<string, unknown>> = {
  'status/buildinfo': BUILD_INFO,
  'status/config': { yaml: '' },
  'status/flags': { 'query.lookback-delta': '5m', 'query.max-samples': '50000000' },
  rules: { groups: [] },
  alerts: { alerts: [] },
  query_exemplars: [],
};

const STATUSES: Readonly<Record<ErrorType, number>> = {
  bad_data: 400,
  execution: 400,
  timeout: 500,
  canceled: 499,
  internal: 500,
};

export interface PromQlRoutesOptions {
  readonly querier: Querier;
  readonly compression: Compression;
  readonly answers: AnswersInFlight;
}

/** Whether a path, without `/api/v1/`, is one of these. */
export function isPromQlPath(path: string): boolean {
  return Object.hasOwn(FIXED, path) || Object.hasOwn(HANDLERS, path) || LABEL_VALUES.test(path);
}

/**
 * Answers at such a path, of the sources that the request may see.
 */
export async function answerPromQl(
  ctx: Context,
  path: string,
  { querier, compression, answers }: PromQlRoutesOptions,
): Promise<void> {
  const hold = answers.beginWith(ctx.res);
  const gone = new AbortController();
  const onClose = (): void => gone.abort();
  onceClosed(ctx.res, onClose); // It may have gone while it was asked what it may see.
  try {
    const { body, unreachable } = await replyTo(ctx, path, querier, gone.signal);
    hold.resize(body.length);
    ctx.set('Grpc-Metadata-Content-Type', 'application/grpc');
    ctx.set(partialHeader(unreachable));
    answer(ctx, 200, await compression.of(ctx, body, hold));
  } catch (error) {
    const { type, status, message } = failureOf(error);
    answer(
      ctx,
      status,
      Buffer.from(`${jsonText({ status: 'error', errorType: type, error: message })}\n`),
    );
  } finally {
    ctx.res.off('close', onClose);
  }
}

function failureOf(error: unknown): {
  readonly type: ErrorType;
  readonly status: number;
  readonly message: string;
} {
  if (error instanceof QueryError) {
    return { type: error.type, status: STATUSES[error.type], message: error.message };
  }
  if (!(error instanceof ReadError)) throw error;
  const status = httpStatusOf(error.code);
  return { type: status === 400 ? 'bad_data' : 'internal', status, message: error.message };
}

async function replyTo(
  ctx: Context,
  path: string,
  querier: Querier,
  signal: AbortSignal,
): Promise<Reply> {
  const header = timeoutOf(ctx.get('Grpc-Timeout'));
  const form = await readForm(ctx);
  const asker: Asker = {
    signal,
    sources: viewOf(ctx)?.sources,
    timeoutMs: timeoutMsOf(header, form),
    withNames: textParam(form, 'names') === 'true',
  };
  if (Object.hasOwn(FIXED, path)) return fixed(FIXED[path]);
  const [, label] = LABEL_VALUES.exec(path) ?? [];
  if (label !== undefined) return labelValues(querier, form, asker, decodedLabel(label));
  const handler = HANDLERS[path];
  if (handler === undefined) throw new Error(`${path} is no path of PromQL`);
  const startedMs = performance.now();
  try {
    return await handler(querier, form, asker);
  } catch (error) {
    const isLate = error instanceof QueryError && error.type === 'timeout';
    if (isLate && performance.now() - startedMs >= (header ?? Number.POSITIVE_INFINITY)) {
      throw deadlineExceeded();
    }
    throw error;
  }
}

function timeoutMsOf(header: number | undefined, form: Form): number | undefined {
  const text = textParam(form, 'timeout');
  if (text === '') return header;
  const ms = /^\d+(\.\d+)?$/.test(text) ? Number(text) * 1000 : parseDuration(text);
  if (ms === undefined) throw badData(`cannot parse ${JSON.stringify(text)} to a valid duration`);
  return Math.min(ms, header ?? ms);
}

const HANDLERS: Readonly<Record<string, Handler>> = {
  async query(querier, form, asker) {
    const query = textParam(form, 'query');
    return querier.instant(query, instantOf(textParam(form, 'time')), asker, written);
  },
  async query_range(querier, form, asker) {
    const query = textParam(form, 'query');
    const bounds = boundsOf({
      start: textParam(form, 'start'),
      end: textParam(form, 'end'),
      step: textParam(form, 'step'),
    });
    return querier.range(query, bounds, asker, written);
  },
  ...CATALOGUE,
};

async function written({ result, unreachable }: Answer, pace: Pace): Promise<Reply> {
  return { body: await resultBody(result, warningsOf(unreachable), pace), unreachable };
}

function decodedLabel(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw badData(`invalid label name: ${JSON.stringify(text)}`);
  }
}

function fixed(data: unknown): Reply {
  return { body: Buffer.from(`${jsonText({ status: 'success', data })}\n`), unreachable: [] };
}

function answer(ctx: Context, code: number, body: Buffer): void {
  ctx.status = code;
  ctx.set('Content-Type', 'application/json'); // Not by `ctx.type`, which would add a charset.
  ctx.body = body;
}
