/**
 * A whole pipeline of real processes: what `npm start`, the end-to-end tests and the benchmarks
 * share. Starting resolves when every listener is bound; disposing drains every process, those
 * that take in first.
 */

import { join } from 'node:path';
import { ensureCertificates } from '@standpipe/plumbing/authority';
import { ManagedProcess, type OnLine } from './process.ts';
import { CERTIFICATES, type TopologyOptions, topology } from './topology.ts';

export interface PipelineOptions extends Omit<TopologyOptions, 'certificates'> {
  /** Where certificates and generated files are kept from one start to the next. */
  readonly folder: string;
  /** Hears every line that a process writes to stderr. */
  readonly onLine?: OnLine;
  /** Hears now and then which processes have not drained yet, of those that are to. */
  readonly onDraining?: (processes: readonly ManagedProcess[]) => void;
}

/** The order in which a pipeline is drained: nothing is stopped before what feeds it. */
const DRAIN_ORDER = [
  'executor',
  'statsd_injector',
  'metron',
  'doppler',
  'reverse_log_proxy',
  'reverse_log_proxy_gateway',
  'syslog_adapter',
  'traffic_controller',
  'platform',
];

/** Makes what certificates are missing below `folder` and returns where they are. */
export async function prepareCertificates(folder: string): Promise<string> {
  const certificates = join(folder, 'certificates');
  await ensureCertificates(certificates, CERTIFICATES);
  return certificates;
}

const DRAINING_TOLD_MS = 2000;

export class Pipeline implements AsyncDisposable {
  readonly processes: readonly ManagedProcess[];
  /** The folder with ca.crt and each process's certificate and key. */
  readonly certificates: string;
  readonly #onDraining: NonNullable<PipelineOptions['onDraining']>;

  private constructor(
    processes: readonly ManagedProcess[],
    { certificates, onDraining }: Pick<PipelineOptions, 'onDraining'> & { certificates: string },
  ) {
    this.processes = processes;
    this.certificates = certificates;
    this.#onDraining = onDraining ?? (() => {});
  }

  static async start(options: PipelineOptions): Promise<Pipeline> {
    const certificates = await prepareCertificates(options.folder);
    const onLine = options.onLine ?? (() => {});
    const specs = topology({ ...options, certificates });
    const pipeline = new Pipeline(
      specs.map((spec) => new ManagedProcess(spec, onLine)),
      { ...options, certificates },
    );
    // Who judges tokens asks for the platform's keys at once, and else again a second later.
    const isPlatform = ({ spec }: ManagedProcess): boolean => spec.sourceId === 'platform';
    const others = pipeline.processes.filter((managed) => !isPlatform(managed));
    const failures: string[] = [];
    for (const group of [pipeline.processes.filter(isPlatform), others]) {
      const outcomes = await Promise.allSettled(group.map((managed) => managed.start()));
      for (const outcome of outcomes) {
        if (outcome.status === 'rejected') failures.push((outcome.reason as Error).message);
      }
    }
    if (failures.length === 0) return pipeline;

    await pipeline[Symbol.asyncDispose]();
    throw new Error(failures.join('\n'));
  }

  /** The process with this name, as the topology calls it. */
  process(name: string): ManagedProcess {
    const found = this.processes.find(({ spec }) => spec.name === name);
    if (!found) throw new Error(`the pipeline has no process ${name}`);
    return found;
  }

  /** How long draining all of them takes at the very most. */
  get stopLimitMs(): number {
    const limits = DRAIN_ORDER.map((sourceId) =>
      Math.max(0, ...this.#groupOf(sourceId).map(({ stopLimitMs }) => stopLimitMs)),
    );
    return limits.reduce((sum, limit) => sum + limit, 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const sourceId of DRAIN_ORDER) {
      const group = this.#groupOf(sourceId);
      const tell = setInterval(() => {
        this.#onDraining(group.filter(({ isRunning }) => isRunning));
      }, DRAINING_TOLD_MS);
      try {
        await Promise.all(group.map((managed) => managed.stop()));
      } finally {
        clearInterval(tell);
      }
    }
  }

  #groupOf(sourceId: string): ManagedProcess[] {
    return this.processes.filter(({ spec }) => spec.sourceId === sourceId);
  }
}
