/**
 * Starts a command behind a gate: its process exists, in a process group and a session of its own,
 * but does nothing until `open` is called. So it can be told to the reaper before it can do, or
 * start, anything; and if the executor dies before that, the process just ends.
 *
 * The command is a line for /bin/sh. Its stdin is empty; its stdout and stderr are real pipes
 * (output-pipe.ts).
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { openOutputPipes } from './output-pipe.ts';

/** Waits for a line, then becomes the command. */
const GATE = 'read -r _ && exec /bin/sh -c "$1" </dev/null';

export interface Command {
  readonly line: string;
  readonly directory: string;
  readonly env: NodeJS.ProcessEnv;
}

export interface Launched {
  /** Of the process, of its group and of its session. */
  readonly pid: number;
  readonly out: Socket;
  readonly err: Socket;
  readonly exited: Promise<{
    readonly code: number | null;
    readonly signal: NodeJS.Signals | null;
  }>;
  /** Lets the command begin. */
  open(): void;
}

/** Rejects with the system's error if no process can be started there. */
export async function launch({ line, directory, env }: Command): Promise<Launched> {
  const { out, err } = await openOutputPipes();
  try {
    const child = spawn('/bin/sh', ['-c', GATE, 'sh', line], {
      cwd: directory,
      env,
      detached: true,
      stdio: ['pipe', out.writeFd, err.writeFd],
    });
    const { stdin } = child;
    stdin?.on('error', () => undefined); // It has ended, and `exited` says so.
    const exited = new Promise<Awaited<Launched['exited']>>((resolve) => {
      child.once('exit', (code, signal) => resolve({ code, signal }));
    });
    await once(child, 'spawn');
    // What has been spawned has a process id.
    const pid = child.pid as number;
    return { pid, out: out.reader, err: err.reader, exited, open: () => void stdin?.end('\n') };
  } catch (error) {
    out.reader.destroy();
    err.reader.destroy();
    throw error;
  } finally {
    await out.closeWriteEnd();
    await err.closeWriteEnd();
  }
}
