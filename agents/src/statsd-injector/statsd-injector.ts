/**
 * A statsd injector: turns the lines that statsd clients send into envelopes for the agent.
 *
 *     clients ──UDP──▶ datagrams ──▶ injector ──▶ ingress client ──gRPC──▶ metron agent
 *
 * While the agent is away, envelopes wait in the client's queue; the oldest are dropped, and
 * counted, when it is full. To stop, it takes no more in, sends what waits, and hangs up.
 */

import { createLogger, type Log, Metrics, observability, readTls } from '@standpipe/plumbing';
import { closeAll } from '../close-all.ts';
import { Datagrams } from '../datagrams.ts';
import { IngressClient } from '../ingress-client.ts';
import type { InjectorConfig } from './config.ts';
import { Injector } from './injector.ts';
import { injectorMetrics } from './metrics.ts';
import { SeriesTable } from './series.ts';

export interface StatsdInjector extends AsyncDisposable {
  /** Where clients send (UDP). */
  readonly address: string;
  readonly port: number;
  /** Where /metrics answers. */
  readonly metricsPort: number;
  readonly metrics: Metrics;
}

export async function startStatsdInjector(
  config: InjectorConfig,
  log: Log = createLogger('statsd-injector'),
): Promise<StatsdInjector> {
  const metrics = new Metrics({ origin: 'statsd_injector' });
  const series = new SeriesTable();
  let client: IngressClient | undefined;
  const counts = injectorMetrics(metrics, {
    waiting: () => client?.waiting ?? 0,
    series: () => series.size,
  });
  const opened: AsyncDisposable[] = [];
  try {
    const shown = await observability(config, metrics, log);
    opened.push(shown);
    const agent = new IngressClient({
      address: config.agentAddress,
      tls: readTls(config.tls, { log, metrics }),
      onDrop: (count) => counts.dropped.add(count),
      onSent: (count) => counts.egress.add(count),
      onUnconfirmed: (count) => counts.unconfirmed.add(count),
      log,
    });
    client = agent;
    opened.push(agent);
    const emit = (envelope: Buffer): void => agent.emit(envelope);
    const injector = new Injector({ emit, metrics: counts, series, log });
    const { host, port } = config;
    const datagrams = await Datagrams.open({ host, port, take: (it) => injector.take(it), log });
    opened.push(datagrams);
    return {
      address: datagrams.address,
      port: datagrams.port,
      metricsPort: shown.port,
      metrics,
      [Symbol.asyncDispose]: () => closeAll(opened),
    };
  } catch (error) {
    await closeAll(opened);
    throw error;
  }
}
