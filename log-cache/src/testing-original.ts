/** A node of log-cache-release, for tests of what ours say to one. */

import { type ServerUnaryCall, type sendUnaryData, status } from '@grpc/grpc-js';
import type { GrpcService } from '@standpipe/plumbing';
import {
  logCacheEgressService,
  logCacheIngressService,
  logcache,
  type loggregator,
} from '@standpipe/protos';

/** With two nodes: a vector of log-cache-release v3.2.0. */
export const OF_NODE_1 = 'other-src';

const INT64_MAX = 2n ** 63n - 1n;

const { ReadRequest, ReadResponse, SendRequest } = logcache.v1;

type Call = ServerUnaryCall<Buffer, Buffer>;
type Callback = sendUnaryData<Buffer>;

/** A read that has come: what is asked, and what can be said to it. */
export interface OriginalRead {
  readonly sourceId: string;
  readonly limit: number;
  /** Whether whoever asked has left. */
  readonly isGone: boolean;
  readonly answer: () => void;
  /** Says that the answer is too large for a message. */
  readonly refuse: () => void;
}

/**
 * A node as log-cache-release v3.2.0 has it, as far as its peers see: no field but its own ones,
 * end excluded, a hundred unless told otherwise, and a limit that comes before anything else.
 */
export class OriginalNode {
  readonly kept: loggregator.v2.IEnvelope[] = [];
  readonly requests: string[] = [];
  readonly sends: string[] = [];
  /** What happens to a read: it is answered, unless a test would have it otherwise. */
  onRead: (read: OriginalRead) => void = (read) => read.answer();
  /** Else it takes the call and never answers. */
  answersMeta = true;
  readonly services: readonly GrpcService[] = [
    {
      definition: logCacheIngressService,
      implementation: { send: (call: Call, callback: Callback) => this.#send(call, callback) },
    },
    {
      definition: logCacheEgressService,
      implementation: {
        read: (call: Call, callback: Callback) => this.#read(call, callback),
        meta: (_call: Call, callback: Callback) => {
          if (this.answersMeta) this.#meta(callback);
        },
      },
    },
  ];

  #send({ request }: Call, callback: Callback): void {
    this.sends.push(request.toString('hex'));
    this.kept.push(...(SendRequest.decode(request).envelopes?.batch ?? []));
    callback(null, Buffer.alloc(0));
  }

  #read(call: Call, callback: Callback): void {
    this.requests.push(call.request.toString('hex'));
    const request = ReadRequest.decode(call.request);
    this.onRead({
      sourceId: request.source_id,
      limit: Number(request.limit) || 100,
      get isGone() {
        return call.cancelled;
      },
      answer: () => callback(null, this.#pageOf(request)),
      refuse: () => callback({ code: status.RESOURCE_EXHAUSTED, details: 'message too large' }),
    });
  }

  #pageOf({ source_id, start_time, end_time, limit, descending }: logcache.v1.ReadRequest): Buffer {
    const start = nanoseconds(start_time);
    const end = nanoseconds(end_time) || INT64_MAX;
    const inRange = this.kept
      .filter((envelope) => envelope.source_id === source_id)
      .map((envelope) => ({ envelope, time: nanoseconds(envelope.timestamp) }))
      .filter(({ time }) => time >= start && time < end)
      .sort((a, b) => Number(a.time - b.time))
      .map(({ envelope }) => envelope);
    const ordered = descending ? inRange.reverse() : inRange;
    const batch = ordered.slice(0, Number(limit) || 100);
    return Buffer.from(ReadResponse.encode({ envelopes: { batch } }).finish());
  }

  #meta(callback: Callback): void {
    const meta: Record<string, { count: number }> = {};
    for (const { source_id } of this.kept) {
      const id = source_id ?? '';
      meta[id] = { count: (meta[id]?.count ?? 0) + 1 };
    }
    callback(null, Buffer.from(logcache.v1.MetaResponse.encode({ meta }).finish()));
  }
}

function nanoseconds(time: loggregator.v2.IEnvelope['timestamp']): bigint {
  return BigInt(String(time ?? 0));
}
