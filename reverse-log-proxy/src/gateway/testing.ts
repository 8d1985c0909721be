/** A gateway before a fake proxy, and clients of it, for the gateway's tests. */

import { once } from 'node:events';
import http from 'node:http';
import { PassThrough } from 'node:stream';
import type { TlsFiles } from '@standpipe/plumbing';
import { eventually, type SpyLog, spyLog, testTls } from '@standpipe/plumbing/testing';
import type { ExecutionContext } from 'ava';
import { FakeEgress, type FakeEgressOptions } from '../testing.ts';
import type { GatewayConfig } from './config.ts';
import { type Gateway, startGateway } from './gateway.ts';

export interface Stream {
  readonly response: http.IncomingMessage;
  /** What came so far. */
  readonly text: string;
  /** How many events came so far. */
  events(): number;
}

export interface Started {
  readonly gateway: Gateway;
  readonly proxy: FakeEgress;
  readonly tls: { readonly reverselogproxy: TlsFiles; readonly gateway: TlsFiles };
  readonly log: SpyLog;
  /** The access log so far. */
  accessLog(): string;
  read(query: string, options?: { reading?: boolean }): Promise<Stream>;
  /** The sum of a metric's series that have these labels. */
  metric(name: string, labels?: Readonly<Record<string, string>>): number;
}

export async function started(
  t: ExecutionContext,
  config: Partial<GatewayConfig> = {},
  proxyOptions: Partial<FakeEgressOptions> = {},
): Promise<Started> {
  const tls = await testTls('reverselogproxy', 'gateway');
  const proxy = await FakeEgress.listen({
    tls: tls.reverselogproxy,
    answersAtOnce: true,
    ...proxyOptions,
  });
  const log = spyLog();
  const out = new PassThrough().setEncoding('utf8');
  let accessLog = '';
  out.on('data', (line: string) => {
    accessLog += line;
  });
  const gateway = await startGateway(
    {
      address: '127.0.0.1:0',
      https: undefined,
      proxyAddress: proxy.address,
      proxyName: 'reverselogproxy',
      tls: tls.gateway,
      streamTimeoutMs: 60_000,
      heartbeatMs: 15_000,
      stallMs: 60_000,
      proxyWaitMs: 300,
      access: undefined,
      observability: { metricsPort: 0, statsdAddress: '', metricsIntervalMs: 60_000 },
      ...config,
    },
    log,
    out,
  );
  const agent = new http.Agent();
  t.teardown(async () => {
    agent.destroy();
    await gateway[Symbol.asyncDispose]();
    await proxy[Symbol.asyncDispose]();
  });

  const read: Started['read'] = async (query, { reading = true } = {}) => {
    const before = proxy.calls.length;
    const request = http.get(`http://${gateway.address}/v2/read${query}`, { agent });
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    await eventually(() => proxy.calls.length > before);
    return streamOf(response, reading);
  };
  const metric: Started['metric'] = (name, labels = {}) => {
    let sum = 0;
    for (const series of gateway.metrics.series()) {
      const fits = Object.entries(labels).every(([key, value]) => series.labels[key] === value);
      if (series.name === name && fits) sum += series.value;
    }
    return sum;
  };
  return { gateway, proxy, tls, log, accessLog: () => accessLog, read, metric };
}

/** Gathers what an answer brings. */
export function streamOf(response: http.IncomingMessage, reading = true): Stream {
  response.on('error', () => {}); // It is cut when a test ends.
  let text = '';
  response.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  if (!reading) response.pause();
  return {
    response,
    get text() {
      return text;
    },
    events: () => text.split('\n\n').length - 1,
  };
}
