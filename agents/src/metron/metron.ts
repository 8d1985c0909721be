/**
 * A metron agent: takes the envelopes of its machine in and sends each to the Doppler that owns
 * its source.
 *
 *     programs ──gRPC──▶ ingress ────┬──▶ processor ──▶ egress: a lane per Doppler ──gRPC──▶ Dopplers
 *     old ones ──UDP──▶ dropsonde ───┘
 *
 * Only the lanes hold envelopes: see docs/operating.md for their limits. To stop, it takes no more
 * in, sends what waits, and hangs up.
 */

import {
  createLogger,
  type Log,
  listenGrpc,
  Metrics,
  observability,
  readTls,
} from '@standpipe/plumbing';
import { closeAll } from '../close-all.ts';
import { Datagrams } from '../datagrams.ts';
import type { MetronConfig } from './config.ts';
import { Dropsonde } from './dropsonde.ts';
import { Egress } from './egress.ts';
import { ingress } from './ingress.ts';
import { type MetronMetrics, metronMetrics } from './metrics.ts';
import { Processor } from './processor.ts';

/** How long streams may take to end once the agent stops; what they still send is taken. */
const DRAIN_MS = 2_000;

export interface Metron extends AsyncDisposable {
  /** Where programs connect (gRPC). */
  readonly address: string;
  readonly port: number;
  /** Where dropsonde comes in (UDP), if it does. */
  readonly udpPort: number | undefined;
  /** Where /metrics answers. */
  readonly metricsPort: number;
  readonly metrics: Metrics;
}

export async function startMetron(
  config: MetronConfig,
  log: Log = createLogger('metron'),
): Promise<Metron> {
  const metrics = new Metrics({ origin: 'metron', tags: { zone: config.zone } });
  let egress: Egress | undefined;
  const counts = metronMetrics(metrics, {
    connected: () => egress?.connected ?? 0,
    waiting: () => egress?.waiting ?? 0,
  });
  const opened: AsyncDisposable[] = [];
  try {
    const shown = await observability(config, metrics, log);
    opened.push(shown);
    const out = new Egress(config, counts, log);
    egress = out;
    opened.push(out);
    const processor = new Processor({ ...config, owners: out, metrics: counts });
    const door = ingress({
      process: (batch) => processor.process(batch),
      isBehind: () => out.isBehind,
      metrics: counts,
      log,
    });
    const listener = await listenGrpc({
      address: `127.0.0.1:${config.port}`,
      tls: readTls(config.tls),
      services: [door],
      log,
      metrics,
      drainMs: DRAIN_MS,
    });
    opened.push(listener);
    const dropsonde = await openDropsonde(config, processor, counts, log);
    if (dropsonde) opened.push(dropsonde);
    return {
      address: listener.address,
      port: listener.port,
      udpPort: dropsonde?.port,
      metricsPort: shown.port,
      metrics,
      [Symbol.asyncDispose]: () => closeAll(opened),
    };
  } catch (error) {
    await closeAll(opened);
    throw error;
  }
}

/** Opens the old door, if it has a port. LOGS_DISABLED does not concern it. */
async function openDropsonde(
  config: MetronConfig,
  processor: Processor,
  metrics: MetronMetrics,
  log: Log,
): Promise<Datagrams | undefined> {
  const { udpPort, v1Defaults = { deployment: '', job: '', index: '', ip: '' } } = config;
  if (udpPort === undefined) return undefined;
  const dropsonde = new Dropsonde({
    defaults: v1Defaults,
    process: (batch) => processor.process(batch, true),
    metrics,
    log,
  });
  return Datagrams.open({
    host: '127.0.0.1',
    port: udpPort,
    take: (datagram) => dropsonde.take(datagram),
    log,
  });
}
