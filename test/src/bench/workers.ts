/**
 * The processes that load a Doppler and read from it, and what they say to the benchmark.
 *
 * They are processes of their own so that their work is not counted as the Doppler's. A message
 * to a worker is a command, a message from it a report.
 */

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { TlsFiles } from '@standpipe/plumbing';

export interface WorkerOptions {
  /** host:port of the Doppler. */
  readonly address: string;
  readonly tls: TlsFiles;
  readonly shape: 'lean' | 'cf';
  /** What a reader subscribes to. Default: everything, as v2. */
  readonly reads?: Reads;
}

/** The streams of a reader, all on one connection, as those of a traffic controller are. */
export interface Reads {
  readonly protocol: 'v1' | 'v2';
  /** So many streams of one source each, instead of one of everything. */
  readonly appStreams?: number;
}

/** How many sources the load comes from. */
export const SOURCES = 100;

export function sourceOf(index: number): string {
  return `5a3f0c1e-7c1d-4f4e-9b39-${String(index % SOURCES).padStart(12, '0')}`;
}

/** What a worker counted since it began. */
export interface Report {
  readonly envelopes: number;
  /** The messages that they came in; told by a reader. */
  readonly messages?: number;
}

/** Begin to send this many envelopes a second for so long; the loader reports when it has ended. */
export interface LoadCommand {
  readonly perSecond: number;
  readonly seconds: number;
}

export class Worker<Command extends object> implements AsyncDisposable {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  /** Starts `load` or `read` and waits till it says that it is ready. */
  static async start<Command extends object>(
    name: 'load' | 'read',
    options: WorkerOptions,
  ): Promise<Worker<Command>> {
    const module = fileURLToPath(new URL(`./${name}.js`, import.meta.url));
    const child = fork(module, [JSON.stringify(options)]);
    await once(child, 'message');
    return new Worker<Command>(child);
  }

  /** Sends a command and waits for the report that answers it. */
  async ask(command: Command): Promise<Report> {
    const answered = once(this.#child, 'message');
    this.#child.send(command);
    const [report] = await answered;
    return report as Report;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exited;
  }
}
