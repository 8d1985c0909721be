/**
 * The gRPC face of a log cache: logcache.v1 as log-cache-release v3.2.0 serves it.
 *
 * `Send` scans what comes and never decodes it; `Read` frames the bytes that are kept. A Send is
 * answered when what this node owns is stored and the rest is queued for its owner. A node that
 * could not be asked stands in the trailing metadata `standpipe-partial`. A message that can't be
 * read is INTERNAL, as grpc-go has it, and counted; it disturbs nothing else. Orchestration is
 * refused, as the original does.
 */

import * as grpc from '@grpc/grpc-js';
import type { Counter, GrpcService, Metrics } from '@standpipe/plumbing';
import {
  Batch,
  logCacheEgressService,
  logCacheIngressService,
  orchestrationService,
  scanBatch,
} from '@standpipe/protos';
import type { AnswersInFlight } from './answers-in-flight.ts';
import { asksForMore } from './envelope-filter.ts';
import { LOCAL_KEY } from './local-key.ts';
import { LOG_CACHE_MESSAGE_BYTES } from './message-limit.ts';
import {
  decodeMetaRequest,
  decodeReadRequest,
  encodeReadResponse,
  MalformedError,
  readCarrier,
} from './messages.ts';
import { writtenOnce } from './meta-bytes.ts';
import { encodeMetaResponse } from './meta-message.ts';
import { invalidIngress } from './metrics.ts';
import { partialTrailer } from './partial.ts';
import type { Querier } from './promql/querier.ts';
import { type SeriesServiceOptions, seriesService } from './promql/series-service.ts';
import { promQlService } from './promql/service.ts';
import type { Reader } from './reader.ts';
import { statusOf } from './status-of.ts';
import type { Tails } from './tail/tail.ts';
import { tailService } from './tail/tail-service.ts';
import { untilOf } from './until.ts';

export interface ServiceOptions {
  /** Stores a batch whatever its owner. */
  readonly keep: (batch: Batch) => void;
  /** Stores what this node owns and sends the rest on. */
  readonly put: (batch: Batch) => void;
  /** What this node holds, and what all hold. */
  readonly local: Reader;
  readonly cluster: Reader;
  readonly localTails: Tails;
  readonly clusterTails: Tails;
  readonly querier: Querier;
  readonly series: SeriesServiceOptions;
  /** Bounds what is on its way to those who asked. */
  readonly answers: AnswersInFlight;
  readonly metrics: Metrics;
}

type Call = grpc.ServerUnaryCall<Buffer, Buffer>;
type Callback = grpc.sendUnaryData<Buffer>;

const NOTHING = Buffer.alloc(0);

export function logCacheServices(options: ServiceOptions): readonly GrpcService[] {
  return [
    ingress(options),
    egress(options),
    tailService({ local: options.localTails, cluster: options.clusterTails }),
    promQlService(options.querier, options.answers),
    seriesService(options.series),
    refuse(orchestrationService, (method) => `method ${method} not implemented`),
  ].map((service) => ({ ...service, messageBytesMax: LOG_CACHE_MESSAGE_BYTES }));
}

function ingress({ keep, put, metrics }: ServiceOptions): GrpcService {
  const batch = new Batch();
  const invalid = invalidIngress(metrics);
  return {
    definition: logCacheIngressService,
    implementation: {
      send: unary(async ({ request }) => {
        const { envelopes, localOnly } = carrierOf(request, invalid);
        if (envelopes === undefined) return { value: NOTHING };
        if (!scanBatch(envelopes, batch)) throw malformed(batch.mistake, invalid);
        if (localOnly) keep(batch);
        else put(batch);
        return { value: NOTHING };
      }),
    },
  };
}

function egress({ local, cluster, answers }: ServiceOptions): GrpcService {
  const metaResponse = writtenOnce(encodeMetaResponse);
  return {
    definition: logCacheEgressService,
    implementation: {
      read: unary(async (call) => {
        const reader = call.metadata.get(LOCAL_KEY).includes('true') ? local : cluster;
        const hold = answers.beginWith(call);
        const asked = decodeReadRequest(call.request);
        const { batch, unreachable } = await reader.read(asked, untilOf(call));
        hold.resize(batch.byteLength);
        return { value: await encodeReadResponse(batch, asksForMore(asked)), unreachable };
      }),
      meta: unary(async (call) => {
        const hold = answers.beginWith(call);
        const { localOnly } = decodeMetaRequest(call.request);
        const { sources, unreachable } = await cluster.meta(localOnly);
        const value = await metaResponse(sources);
        hold.resize(value.length);
        return { value, unreachable };
      }),
    },
  };
}

function carrierOf(request: Buffer, invalid: Counter): ReturnType<typeof readCarrier> {
  try {
    return readCarrier(request);
  } catch (error) {
    if (error instanceof MalformedError) throw malformed(error.message, invalid);
    throw error;
  }
}

function malformed(mistake: string, invalid: Counter): MalformedError {
  invalid.add(1);
  return new MalformedError(mistake);
}

interface Answer {
  readonly value: Buffer;
  readonly unreachable?: readonly string[];
}

/** A unary method whose failures become a status. */
function unary(answer: (call: Call) => Promise<Answer>) {
  return (call: Call, callback: Callback): void => {
    answer(call).then(
      ({ value, unreachable = [] }) => callback(null, value, partialTrailer(unreachable)),
      (error: unknown) => callback(statusOf(error)),
    );
  };
}

function refuse(definition: grpc.ServiceDefinition, text: (method: string) => string): GrpcService {
  const implementation: grpc.UntypedServiceImplementation = {};
  for (const method of Object.keys(definition)) {
    const name = `${method.charAt(0).toUpperCase()}${method.slice(1)}`;
    implementation[method] = (_call: Call, callback: Callback): void =>
      callback({ code: grpc.status.UNIMPLEMENTED, details: text(name) });
  }
  return { definition, implementation };
}
