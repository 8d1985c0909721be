/**
 * The gRPC services of the pipeline, as definitions that hand messages over as the bytes they are.
 *
 * An envelope travels as bytes, so serializing is no work at all: what a server receives is the
 * message's own Buffer, and what it writes must be an encoded message. Whoever wants values
 * decodes them with the generated classes. Paths, stream kinds and names are those of Loggregator
 * v107.0.21 and log-cache-release v3.2.0; methods that their servers define but refuse are here
 * too, since a server refuses best what it knows.
 */

import type { MethodDefinition } from '@grpc/grpc-js';

/** One method whose requests and responses are encoded messages. */
export type RawMethod = MethodDefinition<Buffer, Buffer>;

/** A service with the given methods, fit for `server.addService` and for a generic client. */
export type RawService<Method extends string> = Readonly<Record<Method, RawMethod>>;

/** `loggregator.v2.Ingress`: what agents and Dopplers take in. */
export const ingressService: RawService<'sender' | 'batchSender' | 'send'> = {
  sender: clientStream('/loggregator.v2.Ingress/Sender'),
  batchSender: clientStream('/loggregator.v2.Ingress/BatchSender'),
  send: unary('/loggregator.v2.Ingress/Send'),
};

/** `loggregator.v2.Egress`: what Dopplers and the reverse log proxy give to subscribers. */
export const egressService: RawService<'receiver' | 'batchedReceiver'> = {
  receiver: serverStream('/loggregator.v2.Egress/Receiver'),
  batchedReceiver: serverStream('/loggregator.v2.Egress/BatchedReceiver'),
};

/** `plumbing.Doppler`: v1 subscriptions, as the Traffic Controller makes them. */
export const dopplerService: RawService<'subscribe' | 'batchSubscribe'> = {
  subscribe: serverStream('/plumbing.Doppler/Subscribe'),
  batchSubscribe: serverStream('/plumbing.Doppler/BatchSubscribe'),
};

/** `plumbing.DopplerIngestor`: v1 envelopes from agents. */
export const dopplerIngestorService: RawService<'pusher'> = {
  pusher: clientStream('/plumbing.DopplerIngestor/Pusher'),
};

/** `logcache.v1.Ingress`: what a Log Cache is given to keep. */
export const logCacheIngressService: RawService<'send'> = {
  send: unary('/logcache.v1.Ingress/Send'),
};

/** `logcache.v1.Egress`: what a Log Cache keeps. */
export const logCacheEgressService: RawService<'read' | 'meta'> = {
  read: unary('/logcache.v1.Egress/Read'),
  meta: unary('/logcache.v1.Egress/Meta'),
};

/** `logcache.v1.PromQLQuerier`: PromQL over what a Log Cache keeps. */
export const promQlQuerierService: RawService<'instantQuery' | 'rangeQuery'> = {
  instantQuery: unary('/logcache.v1.PromQLQuerier/InstantQuery'),
  rangeQuery: unary('/logcache.v1.PromQLQuerier/RangeQuery'),
};

/** `logcache.v1.Orchestration`: defined by the original, and served by nobody. */
export const orchestrationService: RawService<
  'addRange' | 'removeRange' | 'listRanges' | 'setRanges'
> = {
  addRange: unary('/logcache.v1.Orchestration/AddRange'),
  removeRange: unary('/logcache.v1.Orchestration/RemoveRange'),
  listRanges: unary('/logcache.v1.Orchestration/ListRanges'),
  setRanges: unary('/logcache.v1.Orchestration/SetRanges'),
};

/** `standpipe.v1.Tails`: what a Log Cache of ours takes in, as it comes. */
export const tailsService: RawService<'tail'> = {
  tail: serverStream('/standpipe.v1.Tails/Tail'),
};

/** `standpipe.v1.SeriesStore`: the samples that a Log Cache of ours has for PromQL. */
export const seriesService: RawService<'select'> = {
  select: serverStream('/standpipe.v1.SeriesStore/Select'),
};

function unary(path: string): RawMethod {
  return method(path, { requestStream: false, responseStream: false });
}

function clientStream(path: string): RawMethod {
  return method(path, { requestStream: true, responseStream: false });
}

function serverStream(path: string): RawMethod {
  return method(path, { requestStream: false, responseStream: true });
}

function method(
  path: string,
  streams: { requestStream: boolean; responseStream: boolean },
): RawMethod {
  return {
    path,
    ...streams,
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  };
}

function same(bytes: Buffer): Buffer {
  return bytes;
}
