/**
 * One run of one instance of an app: a process group of its own, from its start to its last line.
 *
 * It ends when its first process ends, or when it is stopped: SIGTERM to the whole group, five
 * seconds, SIGKILL. Either way nothing of it is left: the rest of the group is killed, and on
 * Linux also what has left the group, which is known by a variable in its environment. What all
 * of them had written is read to its end before the exit is logged.
 *
 * Lost is only what a process would write that outlives its kill by a second.
 */

import { randomUUID } from 'node:crypto';
import { constants } from 'node:os';
import { type Clock, formatDuration, type Log } from '@standpipe/plumbing';
import type { App } from './app.ts';
import { freePort } from './free-port.ts';
import { INSTANCE_GUID_VARIABLE, instanceEnv } from './instance-env.ts';
import { InstanceLog } from './instance-log.ts';
import { carryOutput, type Outlet } from './instance-output.ts';
import { type Launched, launch } from './launch.ts';
import type { ExecutorMetrics } from './metrics.ts';
import { processesWithVariable } from './process-table.ts';
import type { Reaper } from './reaper.ts';

/** How long an instance may take to stop. */
const GRACE_MS = 5_000;
/** An instance that has run for this long counts as healthy. */
const HEALTHY_AFTER_MS = 1_000;
/** How long output may still come after all processes have been killed. */
const OUTPUT_LIMIT_MS = 1_000;
/** How often escaped processes are looked for; they may start others meanwhile. */
const SWEEPS_MAX = 5;

/** What all instances of a cell share. */
export interface CellContext {
  readonly cellIndex: number;
  readonly inheritedEnv: Readonly<NodeJS.ProcessEnv>;
  readonly outlet: Outlet;
  readonly reaper: Reaper;
  readonly metrics: ExecutorMetrics;
  readonly clock: Clock;
  readonly log: Log;
  /** Default 5 s. */
  readonly graceMs?: number;
}

export interface Exit {
  /** As a shell has it: 128 and the signal's number, if a signal ended it. */
  readonly status: number;
  /** In Diego's words, such as `Exited with status 1`, with what else is known. */
  readonly reason: string;
  readonly ranMs: number;
}

/** An instance could not be started: there is no such directory, or too many processes. */
export class InstanceError extends Error {
  constructor(cause: Error) {
    super(cause.message, { cause });
    this.name = 'InstanceError';
  }
}

interface Run {
  readonly app: App;
  readonly index: number;
  readonly guid: string;
  readonly port: number;
  readonly log: InstanceLog;
  readonly context: CellContext;
}

export class Instance {
  readonly app: App;
  readonly index: number;
  readonly guid: string;
  readonly port: number;
  readonly log: InstanceLog;
  /** Of its first process, its group and its session. */
  readonly pid: number;
  readonly startedAtMs: number;
  /** Resolves when nothing of it is left, and all that it wrote has been logged. */
  readonly ended: Promise<Exit>;
  readonly #context: CellContext;
  #graceOver: Promise<void> | undefined;
  #isKilled = false;

  /** Starts it. Rejects with an InstanceError, which the app's log is told. */
  static async start(app: App, index: number, context: CellContext): Promise<Instance> {
    const { cellIndex, inheritedEnv, metrics, outlet, reaper } = context;
    const guid = randomUUID();
    const emit = (envelope: Buffer): void => outlet.emit(envelope);
    const log = new InstanceLog({ app, index, instanceGuid: guid, emit, metrics });
    log.cell(`Cell ${cellIndex} creating container for instance ${guid}`);
    try {
      const port = app.port === undefined ? await freePort() : app.port + index;
      const env = instanceEnv({ app, index, guid, port }, inheritedEnv);
      const launched = await launch({ line: app.command, directory: app.directory, env });
      await reaper.guard(launched.pid);
      log.cell(`Cell ${cellIndex} successfully created container for instance ${guid}`);
      return new Instance({ app, index, guid, port, log, context }, launched);
    } catch (error) {
      if (!isSystemError(error)) throw error;
      log.app(`failed-creating-process: ${error.message}`);
      throw new InstanceError(error);
    }
  }

  private constructor(run: Run, launched: Launched) {
    this.app = run.app;
    this.index = run.index;
    this.guid = run.guid;
    this.port = run.port;
    this.log = run.log;
    this.pid = launched.pid;
    this.startedAtMs = run.context.clock.now();
    this.#context = run.context;
    this.ended = this.#run(launched);
  }

  /** Ends it; by force, when it has not ended within the grace period. */
  async stop(): Promise<Exit> {
    if (this.#graceOver !== undefined) return this.ended;
    const { cellIndex, clock, log, graceMs = GRACE_MS } = this.#context;
    this.log.cell(`Cell ${cellIndex} stopping instance ${this.guid}`);
    const ended = new AbortController();
    this.#graceOver = clock.sleep(graceMs, ended.signal).then(() => {
      if (ended.signal.aborted) return;
      this.#isKilled = true;
      signalGroup(this.pid, 'SIGKILL');
    });
    signalGroup(this.pid, 'SIGTERM');
    await signalEscaped(this, 'SIGTERM', log);
    const exit = await this.ended;
    ended.abort();
    return exit;
  }

  async #run({ pid, out, err, exited, open }: Launched): Promise<Exit> {
    const { log } = this;
    const { cellIndex, clock, outlet, reaper } = this.#context;
    const carried = Promise.all([
      carryOutput({ reader: out, into: log.stream('OUT'), outlet, clock }),
      carryOutput({ reader: err, into: log.stream('ERR'), outlet, clock }),
    ]);
    const healthy = setTimeout(() => log.cell('Container became healthy'), HEALTHY_AFTER_MS);
    open();

    const { code, signal } = await exited;
    const ranMs = clock.now() - this.startedAtMs;
    clearTimeout(healthy);
    // What it started may use what is left of the grace period.
    if (this.#graceOver !== undefined) await Promise.race([carried, this.#graceOver]);
    signalGroup(pid, 'SIGKILL');
    await killEscaped(this, this.#context.log);
    await withinLimit(carried, clock);
    out.destroy();
    err.destroy();
    await carried;
    await reaper.release(pid);

    const exit = this.#exitOf(code, signal, ranMs);
    log.app(exit.reason.replace('Exited with', 'Exit'));
    log.cell(`Cell ${cellIndex} successfully destroyed container for instance ${this.guid}`);
    return exit;
  }

  #exitOf(code: number | null, signal: NodeJS.Signals | null, ranMs: number): Exit {
    const { graceMs = GRACE_MS } = this.#context;
    const status = code ?? 128 + (signal === null ? 0 : constants.signals[signal]);
    const facts = [
      signal === null ? '' : ` (killed by ${signal})`,
      this.#isKilled ? ` (exceeded ${formatDuration(graceMs)} graceful shutdown interval)` : '',
    ];
    return { status, reason: `Exited with status ${status}${facts.join('')}`, ranMs };
  }
}

/** Signals all processes of a group, if there are any. */
function signalGroup(group: number, signal: NodeJS.Signals): void {
  signalIfThere(-group, signal);
}

/** Kills what has left the group, and what that starts meanwhile. */
async function killEscaped(instance: Instance, log: Log): Promise<void> {
  for (let sweep = 0; sweep < SWEEPS_MAX; sweep += 1) {
    if ((await signalEscaped(instance, 'SIGKILL', log)) === 0) return;
  }
}

/** Signals what has left the group but cannot leave its environment, and says how many that is. */
async function signalEscaped(
  { guid, pid: group }: Instance,
  signal: NodeJS.Signals,
  log: Log,
): Promise<number> {
  try {
    const all = await processesWithVariable(INSTANCE_GUID_VARIABLE, guid);
    const escaped = all.filter((entry) => entry.group !== group);
    for (const { pid } of escaped) signalIfThere(pid, signal);
    return escaped.length;
  } catch (error) {
    if (!isSystemError(error)) throw error;
    log.limited('unswept', 'error', { error }, 'escaped processes cannot be looked for');
    return 0;
  }
}

/** Whether the system refused something, rather than a bug showing. */
function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'code' in error;
}

function signalIfThere(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    // macOS answers EPERM for a group of which only the dead are left.
    if (!isSystemError(error) || !['ESRCH', 'EPERM'].includes(error.code ?? '')) throw error;
  }
}

async function withinLimit(carried: Promise<unknown>, clock: Clock): Promise<void> {
  const done = new AbortController();
  await Promise.race([carried, clock.sleep(OUTPUT_LIMIT_MS, done.signal)]);
  done.abort();
}
