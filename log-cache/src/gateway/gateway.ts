/**
 * The REST API in front of a Log Cache that stands alone.
 *
 *     HTTP ──▶ guard, if UAA and Cloud Controller are set ──▶ routes ══ gRPC ══▶ node ══▶ owners
 *
 * It keeps nothing, and serves `info` while the node is not there.
 */

import { createLogger, type Log, Metrics, observability, readTls } from '@standpipe/plumbing';
import { LogCacheClient } from '../client.ts';
import { tellIfNear } from '../process-settings.ts';
import { Querier } from '../promql/querier.ts';
import { listenRest } from '../rest/listen.ts';
import type { GatewayConfig } from './config.ts';
import { NodeReader } from './node-reader.ts';
import { NodeSeries } from './node-series.ts';
import { NodeTails } from './node-tails.ts';

/**
 * The node asks others in its turn, and must have the time to say which of them have let it wait:
 * clearly more than what it gives them, for long and for short.
 */
export const NODE_TIMES = { readDeadlineMs: 10_000, suspectedMs: 2000 };

export interface Gateway extends AsyncDisposable {
  /** `host:port` as bound. */
  readonly address: string;
  readonly metricsPort: number;
}

export async function startGateway(
  config: GatewayConfig,
  log: Log = createLogger('log-cache-gateway'),
): Promise<Gateway> {
  const metrics = new Metrics({ origin: 'log-cache-gateway' });
  const opened: AsyncDisposable[] = [];
  const closeAll = async (): Promise<void> => {
    for (const one of opened.toReversed()) await one[Symbol.asyncDispose]();
  };
  try {
    const told = await observability(config.observability, metrics, log);
    opened.push(told);
    const { logCacheAddress: address } = config;
    const tls = config.tls && readTls(config.tls, { log, metrics });
    const client = new LogCacheClient({ address, tls, ...NODE_TIMES });
    opened.push(client);
    const tails = new NodeTails({ client, address, log });
    const listener = await listenRest(config.rest, {
      reader: new NodeReader({ client, address }),
      tails,
      querier: new Querier({
        source: new NodeSeries(client),
        timeoutMs: config.queryTimeoutMs,
        metrics,
      }),
      log,
      metrics,
    });
    opened.push(listener);
    tellIfNear(config, log);
    return {
      address: listener.address,
      metricsPort: told.port,
      async [Symbol.asyncDispose](): Promise<void> {
        tails[Symbol.dispose](); // They last as long as their readers.
        await closeAll();
      },
    };
  } catch (error) {
    await closeAll();
    throw error;
  }
}
