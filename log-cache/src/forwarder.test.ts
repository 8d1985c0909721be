import type * as grpc from '@grpc/grpc-js';
import { createLogger, type GrpcListener, listenGrpc, Metrics } from '@standpipe/plumbing';
import { eventually } from '@standpipe/plumbing/testing';
import { logCacheEgressService, logCacheIngressService } from '@standpipe/protos';
import test, { type ExecutionContext } from 'ava';
import { Clients } from './clients.ts';
import { ClusterReader } from './cluster.ts';
import { CacheForwarder } from './forwarder.ts';
import { readCarrier } from './messages.ts';
import { readRequest } from './reader.ts';
import { batchOf, line, metricOf, scanned } from './testing.ts';

type Send = (request: Buffer, answer: () => void) => void;

interface Forwarding {
  readonly forwarder: CacheForwarder;
  readonly metrics: Metrics;
  readonly address: string;
  readonly listener: GrpcListener;
}

test('sends at most a hundred at a time, one call after another', async (t) => {
  const counts: number[] = [];
  let open = 0;
  const { forwarder } = await forwarding(t, (request, answer) => {
    open += 1;
    t.is(open, 1);
    counts.push(countOf(request));
    setImmediate(() => {
      open -= 1;
      answer();
    });
  });
  put(forwarder, 350);
  await eventually(() => sum(counts) === 350);
  t.true(
    counts.every((count) => count <= 100),
    String(counts),
  );
  t.true(counts.length <= 6, String(counts));
});

test('gathers what comes within one turn', async (t) => {
  const counts: number[] = [];
  const { forwarder } = await forwarding(t, (request, answer) => {
    counts.push(countOf(request));
    answer();
  });
  for (let n = 0; n < 5; n += 1) put(forwarder, 7);
  await eventually(() => sum(counts) === 35);
  t.deepEqual(counts, [35]);
});

test('drops the oldest when the owner stalls, and counts each of them', async (t) => {
  const counts: number[] = [];
  let release: (() => void) | undefined;
  const { forwarder, metrics } = await forwarding(t, (request, answer) => {
    counts.push(countOf(request));
    if (counts.length === 1) release = answer;
    else answer();
  });
  put(forwarder, 1);
  await eventually(() => release !== undefined);
  put(forwarder, 10_250);
  await eventually(() => metricOf(metrics, 'ingress_dropped') === 250);
  release?.();
  await eventually(() => sum(counts) === 10_001);
  t.is(metricOf(metrics, 'ingress_dropped'), 250);
  t.is(metricOf(metrics, 'log_cache_send_failures'), 0);
});

test('gives a batch up at the deadline, counts it, and goes on', async (t) => {
  const counts: number[] = [];
  const send: Send = (request, answer) => {
    counts.push(countOf(request));
    if (counts.length > 1) answer();
  };
  const { forwarder, metrics } = await forwarding(t, send, 1000);
  put(forwarder, 10);
  await eventually(() => metricOf(metrics, 'ingress_dropped') === 10);
  t.true((metricOf(metrics, 'log_cache_send_failures') ?? 0) >= 1);
  put(forwarder, 20);
  await eventually(() => counts.length === 2);
  t.deepEqual(counts, [10, 20]);
  t.is(metricOf(metrics, 'ingress_dropped'), 10);
});

test('keeps what waits for an owner that is away, and sends it when it is back', async (t) => {
  const counts: number[] = [];
  const send: Send = (request, answer) => {
    counts.push(countOf(request));
    answer();
  };
  const { forwarder, metrics, address, listener } = await forwarding(t, send);
  await listener[Symbol.asyncDispose]();
  put(forwarder, 10_250);
  await eventually(() => metricOf(metrics, 'ingress_dropped') === 250);
  await listening(t, send, address);
  await eventually(() => sum(counts) === 10_000);
  t.is(metricOf(metrics, 'ingress_dropped'), 250);
});

test('does not wait for a stalled owner longer than the deadline of a read', async (t) => {
  const { address } = await forwarding(t, (_request, answer) => answer());
  const zones = [{ name: 'az1', addresses: [address] }];
  const log = createLogger('test', { level: 'silent' });
  const clients = new Clients({ tls: undefined, readDeadlineMs: 100 });
  t.teardown(() => clients[Symbol.asyncDispose]());
  const reader = new ClusterReader({ clients, log });
  reader.follow(zones);
  const { batch, unreachable } = await reader.read(readRequest('a'));
  t.is(batch.count, 0);
  t.deepEqual(unreachable, ['az1/0']);
});

/** A forwarder whose only other shard answers a Send as it likes, and a Read never. */
async function forwarding(
  t: ExecutionContext,
  send: Send,
  sendDeadlineMs = 10_000,
): Promise<Forwarding> {
  const log = createLogger('test', { level: 'silent' });
  const listener = await listening(t, send, '127.0.0.1:0');
  const { address } = listener;
  const clients = new Clients({ tls: undefined, sendDeadlineMs });
  const metrics = new Metrics({ origin: 'test' });
  const forwarder = new CacheForwarder({ clients, metrics, log });
  forwarder.follow(new Map([[1, address]]));
  t.teardown(async () => {
    await forwarder[Symbol.asyncDispose]();
    await clients[Symbol.asyncDispose]();
  });
  return { forwarder, metrics, address, listener };
}

async function listening(t: ExecutionContext, send: Send, address: string): Promise<GrpcListener> {
  const listener = await listenGrpc({
    address,
    tls: undefined,
    log: createLogger('test', { level: 'silent' }),
    drainMs: 0,
    services: [
      {
        definition: logCacheIngressService,
        implementation: {
          send: (
            { request }: grpc.ServerUnaryCall<Buffer, Buffer>,
            callback: grpc.sendUnaryData<Buffer>,
          ) => send(request, () => callback(null, Buffer.alloc(0))),
        },
      },
      {
        definition: logCacheEgressService,
        implementation: { read: () => undefined, meta: () => undefined },
      },
    ],
  });
  t.teardown(() => listener[Symbol.asyncDispose]());
  return listener;
}

function put(forwarder: CacheForwarder, count: number): void {
  const batch = batchOf(Array.from({ length: count }, (_, n) => line('a', n)));
  for (let index = 0; index < count; index += 1) forwarder.add(1, batch, index);
}

function countOf(request: Buffer): number {
  const { envelopes, localOnly } = readCarrier(request);
  return envelopes && localOnly ? scanned(envelopes).count : 0;
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0);
}
