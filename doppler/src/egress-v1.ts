/**
 * `plumbing.Doppler`: the door for those that read v1 envelopes, the Traffic Controller above all.
 *
 * `BatchSubscribe` gives many envelopes in a message, `Subscribe` one. A run of frames of a
 * V1Batch is an encoded BatchResponse, and a single frame is an encoded Response: so what the
 * router hands out is sent as it is.
 */

import type { GrpcService } from '@standpipe/plumbing';
import { dopplerService, type PackedBatch, plumbing } from '@standpipe/protos';
import type { Sink } from './fanout.ts';
import { shorten } from './selectors.ts';
import { MESSAGE_ENVELOPES_MAX, type SubscriberCall, type Subscriptions } from './subscription.ts';
import type { V1Filter, V1Router } from './v1-router.ts';

const { SubscriptionRequest } = plumbing;

export interface EgressV1Options {
  readonly router: V1Router;
  readonly subscriptions: Subscriptions;
  /** The most envelopes that may wait for one subscriber. */
  readonly bufferSize: number;
}

export function egressV1({ router, subscriptions, bufferSize }: EgressV1Options): GrpcService {
  const serve = (call: SubscriberCall, messageSize: number): void => {
    const request = subscriptions.read(call, SubscriptionRequest);
    if (!request) return;
    const filter = filterOf(request);
    const { shardID: shardId } = request;
    void subscriptions.serve(call, {
      shardId,
      wants: `v1 ${filter.wants} of ${filter.appId === '' ? 'any app' : shorten(filter.appId)}`,
      bufferSize,
      messageSize,
      subscribe: (sink) =>
        router.subscribe(messageSize === 1 ? singly(sink) : sink, { filter, shardId }),
    });
  };
  return {
    definition: dopplerService,
    implementation: {
      batchSubscribe: (call: SubscriberCall) => serve(call, MESSAGE_ENVELOPES_MAX),
      subscribe: (call: SubscriberCall) => serve(call, 1),
    },
  };
}

function filterOf({ filter }: plumbing.SubscriptionRequest): V1Filter {
  const appId = filter?.appID ?? '';
  if (filter?.metric) return { appId, wants: 'metrics' };
  return { appId, wants: filter?.log ? 'logs' : 'all' };
}

/** A sink that takes envelope by envelope what comes in batches. */
function singly(sink: Sink): Sink {
  return {
    put: (part: PackedBatch) => {
      let rest = part;
      for (; rest.count > 1; rest = rest.withoutFirst(1)) sink.put(rest.first(1));
      sink.put(rest);
    },
  };
}
