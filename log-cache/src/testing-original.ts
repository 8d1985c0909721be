/** A node of log-cache-release, for tests of what ours say to one. */

import type * as grpc from '@grpc/grpc-js';
import type { GrpcService } from '@standpipe/plumbing';
import {
  logCacheEgressService,
  logCacheIngressService,
  logcache,
  type loggregator,
} from '@standpipe/protos';

/** With two nodes: a vector of log-cache-release v3.2.0. */
export const OF_NODE_1 = 'other-src';

const { ReadRequest, ReadResponse, SendRequest } = logcache.v1;

type Call = grpc.ServerUnaryCall<Buffer, Buffer>;
type Callback = grpc.sendUnaryData<Buffer>;

/**
 * A node as log-cache-release v3.2.0 has it, as far as its peers see: no field but its own ones,
 * end excluded, a hundred unless told otherwise, and a limit that comes before anything else.
 */
export class OriginalNode {
  readonly kept: loggregator.v2.IEnvelope[] = [];
  readonly requests: string[] = [];
  readonly sends: string[] = [];
  readonly services: readonly GrpcService[] = [
    {
      definition: logCacheIngressService,
      implementation: { send: (call: Call, callback: Callback) => this.#send(call, callback) },
    },
    {
      definition: logCacheEgressService,
      implementation: {
        read: (call: Call, callback: Callback) => this.#read(call, callback),
        meta: (_call: Call, callback: Callback) => this.#meta(callback),
      },
    },
  ];

  #send({ request }: Call, callback: Callback): void {
    this.sends.push(request.toString('hex'));
    this.kept.push(...(SendRequest.decode(request).envelopes?.batch ?? []));
    callback(null, Buffer.alloc(0));
  }

  #read({ request }: Call, callback: Callback): void {
    this.requests.push(request.toString('hex'));
    const { source_id, start_time, end_time, limit, descending } = ReadRequest.decode(request);
    const end = Number(end_time) === 0 ? Number.POSITIVE_INFINITY : Number(end_time);
    const inRange = this.kept
      .filter((envelope) => envelope.source_id === source_id)
      .filter(({ timestamp: time }) => Number(time) >= Number(start_time) && Number(time) < end)
      .sort((a, b) => Number(a.timestamp) - Number(b.timestamp));
    const ordered = descending ? inRange.reverse() : inRange;
    const batch = ordered.slice(0, Number(limit) || 100);
    callback(null, Buffer.from(ReadResponse.encode({ envelopes: { batch } }).finish()));
  }

  #meta(callback: Callback): void {
    const meta = { [OF_NODE_1]: { count: this.kept.length } };
    callback(null, Buffer.from(logcache.v1.MetaResponse.encode({ meta }).finish()));
  }
}
