/**
 * The processes that load what is measured and read from it, and what they say to the benchmark.
 *
 * They are processes of their own so that their work is not counted as that of the processes under
 * test. Each is a module in workers/ that takes its options as JSON; it says that it is ready, and
 * from then on answers each command with one report.
 */

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { TlsFiles } from '@standpipe/plumbing';

export type Shape = 'lean' | 'cf';

/** Somewhere to connect to, and the name in its certificate. */
export interface Peer {
  readonly address: string;
  readonly serverName: string;
}

/** What a worker counted since it began. */
export interface Report {
  readonly envelopes: number;
  /** Where it listens, if it does. */
  readonly address?: string;
  /** How long something took, if it measures that: the median, and what one in a hundred exceeds. */
  readonly p50Ms?: number;
  readonly p99Ms?: number;
}

export interface LoadOptions {
  /** Each gets the envelopes of the sources that it owns, if there are several. */
  readonly peers: readonly Peer[];
  readonly tls: TlsFiles;
  readonly shape: Shape;
  /** How many sources the load comes from. */
  readonly sources: number;
  /** Envelopes in one message. */
  readonly perMessage: number;
  /** Whether each envelope's tags stand in another order, as Go's encoders write them. */
  readonly isShuffled?: boolean;
}

/** Begin to send this many envelopes a second for so long; the report comes when it has ended. */
export interface LoadCommand {
  readonly perSecond: number;
  readonly seconds: number;
}

export interface ReadOptions {
  readonly peers: readonly Peer[];
  readonly tls: TlsFiles;
  readonly protocol: 'v1' | 'v2';
  /** Streams of everything at each peer, each on a connection of its own, as nozzles have them. */
  readonly firehoses?: number;
  /** Streams of one source each, all on one connection, as the traffic controller has them. */
  readonly appStreams?: number;
  /** Whether to take the time that each envelope was on its way. */
  readonly times?: boolean;
}

/** Asks for what was counted. */
export interface ReadCommand {
  /** Whether the times taken so far are none of those that are asked for later. */
  readonly forgetTimes?: boolean;
}

export interface WebSocketOptions {
  readonly address: string;
  readonly path: string;
}

export interface SinkOptions {
  readonly tls: TlsFiles;
}

export interface StatsdOptions {
  readonly port: number;
  readonly perDatagram: number;
}

export interface PollOptions {
  readonly address: string;
  readonly sources: number;
  readonly readers: number;
  readonly limit: number;
}

/** How often each reader asks, and for how long. */
export interface PollCommand {
  readonly everyMs: number;
  readonly seconds: number;
}

interface Kinds {
  floor: { options: SinkOptions; command: object };
  load: { options: LoadOptions; command: LoadCommand };
  poll: { options: PollOptions; command: PollCommand };
  read: { options: ReadOptions; command: ReadCommand };
  sink: { options: SinkOptions; command: object };
  statsd: { options: StatsdOptions; command: LoadCommand };
  syslog: { options: object; command: object };
  websocket: { options: WebSocketOptions; command: object };
}

export type WorkerKind = keyof Kinds;

/** The sources that the load comes from, and that readers ask for. */
export function sourceOf(index: number): string {
  return `5a3f0c1e-7c1d-4f4e-9b39-${String(index).padStart(12, '0')}`;
}

export class Worker<Kind extends WorkerKind> implements AsyncDisposable {
  readonly #kind: Kind;
  readonly #child: ChildProcess;
  /** What it said when it was ready. */
  readonly ready: Report;

  private constructor(kind: Kind, child: ChildProcess, ready: Report) {
    this.#kind = kind;
    this.#child = child;
    this.ready = ready;
  }

  static async start<Kind extends WorkerKind>(
    kind: Kind,
    options: Kinds[Kind]['options'],
  ): Promise<Worker<Kind>> {
    const module = fileURLToPath(new URL(`./workers/${kind}.js`, import.meta.url));
    const child = fork(module, [JSON.stringify(options)], {
      stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
    });
    if (child.stderr) {
      createInterface({ input: child.stderr }).on('line', (line) => {
        if (!/^\w+ bound to: /.test(line)) process.stderr.write(`${kind}: ${line}\n`);
      });
    }
    return new Worker<Kind>(kind, child, await reportOf(child, kind));
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Sends a command and waits for the report that answers it. */
  ask(command: Kinds[Kind]['command']): Promise<Report> {
    if (!this.#child.connected) return Promise.reject(new Error(`${this.#kind} has ended`));
    const answered = reportOf(this.#child, this.#kind);
    this.#child.send(command);
    return answered;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exited;
  }
}

/** The next report of a process, or an error if it ends instead. */
function reportOf(child: ChildProcess, name: string): Promise<Report> {
  return new Promise((resolve, reject) => {
    const onExit = (code: number | null): void => {
      child.off('message', onMessage);
      reject(new Error(`${name} ended with status ${code}`));
    };
    const onMessage = (report: unknown): void => {
      child.off('exit', onExit);
      resolve(report as Report); // Workers send nothing else.
    };
    child.once('exit', onExit);
    child.once('message', onMessage);
  });
}
