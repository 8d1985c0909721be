/**
 * Runs apps as Cloud Foundry's cells do, and sends what they write and use to the agent.
 *
 *     apps file ──▶ cell ──▶ instances ──lines────────▶ ingress client ──gRPC──▶ metron agent
 *                               └──/proc──▶ container metrics ──▲
 *
 * The only place where envelopes are lost is the client's queue, when the agent is away for long
 * or slower than the instances for more than a second: then its oldest go, and are counted.
 */

import { dirname, resolve } from 'node:path';
import {
  createLogger,
  type Log,
  Metrics,
  observability,
  readTls,
  systemClock,
  WatchedFile,
} from '@standpipe/plumbing';
import { IngressClient } from '../ingress-client.ts';
import { AppsError, parseApps } from './apps-file.ts';
import { Cell } from './cell.ts';
import type { Config } from './config.ts';
import { ContainerMetrics } from './container-metrics.ts';
import type { Instance } from './instance.ts';
import { declareStateMetrics, executorMetrics } from './metrics.ts';
import { Reaper } from './reaper.ts';

/** What may wait for the agent: more than one read of a pipe can bring at once. */
const WAITING_COUNT_MAX = 50_000;
const WAITING_BYTES_MAX = 48 * 1024 * 1024;

export interface Executor extends AsyncDisposable {
  /** Where /metrics answers. */
  readonly metricsPort: number;
  /** What runs now. */
  readonly instances: readonly Instance[];
}

export async function startExecutor(
  config: Config,
  log: Log = createLogger('executor'),
): Promise<Executor> {
  const folder = dirname(resolve(config.appsFile));
  const file = new WatchedFile({
    path: config.appsFile,
    clock: systemClock,
    onChange: (text) => applyText(text, folder, cell, log),
    onError: (error) => log.error({ error }, 'the apps file cannot be read, nothing changes'),
  });
  const apps = parseApps(await file.read(), folder);

  const metrics = new Metrics({
    origin: 'executor',
    tags: config.cell.count > 1 ? { cell: String(config.cell.index) } : {},
  });
  const counters = executorMetrics(metrics);
  const tls = readTls(config.tls, { log, metrics });
  const served = await observability(config.observability, metrics, log);
  const client = new IngressClient({
    address: config.agentAddress,
    tls,
    maxCount: WAITING_COUNT_MAX,
    maxBytes: WAITING_BYTES_MAX,
    onDrop: (count) => counters.droppedEnvelopes.add(count),
    log,
  });
  const reaper = new Reaper(log);
  const measure = new ContainerMetrics({
    intervalMs: config.containerMetricsIntervalMs,
    emit: (envelope) => client.emit(envelope),
    clock: systemClock,
    log,
  });
  const context = {
    cellIndex: config.cell.index,
    inheritedEnv: config.inheritedEnv,
    outlet: client,
    reaper,
    metrics: counters,
    clock: systemClock,
    log,
  };
  const cell = new Cell({ place: config.cell, context, measure });
  declareStateMetrics(metrics, client, cell);
  cell.apply(apps);
  file.watch();

  return {
    metricsPort: served.port,
    get instances(): readonly Instance[] {
      return cell.instances;
    },
    async [Symbol.asyncDispose](): Promise<void> {
      // Stop taking in first, flush second, close third.
      for (const part of [file, cell, measure, client, reaper, served]) {
        await part[Symbol.asyncDispose]();
      }
    },
  };
}

/** Goes over to what the changed file says; a file with mistakes changes nothing. */
function applyText(text: string, folder: string, cell: Cell, log: Log): void {
  try {
    cell.apply(parseApps(text, folder));
  } catch (error) {
    if (!(error instanceof AppsError)) throw error;
    log.error({ mistakes: error.mistakes }, 'the apps file has mistakes, nothing changes');
  }
}
