/**
 * What each instance uses, as one gauge envelope with the five metrics that Diego's cells send:
 *
 *     cpu            percentage   of one processor core, since the last measurement
 *     memory         bytes        in RAM, of all of its processes
 *     disk           bytes        in its directory, if it has one of its own
 *     memory_quota   bytes        as the app's description says
 *     disk_quota     bytes
 *
 * They stay in one envelope because consumers know a container metric only whole. The first is
 * sent two seconds after the start, the others at the interval; all instances that are due are
 * measured with one reading of the process table.
 */

import type { Clock, Log } from '@standpipe/plumbing';
import { joinTime, loggregator } from '@standpipe/protos';
import type { App } from './app.ts';
import { directorySize } from './directory-size.ts';
import { type InstanceLog, tagsOf } from './instance-log.ts';
import { familyOf, type ProcessEntry, readProcessTable } from './process-table.ts';

/** How soon after its start an instance is measured first. */
const FIRST_AFTER_MS = 2000;
/** How often it is looked whether any instance is due. */
const TICK_MS = 1000;

/** An instance that runs. */
export interface Measured {
  readonly app: App;
  readonly index: number;
  readonly guid: string;
  /** Its first process, which leads its group and its session. */
  readonly pid: number;
  readonly startedAtMs: number;
  readonly log: InstanceLog;
}

export interface ContainerMetricsOptions {
  readonly intervalMs: number;
  /** Takes a bare Envelope; it must copy the bytes. */
  readonly emit: (envelope: Buffer) => void;
  readonly clock: Clock;
  readonly log: Log;
  /** Default: the machine's. */
  readonly readTable?: () => Promise<readonly ProcessEntry[]>;
}

interface Round {
  dueAtMs: number;
  measuredAtMs: number;
  cpuMs: number;
  /** Whether the log has said that its folder is too large. */
  isTold: boolean;
}

export class ContainerMetrics implements AsyncDisposable {
  readonly #options: ContainerMetricsOptions;
  readonly #rounds = new Map<Measured, Round>();
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;

  constructor(options: ContainerMetricsOptions) {
    this.#options = options;
    this.#running = this.#run();
  }

  /** Measures an instance until `remove`. */
  add(instance: Measured): void {
    const { startedAtMs } = instance;
    const dueAtMs = startedAtMs + Math.min(FIRST_AFTER_MS, this.#options.intervalMs);
    this.#rounds.set(instance, { dueAtMs, measuredAtMs: startedAtMs, cpuMs: 0, isTold: false });
  }

  remove(instance: Measured): void {
    this.#rounds.delete(instance);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { clock, intervalMs, log } = this.#options;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      await clock.sleep(Math.min(TICK_MS, intervalMs), signal);
      const nowMs = clock.now();
      const due = [...this.#rounds].filter(([, round]) => round.dueAtMs <= nowMs);
      if (due.length === 0 || signal.aborted) continue;
      try {
        await this.#measure(due);
      } catch (error) {
        log.limited('unmeasured', 'error', { error }, 'instances cannot be measured');
      }
    }
  }

  async #measure(due: readonly (readonly [Measured, Round])[]): Promise<void> {
    const { clock, emit, intervalMs, readTable = readProcessTable } = this.#options;
    for (const [, round] of due) round.dueAtMs = clock.now() + intervalMs;

    const table = await readTable();
    const nowMs = clock.now();
    for (const [instance, round] of due) {
      const family = familyOf(table, instance.pid);
      if (family.size === 0) continue; // It has ended since.
      const cpuMs = sumOf(family, (entry) => entry.cpuMs);
      const elapsedMs = Math.max(1, nowMs - round.measuredAtMs);
      // A process that nobody waited for takes its share of the sum with it when it ends.
      const cpuPercentage = (Math.max(0, cpuMs - round.cpuMs) / elapsedMs) * 100;
      round.cpuMs = cpuMs;
      round.measuredAtMs = nowMs;

      const diskBytes = await this.#diskBytes(instance.app, round);
      if (!this.#rounds.has(instance)) continue;
      const memoryBytes = sumOf(family, (entry) => entry.residentBytes);
      emit(encodeContainerMetric(instance, { cpuPercentage, memoryBytes, diskBytes }));
    }
  }

  async #diskBytes({ directory, ownsDirectory }: App, round: Round): Promise<number> {
    if (!ownsDirectory) return 0;
    const { bytes, isComplete } = await directorySize(directory);
    if (!isComplete && !round.isTold) {
      round.isTold = true; // It will be as large the next time, and the next.
      const { log } = this.#options;
      log.limited(directory, 'warn', { directory }, 'too many files, the disk metric is too low');
    }
    return bytes;
  }
}

interface Usage {
  readonly cpuPercentage: number;
  readonly memoryBytes: number;
  readonly diskBytes: number;
}

/** The envelope of one measurement. */
function encodeContainerMetric(instance: Measured, usage: Usage): Buffer {
  const { app, index, guid, log } = instance;
  const { high, low } = log.nextTime();
  const bytes = (value: number): loggregator.v2.IGaugeValue => ({ unit: 'bytes', value });
  const envelope = loggregator.v2.Envelope.fromObject({
    timestamp: String(joinTime(high, low)),
    source_id: app.guid,
    instance_id: String(index),
    tags: tagsOf(app, index, guid),
    gauge: {
      metrics: {
        cpu: { unit: 'percentage', value: usage.cpuPercentage },
        memory: bytes(usage.memoryBytes),
        disk: bytes(usage.diskBytes),
        memory_quota: bytes(app.memoryQuotaBytes),
        disk_quota: bytes(app.diskQuotaBytes),
      },
    },
  });
  return Buffer.from(loggregator.v2.Envelope.encode(envelope).finish());
}

function sumOf(family: Iterable<ProcessEntry>, part: (entry: ProcessEntry) => number): number {
  let sum = 0;
  for (const entry of family) sum += part(entry);
  return sum;
}
