/**
 * The syslog adapter: reads what apps log from the reverse log proxy and writes it to their drains.
 *
 *     bindings file ──▶ which drains ──┬──▶ selectors ──▶ reverse log proxy
 *                                      │                        │ batches
 *                                      └──▶ Drains ◀────────────┘
 *                                             └──▶ one queue and one connection each
 *
 * It stops in the order of the data: no more bindings, no more batches, then each drain may write
 * what waits for it, then the apps are told what was lost.
 */

import {
  createLogger,
  dial,
  type Log,
  Metrics,
  observability,
  Rounds,
  readTls,
  systemClock,
} from '@standpipe/plumbing';
import { BindingFile } from './binding-file.ts';
import type { Config } from './config.ts';
import { Drains } from './drains.ts';
import { FrameBuffer } from './framing.ts';
import { adapterMetrics } from './metrics.ts';
import { Notices } from './notices.ts';
import { Rfc5424Writer } from './rfc5424.ts';
import { Subscriptions } from './subscriptions.ts';

/** How long a line may wait for others of its app. The original's agent lets it wait as long. */
const ROUND_MS = 100;
/** How long drains may write what waits when the process ends; it has 10 s in all. */
const DRAIN_LIMIT_MS = 3000;

export interface SyslogAdapter extends AsyncDisposable {
  readonly metricsPort: number;
  readonly metrics: Metrics;
}

export async function startAdapter(
  config: Config,
  log: Log = createLogger('syslog-adapter'),
): Promise<SyslogAdapter> {
  const all = new Metrics({ origin: 'syslog_adapter' });
  const tls = readTls(config.tls, { log, metrics: all });
  const metrics = adapterMetrics(all);
  const observed = await observability(config.observability, all, log);

  const client = dial({ address: config.rlpAddress, tls, serverName: 'reverselogproxy' });
  const agent =
    config.agentAddress === ''
      ? undefined
      : dial({ address: config.agentAddress, tls, serverName: 'metron' });
  const notices = agent && new Notices({ client: agent, log });

  const frames = new FrameBuffer();
  const drains = new Drains(
    {
      frames,
      text: new Rfc5424Writer(frames),
      metrics,
      log,
      clock: systemClock,
      bufferSize: config.bufferSize,
      rounds: new Rounds({ ms: ROUND_MS }),
      onLost: (binding, count) => notices?.lost(binding, count),
    },
    { idleMs: config.idleMs },
  );
  const active = { unit: 'count', read: () => drains.activeCount };
  all.gauge('active_drains', 'Drains that are connected.', active);
  const subscriptions = new Subscriptions({
    client,
    shardId: config.shardId,
    log,
    clock: systemClock,
    onBatch: (bytes) => drains.accept(bytes),
  });

  const file = await BindingFile.open({
    path: config.bindingsFile,
    rules: { perApp: config.bindingsPerApp, metadata: config.metadata },
    metrics,
    log,
    clock: systemClock,
    onBindings: ({ drains: bound }) => {
      drains.bind(bound);
      subscriptions.bind(bound);
      log.info({ drains: bound.length }, 'bindings read');
    },
  });

  return {
    metricsPort: observed.port,
    metrics: all,
    async [Symbol.asyncDispose](): Promise<void> {
      await file[Symbol.asyncDispose]();
      await subscriptions[Symbol.asyncDispose]();
      await drains.close(DRAIN_LIMIT_MS);
      await notices?.[Symbol.asyncDispose]();
      client.close();
      agent?.close();
      await observed[Symbol.asyncDispose]();
    },
  };
}
