/**
 * PromQL over gRPC: `logcache.v1.PromQLQuerier`, as the original serves it.
 *
 * Errors are UNKNOWN with the engine's text. A result is written series by series, so that a large
 * one holds nobody up, and refused with RESOURCE_EXHAUSTED when it fits no message.
 */

import * as grpc from '@grpc/grpc-js';
import type { GrpcService } from '@standpipe/plumbing';
import { encodeVarint, logcache, promQlQuerierService, varintSize } from '@standpipe/protos';
import type { AnswersInFlight } from '../answers-in-flight.ts';
import { LOG_CACHE_MESSAGE_BYTES, tooLarge } from '../message-limit.ts';
import { MalformedError } from '../messages.ts';
import { partialTrailer } from '../partial.ts';
import { statusOf } from '../status-of.ts';
import { deadlineOf } from '../until.ts';
import { failed, QueryError } from './errors.ts';
import { type Result, type Sample, type Samples, seconds } from './format.ts';
import type { Labels } from './labels.ts';
import { boundsOf, instantOf } from './params.ts';
import type { Answer, Asker, Querier } from './querier.ts';
import type { Pace } from './series.ts';

const { PromQL } = logcache.v1;

type Call = grpc.ServerUnaryCall<Buffer, Buffer>;
type Callback = grpc.sendUnaryData<Buffer>;

/** The fields of InstantQueryResult. */
const VECTOR = 2;
const MATRIX_OF_INSTANT = 3;
/** The one field of RangeQueryResult. */
const MATRIX_OF_RANGE = 1;
const FIELD_1 = 1;
/** What stands before a list in a result. */
const HEAD_BYTES_MAX = 5;
/** Labels may be long: so many bytes of a series are one more step of work. */
const BYTES_PER_WORK = 64;
const SAMPLE_WORK = 4;
/** Of a series with more points so many are written at once. */
const POINTS_AT_ONCE = 2048;

export function promQlService(querier: Querier, answers: AnswersInFlight): GrpcService {
  return {
    definition: promQlQuerierService,
    implementation: {
      instantQuery: answering(answers, async (request, asker) => {
        const { query, time } = decode(() => PromQL.InstantQueryRequest.decode(request));
        const matrix = MATRIX_OF_INSTANT;
        return querier.instant(query, instantOf(time), asker, (given, pace) =>
          written(given, matrix, pace),
        );
      }),
      rangeQuery: answering(answers, async (request, asker) => {
        const { query, start, end, step } = decode(() => PromQL.RangeQueryRequest.decode(request));
        const matrix = MATRIX_OF_RANGE;
        return querier.range(query, boundsOf({ start, end, step }), asker, (given, pace) =>
          written(given, matrix, pace),
        );
      }),
    },
  };
}

interface Reply {
  readonly bytes: Buffer;
  readonly unreachable: readonly string[];
}

function answering(
  answers: AnswersInFlight,
  reply: (request: Buffer, asker: Asker) => Promise<Reply>,
) {
  return (call: Call, callback: Callback): void => {
    const gone = new AbortController();
    const hold = answers.beginWith(call);
    call.on('cancelled', () => gone.abort());
    const deadlineMs = deadlineOf(call);
    const timeoutMs = deadlineMs === undefined ? undefined : deadlineMs - Date.now();
    reply(call.request, { signal: gone.signal, timeoutMs })
      .then(({ bytes, unreachable }) => {
        hold.resize(bytes.length);
        callback(null, bytes, partialTrailer(unreachable));
      })
      .catch((error: unknown) => callback(failure(error)));
  };
}

function failure(error: unknown): Partial<grpc.StatusObject> {
  if (!(error instanceof QueryError)) return statusOf(error);
  if (error.type === 'canceled') {
    return { code: grpc.status.CANCELLED, details: 'context canceled' };
  }
  return { code: grpc.status.UNKNOWN, details: error.message };
}

function decode<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    // protobufjs throws errors of several classes, all of them for what is in the bytes.
    throw new MalformedError(error instanceof Error ? error.message : String(error), {
      cause: error,
    });
  }
}

async function written(
  { result, unreachable }: Answer,
  matrixField: number,
  pace: Pace,
): Promise<Reply> {
  return { bytes: await encoded(result, matrixField, pace), unreachable };
}

async function encoded(result: Result, matrixField: number, pace: Pace): Promise<Buffer> {
  if (result.type === 'string') {
    throw failed('unhandled expression of type: *promql.StringLiteral');
  }
  if (result.type === 'scalar') {
    const scalar = { time: seconds(result.timeMs), value: result.value };
    return Buffer.from(PromQL.InstantQueryResult.encode({ scalar }).finish());
  }
  const parts: Buffer[] = [];
  let byteLength = 0;
  for (const item of result.type === 'vector' ? result.samples : result.series) {
    const message = 'value' in item ? sampleBytes(item) : await seriesBytes(item, pace);
    const bytes = framed(FIELD_1, message);
    parts.push(bytes);
    byteLength += bytes.length;
    if (byteLength + HEAD_BYTES_MAX > LOG_CACHE_MESSAGE_BYTES) throw tooLarge(byteLength);
    if (pace.isDue(SAMPLE_WORK + Math.floor(bytes.length / BYTES_PER_WORK))) await pace.pause();
  }
  return framed(result.type === 'vector' ? VECTOR : matrixField, Buffer.concat(parts));
}

function metricOf(labels: Labels): Record<string, string> {
  return Object.assign(Object.create(null), Object.fromEntries(labels));
}

function sampleBytes({ labels, timeMs, value }: Sample): Buffer {
  const point = { time: seconds(timeMs), value };
  return Buffer.from(PromQL.Sample.encode({ metric: metricOf(labels), point }).finish());
}

/** A series' points in pieces: of messages in a row are made one, as protobuf has it. */
async function seriesBytes(samples: Samples, pace: Pace): Promise<Buffer> {
  const metric = metricOf(samples.labels);
  const parts = [Buffer.from(PromQL.Series.encode({ metric }).finish())];
  const count = samples.times.length;
  for (let from = 0; from < count; from += POINTS_AT_ONCE) {
    const to = Math.min(count, from + POINTS_AT_ONCE);
    const points = pointsOf(samples, from, to);
    parts.push(Buffer.from(PromQL.Series.encode({ points }).finish()));
    if (pace.isDue((to - from) * SAMPLE_WORK)) await pace.pause();
  }
  return Buffer.concat(parts);
}

function pointsOf(
  { times, values }: Samples,
  from: number,
  to: number,
): logcache.v1.PromQL.IPoint[] {
  const points: logcache.v1.PromQL.IPoint[] = [];
  for (let index = from; index < to; index += 1) {
    const time = times[index] as number; // Below the count of both.
    points.push({ time: seconds(time), value: values[index] as number });
  }
  return points;
}

/** A message as a field of another. */
function framed(field: number, bytes: Buffer): Buffer {
  const head = Buffer.alloc(1 + varintSize(bytes.length));
  head[0] = (field << 3) | 2;
  encodeVarint(head, 1, bytes.length);
  return Buffer.concat([head, bytes]);
}
