/**
 * One real process of the pipeline: started, watched for the lines that say where it listens,
 * killed, started again on the same ports, and stopped.
 *
 * What it writes to stderr is handed on line by line and the last lines are kept, so that one
 * that does not come up can be told why.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { Env } from '@standpipe/plumbing';

export interface ProcessSpec {
  /** What it is called on the screen and in logs: `doppler az1/0`. */
  readonly name: string;
  /** The source id of its own log lines and metrics: `doppler`. */
  readonly sourceId: string;
  /** A module for Node, with its arguments. */
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** The listeners that must have announced themselves before it counts as started. */
  readonly listeners: readonly string[];
}

export type OnLine = (spec: ProcessSpec, line: string) => void;

const START_LIMIT_MS = 20_000;
/** Longer than a process takes to drain, but for what it saves. */
const STOP_LIMIT_MS = 12_000;
const LINES_KEPT = 20;

/** A process that did not come up, with the last that it said. */
export class StartError extends Error {
  override readonly name = 'StartError';

  constructor(process: string, reason: string, lastLines: readonly string[]) {
    super([`${process} ${reason}`, ...lastLines.map((line) => `  ${line}`)].join('\n'));
  }
}

export class ManagedProcess implements AsyncDisposable {
  readonly spec: ProcessSpec;
  readonly #onLine: OnLine;
  readonly #addresses = new Map<string, string>();
  #child: ChildProcess | undefined;
  #lastLines: string[] = [];
  #exited: Promise<unknown> = Promise.resolve();

  constructor(spec: ProcessSpec, onLine: OnLine) {
    this.spec = spec;
    this.#onLine = onLine;
  }

  get pid(): number | undefined {
    return this.isRunning ? this.#child?.pid : undefined;
  }

  get isRunning(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && !this.#child.signalCode;
  }

  /** The exit code of a process that has ended by itself; null when a signal ended it. */
  get exitCode(): number | null {
    return this.#child?.exitCode ?? null;
  }

  /** How it ended: `was killed by SIGKILL`, `ended with status 3`. */
  get ending(): string {
    const signal = this.#child?.signalCode;
    return signal ? `was killed by ${signal}` : `ended with status ${this.exitCode}`;
  }

  /** How long it is given to drain: a log cache with a folder may save for as long as it is told. */
  get stopLimitMs(): number {
    const { env } = this.spec;
    if (env.LOG_CACHE_DATA_DIR === undefined) return STOP_LIMIT_MS;
    return STOP_LIMIT_MS + new Env(env).duration('LOG_CACHE_SAVE_TIMEOUT', { fallback: '20s' });
  }

  /** Where a listener (`grpc`, `http`, `ws`, `udp`, `metrics`) is bound: `host:port`. */
  address(listener: string): string {
    const address = this.#addresses.get(listener);
    if (address === undefined) throw new Error(`${this.spec.name} has no ${listener} listener`);
    return address;
  }

  /** Starts it, or starts it again, and waits till all its listeners are bound. */
  async start(): Promise<void> {
    const child = spawn(process.execPath, [...this.spec.command], {
      env: { PATH: process.env.PATH ?? '', EXIT_WITH_PARENT: 'true', ...this.spec.env },
      stdio: ['ignore', 'ignore', 'pipe'],
      detached: true, // A terminal's Ctrl-C is for us: we stop them in their order.
    });
    this.#child = child;
    this.#lastLines = [];
    this.#exited = once(child, 'exit');
    await this.#listening(child);
  }

  /** Sends a signal and does not wait. */
  signal(signal: NodeJS.Signals): void {
    if (this.isRunning) this.#child?.kill(signal);
  }

  /** Kills it outright and waits till it is gone. */
  async kill(): Promise<void> {
    this.signal('SIGKILL');
    await this.#exited;
  }

  /** Asks it to drain and waits till it is gone; one that does not go in time is killed. */
  async stop(): Promise<void> {
    if (!this.isRunning) return;
    this.signal('SIGTERM');
    const cut = setTimeout(() => this.signal('SIGKILL'), this.stopLimitMs);
    await this.#exited;
    clearTimeout(cut);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #listening(child: ChildProcess): Promise<void> {
    const awaited = new Set(this.spec.listeners);
    return new Promise((resolve, reject) => {
      const fail = (reason: string): void => {
        clearTimeout(limit);
        reject(new StartError(this.spec.name, reason, this.#lastLines));
      };
      const limit = setTimeout(() => {
        this.signal('SIGKILL');
        fail(`did not say within ${START_LIMIT_MS / 1000} s where it listens`);
      }, START_LIMIT_MS);

      child.once('error', (error) => fail(`could not be started: ${error.message}`));
      child.once('close', (code, signal) => fail(`ended with ${signal ?? `status ${code}`}`));
      if (!child.stderr) return;
      createInterface({ input: child.stderr }).on('line', (line) => {
        this.#keep(line);
        const listener = this.#announced(line);
        if (listener === undefined || !awaited.delete(listener) || awaited.size > 0) return;
        clearTimeout(limit);
        resolve();
      });
    });
  }

  #keep(line: string): void {
    this.#lastLines.push(line);
    if (this.#lastLines.length > LINES_KEPT) this.#lastLines.shift();
    this.#onLine(this.spec, line);
  }

  #announced(line: string): string | undefined {
    const match = /^(\w+) bound to: (\S+)$/.exec(line);
    if (!match?.[1] || !match[2]) return undefined;
    this.#addresses.set(match[1], match[2]);
    return match[1];
  }
}
