/** Nodes of a log cache over real gRPC with mutual TLS, for tests. */

import type * as grpc from '@grpc/grpc-js';
import {
  createLogger,
  type GrpcListener,
  type GrpcService,
  listenGrpc,
  Metrics,
  readTls,
  staticMembers,
  type Tls,
  type Zone,
} from '@standpipe/plumbing';
import { testTls } from '@standpipe/plumbing/testing';
import type { ExecutionContext } from 'ava';
import { createLogCache, type LogCache, type LogCacheOptions } from './log-cache.ts';

// With two shards: vectors of log-cache-release v3.2.0.
export const OF_SHARD_0 = 'src-zero';
export const OF_SHARD_1 = 'other-src';

type Call = grpc.ServerUnaryCall<Buffer, Buffer>;
type Callback = grpc.sendUnaryData<Buffer>;

export interface ClusterNode {
  readonly cache: LogCache;
  readonly metrics: Metrics;
  readonly listener: GrpcListener;
  /** From here on it takes calls and never answers, as a process that is stopped. */
  hang(): void;
  /** Ends it as a crash would: nothing is sent on. */
  stop(): Promise<void>;
}

export interface Cluster {
  readonly zones: readonly Zone[];
  readonly nodes: readonly ClusterNode[];
  readonly tls: Tls;
}

/** Starts so many nodes in each zone, over real gRPC with mutual TLS. */
export async function cluster(
  t: ExecutionContext,
  sizes: Readonly<Record<string, number>>,
  options: Pick<LogCacheOptions, 'readDeadlineMs'> = {},
): Promise<Cluster> {
  const { doppler } = await testTls({ name: 'doppler', dns: ['log-cache'] });
  const tls = readTls(doppler);
  const log = silent();
  const places = Object.entries(sizes).flatMap(([zone, count]) =>
    Array.from({ length: count }, (_, index) => ({ zone, index })),
  );
  // The ports must be known before the nodes are made, so the services are filled in afterwards.
  const doors = await Promise.all(
    places.map(async (place) => {
      const late = lateServices();
      const { services } = late;
      const listener = await listenGrpc({ address: '127.0.0.1:0', tls, services, log, drainMs: 0 });
      return { ...place, late, listener };
    }),
  );
  const zones = Object.keys(sizes).map((name) => ({
    name,
    addresses: doors.filter(({ zone }) => zone === name).map(({ listener }) => listener.address),
  }));
  const nodes = doors.map(({ zone, index, late, listener }) => {
    const metrics = new Metrics({ origin: 'test' });
    const memoryLimitBytes = 64 * 2 ** 20;
    const members = staticMembers(zones);
    const given = { ...options, tls, metrics, log, memoryLimitBytes };
    const cache = createLogCache({ ...given, members, zone, index });
    late.fill(cache.services);
    const stop = async (): Promise<void> => listener[Symbol.asyncDispose]();
    return { cache, metrics, listener, hang: () => late.fill([]), stop };
  });
  t.teardown(async () => {
    await Promise.all(nodes.map(({ listener }) => listener[Symbol.asyncDispose]()));
    await Promise.all(nodes.map(({ cache }) => cache[Symbol.asyncDispose]()));
  });
  return { zones, nodes, tls };
}

function lateServices(): {
  readonly services: readonly GrpcService[];
  fill(filled: readonly GrpcService[]): void;
} {
  const shape = createLogCache({
    members: staticMembers([]),
    zone: '',
    index: 0,
    tls: undefined,
    metrics: new Metrics({ origin: 'test' }),
    log: silent(),
  });
  let filled: readonly GrpcService[] = [];
  const services = shape.services.map(({ definition, ...rest }, place) => {
    const implementation: grpc.UntypedServiceImplementation = {};
    for (const method of Object.keys(definition)) {
      const late = (call: Call, callback: Callback): void => {
        const real = filled[place]?.implementation[method] as typeof late | undefined;
        real?.(call, callback);
      };
      implementation[method] = late;
    }
    return { ...rest, definition, implementation };
  });
  return {
    services,
    fill: (real) => {
      filled = real;
    },
  };
}

export function both(nodes: readonly ClusterNode[]): [ClusterNode, ClusterNode] {
  const [first, second] = nodes;
  if (first === undefined || second === undefined) throw new Error('a cluster of two');
  return [first, second];
}

export function silent(): ReturnType<typeof createLogger> {
  return createLogger('test', { level: 'silent' });
}
