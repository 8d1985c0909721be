/**
 * A local rsyslogd to drain to: brought up with a generated configuration on a loopback port, it
 * writes what it receives to a file, a line for each message.
 */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** Runs rsyslogd until its standard input ends, as it does when whoever started it is gone. */
const WITH_PARENT = `exec 3<&0; rsyslogd "$@" & pid=$!
(read -r _ <&3; kill $pid) 2>/dev/null & wait $pid`;

const START_LIMIT_MS = 10_000;
const STOP_LIMIT_MS = 5000;
/** Debian has it in a folder that is not everybody's path. */
const PATH = `${process.env.PATH ?? ''}:/usr/sbin:/usr/local/sbin`;

export interface RsyslogOptions {
  /** Where its configuration and the file it writes stand. */
  readonly folder: string;
  readonly port: number;
}

/** Whether rsyslogd is on this machine. */
export function hasRsyslog(): boolean {
  return spawnSync('rsyslogd', ['-v'], { env: { PATH }, stdio: 'ignore' }).status === 0;
}

export class Rsyslog implements AsyncDisposable {
  /** The file that it writes: time, host, app name, process id and message of each line. */
  readonly file: string;
  readonly port: number;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, file: string, port: number) {
    this.#child = child;
    this.file = file;
    this.port = port;
  }

  /** Starts it and waits till its port takes connections. */
  static async start({ folder, port }: RsyslogOptions): Promise<Rsyslog> {
    await mkdir(folder, { recursive: true });
    const file = join(folder, 'apps.log');
    const configuration = join(folder, 'rsyslog.conf');
    const pidFile = join(folder, 'rsyslog.pid');
    await rm(pidFile, { force: true });
    await writeFile(configuration, configurationFor(folder, file, port));

    await rm(file, { force: true }); // It grows without end, so it begins anew.
    const child = spawn('sh', ['-c', WITH_PARENT, 'sh', '-n', '-f', configuration, '-i', pidFile], {
      env: { PATH },
      stdio: ['pipe', 'ignore', 'pipe'],
      detached: true, // A terminal's Ctrl-C is for us: what is drained must still find it.
    });
    const rsyslog = new Rsyslog(child, file, port);
    let said = '';
    child.stderr?.on('data', (chunk) => {
      said = `${said}${chunk}`.slice(-2000);
    });
    if (await rsyslog.#listens()) return rsyslog;
    await rsyslog[Symbol.asyncDispose]();
    throw new Error(`rsyslogd does not listen on 127.0.0.1:${port}: ${said.trim()}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode) return;
    const exited = once(this.#child, 'exit');
    this.#child.stdin?.end();
    const cut = setTimeout(() => this.#child.kill('SIGKILL'), STOP_LIMIT_MS);
    await exited;
    clearTimeout(cut);
  }

  async #listens(): Promise<boolean> {
    const until = Date.now() + START_LIMIT_MS;
    while (Date.now() < until && this.#child.exitCode === null) {
      if (await takesConnections(this.port)) return true;
      await sleep(50);
    }
    return false;
  }
}

/** Octet counting needs no telling: imptcp sees it by a message's first character. */
function configurationFor(folder: string, file: string, port: number): string {
  return `# Made at each start; changes are lost.
global(workDirectory="${folder}" maxMessageSize="64k")
module(load="imptcp")
template(name="line" type="string"
  string="%timestamp:::date-rfc3339% %hostname% %app-name% %procid% %structured-data% %msg%\\n")
input(type="imptcp" port="${port}" address="127.0.0.1")
action(type="omfile" file="${file}" template="line" fileCreateMode="0644")
`;
}

function takesConnections(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
