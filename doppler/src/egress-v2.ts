/**
 * `loggregator.v2.Egress`: the door for those that read v2 envelopes.
 *
 * `BatchedReceiver` gives each subscriber the batches that the router has for it. A batch that it
 * wants whole is the very bytes that came in; messages have at most 1,000 envelopes and stay below
 * 4 MiB. Its request is accepted as it is: one without selectors, or whose selectors have no kind,
 * stays silent, as with Loggregator v107.0.21. `Receiver` is refused, as there.
 */

import { status } from '@grpc/grpc-js';
import type { GrpcService } from '@standpipe/plumbing';
import { egressService, loggregator } from '@standpipe/protos';
import type { Router } from './router.ts';
import {
  COPIES_MAX,
  describeSelectors,
  mostCopies,
  readSelectors,
  SELECTORS_MAX,
} from './selectors.ts';
import { refuse, type SubscriberCall, type Subscriptions } from './subscription.ts';

const { EgressBatchRequest } = loggregator.v2;

export interface EgressV2Options {
  readonly router: Router;
  readonly subscriptions: Subscriptions;
  /** The most envelopes that may wait for one subscriber. */
  readonly bufferSize: number;
}

export function egressV2({ router, subscriptions, bufferSize }: EgressV2Options): GrpcService {
  const batchedReceiver = (call: SubscriberCall): void => {
    const request = subscriptions.read(call, EgressBatchRequest);
    if (!request) return;
    if (request.selectors.length > SELECTORS_MAX) {
      refuse(call, status.RESOURCE_EXHAUSTED, `more than ${SELECTORS_MAX} selectors`);
      return;
    }
    const selectors = readSelectors(request.selectors);
    if (mostCopies(selectors) > COPIES_MAX) {
      refuse(call, status.RESOURCE_EXHAUSTED, `the same selector more than ${COPIES_MAX} times`);
      return;
    }
    const { shard_id: shardId, deterministic_name: deterministicName } = request;
    void subscriptions.serve(call, {
      shardId,
      wants: describeSelectors(selectors),
      bufferSize,
      subscribe: (sink) => router.subscribe(sink, { selectors, shardId, deterministicName }),
    });
  };

  const receiver = (call: SubscriberCall): void => {
    refuse(call, status.UNIMPLEMENTED, 'use BatchedReceiver instead');
  };

  return { definition: egressService, implementation: { batchedReceiver, receiver } };
}
