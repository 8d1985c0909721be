/**
 * Kills what the executor leaves behind when it is killed itself and cannot.
 *
 *     executor ──pipe: "+ 4711", "- 4711"──▶ reaper (a shell of a dozen lines)
 *
 * The reaper reads which process groups are the executor's. When the executor ends, however it
 * ends, the kernel closes the pipe; the reaper then sends SIGKILL to each group that is left. It
 * runs in a session of its own, so neither Ctrl-C nor a signal to the executor's group reaches it.
 * An instance begins to work only after its group has been told to the reaper (instance.ts), so
 * there is no moment in which one could be orphaned.
 *
 * A program that leaves its process group (setsid) is out of the reaper's reach.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Log } from '@standpipe/plumbing';

const SCRIPT = `
trap '' HUP INT TERM
groups=''
while read -r sign group; do
  case $sign in
    +) groups="$groups$group " ;;
    -)
      kept=''
      for other in $groups; do [ "$other" = "$group" ] || kept="$kept$other "; done
      groups=$kept
      ;;
  esac
done
for group in $groups; do kill -s KILL -- "-$group"; done
`;

export class Reaper implements AsyncDisposable {
  readonly #log: Log;
  readonly #groups = new Set<number>();
  #child: ChildProcess;
  #isClosing = false;

  constructor(log: Log) {
    this.#log = log;
    this.#child = this.#start();
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Resolves once this process group will not outlive us. */
  guard(group: number): Promise<void> {
    this.#groups.add(group);
    return this.#tell(`+ ${group}\n`);
  }

  /** Says that the group is gone, and its number free for others. */
  async release(group: number): Promise<void> {
    if (this.#groups.delete(group)) await this.#tell(`- ${group}\n`);
  }

  /** Ends the reaper, which kills what is still guarded. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isClosing) return;
    this.#isClosing = true;
    const child = this.#child;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.stdin?.end();
    await ended;
  }

  #start(): ChildProcess {
    const child = spawn('/bin/sh', ['-c', SCRIPT, 'standpipe-reaper'], {
      cwd: '/',
      env: {},
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    child.stdin?.on('error', () => undefined); // It has ended, which is handled below.
    child.once('error', (error) => this.#log.error({ error }, 'the reaper cannot be started'));
    child.once('exit', (code, signal) => {
      if (this.#isClosing) return;
      this.#log.error({ code, signal }, 'the reaper ended, starting another');
      this.#child = this.#start();
      for (const group of this.#groups) this.#child.stdin?.write(`+ ${group}\n`);
    });
    return child;
  }

  /** Resolves when it is written; or when it cannot be, for the next reaper is told everything. */
  #tell(text: string): Promise<void> {
    const { stdin } = this.#child;
    if (!stdin?.writable) return Promise.resolve();
    return new Promise((resolve) => void stdin.write(text, () => resolve()));
  }
}
