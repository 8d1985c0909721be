/** A proxy before two fake Dopplers, and readers of it, for tests. */

import type { TlsFiles } from '@standpipe/plumbing';
import { eventually, type SpyLog, spyLog, testTls } from '@standpipe/plumbing/testing';
import type { loggregator } from '@standpipe/protos';
import type { ExecutionContext } from 'ava';
import type { Config } from './config.ts';
import { type ReverseLogProxy, startReverseLogProxy } from './proxy.ts';
import { FakeEgress, Reader, type ReaderOptions } from './testing.ts';

type Certificates = Readonly<Record<'doppler' | 'reverselogproxy' | 'gateway', TlsFiles>>;

export type ProxyConfig = Partial<
  Pick<Config, 'maxEgressStreams' | 'maxConnections' | 'address' | 'agentAddress' | 'dns'>
>;

export function certificates(): Promise<Certificates> {
  return testTls('doppler', 'reverselogproxy', 'gateway');
}

/** A proxy before these Dopplers. */
export async function startProxy(
  dopplerAddresses: readonly string[],
  config: ProxyConfig = {},
  log: SpyLog = spyLog(),
): Promise<ReverseLogProxy> {
  const tls = await certificates();
  return startReverseLogProxy(
    {
      address: '127.0.0.1:0',
      tls: tls.reverselogproxy,
      maxEgressStreams: 500,
      maxConnections: 500,
      zones: [{ name: 'default', addresses: dopplerAddresses }],
      agentAddress: '',
      metricSourceId: 'reverse_log_proxy',
      metricIntervalMs: 100,
      observability: { metricsPort: 0, statsdAddress: '', metricsIntervalMs: 60_000 },
      ...config,
    },
    log,
  );
}

export type Read = (
  request: loggregator.v2.IEgressBatchRequest,
  options?: Partial<ReaderOptions>,
) => Promise<Reader>;

export interface Started {
  readonly proxy: ReverseLogProxy;
  readonly dopplers: [FakeEgress, FakeEgress];
  readonly tls: Certificates;
  readonly log: SpyLog;
  /** The sum of a metric's series. */
  metric(name: string): number;
  /** A reader whose call has been answered. */
  read: Read;
  /** One that the Dopplers have a stream for, each. */
  open: Read;
}

export async function started(
  t: ExecutionContext,
  config: ProxyConfig = {},
  dopplerAddresses?: readonly string[],
): Promise<Started> {
  const tls = await certificates();
  const dopplers = [
    await FakeEgress.listen({ tls: tls.doppler }),
    await FakeEgress.listen({ tls: tls.doppler }),
  ] as const;
  const log = spyLog();
  t.teardown(async () => {
    for (const doppler of dopplers) await doppler[Symbol.asyncDispose]();
  });
  const addresses = dopplerAddresses ?? dopplers.map(({ address }) => address);
  const proxy = await startProxy(addresses, config, log);
  t.teardown(() => proxy[Symbol.asyncDispose]());

  const metric = (name: string): number => {
    let sum = 0;
    for (const series of proxy.metrics.series()) if (series.name === name) sum += series.value;
    return sum;
  };
  const read: Read = async (request, options = {}) => {
    const reader = new Reader({ address: proxy.address, tls: tls.gateway, request, ...options });
    t.teardown(() => reader[Symbol.dispose]());
    await reader.answered;
    return reader;
  };
  const open: Read = async (request, options) => {
    const before = dopplers.map(({ calls }) => calls.length);
    const reader = await read(request, options);
    await eventually(() =>
      dopplers.every(({ calls }, index) => calls.length > (before[index] ?? 0)),
    );
    return reader;
  };
  return { proxy, dopplers: [...dopplers], tls, log, metric, read, open };
}
