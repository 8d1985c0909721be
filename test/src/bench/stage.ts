/**
 * Where a scenario is played: real processes of the pipeline, each on its own ports, and workers
 * that load them and read from them. All of it goes when the stage does, the last first.
 *
 * Processes have the settings that they have in `npm start`, but for those that would bring
 * envelopes of their own into the count: their own metrics go nowhere. Two more differ: as much may
 * wait for a v1 subscriber as by default, and a Doppler's cache is a quarter of the default, larger
 * than what a CPU keeps and soon full (fill.ts). Peak RSS is less by that difference.
 */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TlsFiles } from '@standpipe/plumbing';
import { prepareCertificates } from '../pipeline.ts';
import { freePorts } from '../ports.ts';
import { ManagedProcess, type ProcessSpec } from '../process.ts';
import { listenersOf, topology } from '../topology.ts';
import { type Peer, Worker, type WorkerKind } from './worker.ts';

/** Of all Dopplers of a pipeline together, so that few and many look after equally many envelopes. */
const CACHE_BYTES = 64 * 1024 * 1024;

/** What keeps a process's own metrics out of the count; and there is nobody who would take them. */
const SETTINGS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  metron: { STATSD_ADDRESS: '' },
  doppler: {
    STATSD_ADDRESS: '',
    AGENT_GRPC_ADDRESS: '',
    EGRESS_BUFFER_SIZE: '50000',
  },
  traffic_controller: { STATSD_ADDRESS: '', AGENT_GRPC_ADDRESS: '' },
  reverse_log_proxy: { STATSD_ADDRESS: '', AGENT_ADDR: '' },
  syslog_adapter: { STATSD_ADDRESS: '', AGENT_ADDRESS: '' },
  statsd_injector: { STATSD_ADDRESS: '' },
};

export interface StartOptions {
  /** The processes by their names in the topology, such as `doppler az1/0`. */
  readonly names: readonly string[];
  /** How many Dopplers there are. Default 1. */
  readonly dopplers?: number;
  /** Where agents send, if not to the Dopplers that are started. */
  readonly dopplerAddress?: string;
  readonly bindingsFile?: string;
  /** More settings of the Dopplers. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Arguments for Node before the module of a process. */
  readonly nodeOptions?: (name: string) => readonly string[];
}

/** The processes that were started, by name. */
export type Started = (name: string) => ManagedProcess;

export class Stage implements AsyncDisposable {
  /** Removed with the stage. */
  readonly folder: string;
  /** The folder with ca.crt and each process's certificate and key. */
  readonly certificates: string;
  readonly #opened: AsyncDisposable[] = [];

  private constructor(folder: string, certificates: string) {
    this.folder = folder;
    this.certificates = certificates;
  }

  /** With certificates of its own, unless there are some already: keys take long to make. */
  static async open(certificates?: string): Promise<Stage> {
    const folder = await mkdtemp(join(tmpdir(), 'standpipe-bench-'));
    return new Stage(folder, certificates ?? (await prepareCertificates(folder)));
  }

  /** Starts processes of one pipeline; it may be done again, for another one beside it. */
  async start({ names, dopplers = 1, ...options }: StartOptions): Promise<Started> {
    const zones = { az1: dopplers };
    const specs = topology({
      zones,
      portOf: await freePorts(listenersOf(zones)),
      certificates: this.certificates,
      ...(options.bindingsFile === undefined ? {} : { bindingsFile: options.bindingsFile }),
      envOf: settingsFor({ ...options, dopplers }),
    });
    const started = new Map<string, ManagedProcess>();
    for (const name of names) {
      const spec = specs.find((one) => one.name === name);
      if (!spec) throw new Error(`the topology has no ${name}`);
      const command = [...(options.nodeOptions?.(name) ?? []), ...spec.command];
      started.set(name, await this.#process({ ...spec, command }));
    }
    return (name) => {
      const found = started.get(name);
      if (!found) throw new Error(`${name} was not started`);
      return found;
    };
  }

  async worker<Kind extends WorkerKind>(
    kind: Kind,
    options: Parameters<typeof Worker.start<Kind>>[1],
  ): Promise<Worker<Kind>> {
    const worker = await Worker.start(kind, options);
    this.#opened.push(worker);
    return worker;
  }

  /** The certificate and key with this name; the traffic controller's fits every client. */
  tls(name = 'trafficcontroller'): TlsFiles {
    return {
      ca: `${this.certificates}/ca.crt`,
      cert: `${this.certificates}/${name}.crt`,
      key: `${this.certificates}/${name}.key`,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const opened of this.#opened.splice(0).reverse()) await opened[Symbol.asyncDispose]();
    await rm(this.folder, { recursive: true, force: true });
  }

  async #process(spec: ProcessSpec): Promise<ManagedProcess> {
    const managed = new ManagedProcess(spec, () => {});
    await managed.start();
    this.#opened.push(managed);
    return managed;
  }
}

/** A process as its clients know it. */
export function peerOf(managed: ManagedProcess, serverName: string): Peer {
  return { address: managed.address('grpc'), serverName };
}

function settingsFor(
  options: Pick<StartOptions, 'dopplerAddress' | 'settings'> & { readonly dopplers: number },
): typeof SETTINGS {
  const { dopplerAddress, settings, dopplers } = options;
  const cacheBytes = String(Math.floor(CACHE_BYTES / dopplers));
  return {
    ...SETTINGS,
    doppler: { ...SETTINGS.doppler, MEMORY_LIMIT_BYTES: cacheBytes, ...settings },
    ...(dopplerAddress === undefined
      ? {}
      : { metron: { ...SETTINGS.metron, DOPPLER_SHARDS: `az1=${dopplerAddress}` } }),
  };
}
