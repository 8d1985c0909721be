/**
 * A pipe that a program writes its output into and we read.
 *
 * Node gives children sockets for stdio, and a program that opens /dev/stdout or /dev/stderr by
 * name, as many shell scripts and web servers do, cannot open a socket. So this makes a FIFO,
 * opens both ends and removes its name at once: what is left is a pipe like any shell's.
 *
 * Making pipes costs a run of mkfifo(1), a few milliseconds, once per start of an instance.
 */

import { execFile } from 'node:child_process';
import { close, constants, open } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

// Plain descriptors: a FileHandle would close what the socket and the program own by then.
const openFd = promisify(open);
const closeFd = promisify(close);
const run = promisify(execFile);

export interface OutputPipe {
  /** Ends when all who hold the other end have closed it. Destroying it closes our end. */
  readonly reader: Socket;
  /** The end to give to the program. */
  readonly writeFd: number;
  /** Closes our copy of the program's end, once the program has its own. */
  closeWriteEnd(): Promise<void>;
}

/** The pipes of one program. */
export interface OutputPipes {
  readonly out: OutputPipe;
  readonly err: OutputPipe;
}

export async function openOutputPipes(): Promise<OutputPipes> {
  const folder = await mkdtemp(join(tmpdir(), 'standpipe-executor-'));
  try {
    const paths = { out: join(folder, 'out'), err: join(folder, 'err') };
    await run('mkfifo', ['-m', '600', paths.out, paths.err]);
    return { out: await openPipe(paths.out), err: await openPipe(paths.err) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function openPipe(path: string): Promise<OutputPipe> {
  // Without waiting for somebody to open the other end, which is done only on the next line.
  const readFd = await openFd(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const writeFd = await openFd(path, constants.O_WRONLY);
  return {
    reader: new Socket({ fd: readFd, readable: true, writable: false }),
    writeFd,
    closeWriteEnd: () => closeFd(writeFd),
  };
}
