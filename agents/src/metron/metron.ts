/**
 * A metron agent: takes the envelopes of its machine in and sends each to the Doppler that owns
 * its source.
 *
 *     programs ──gRPC──▶ ingress ──▶ processor ──▶ egress: a lane per Doppler ──gRPC──▶ Dopplers
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
import type { MetronConfig } from './config.ts';
import { Egress } from './egress.ts';
import { ingress } from './ingress.ts';
import { metronMetrics } from './metrics.ts';
import { Processor } from './processor.ts';

/** How long streams may take to end once the agent stops; what they still send is taken. */
const DRAIN_MS = 2_000;

export interface Metron extends AsyncDisposable {
  /** Where programs connect (gRPC). */
  readonly address: string;
  readonly port: number;
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
    return {
      address: listener.address,
      port: listener.port,
      metricsPort: shown.port,
      metrics,
      [Symbol.asyncDispose]: () => closeAll(opened),
    };
  } catch (error) {
    await closeAll(opened);
    throw error;
  }
}
