/**
 * A small file that is read again whenever it changes.
 *
 * It is looked at twice a second instead of being watched by the kernel: that sees a file that was
 * replaced, or reached through a link, on every file system. What changes twice between two looks
 * is read once, as it is then.
 */

import { readFile, stat } from 'node:fs/promises';
import type { Clock } from './clock.ts';

const BYTES_MAX = 1024 * 1024;
const INTERVAL_MS = 500;

export interface WatchedFileOptions {
  readonly path: string;
  readonly clock: Clock;
  /** Called with the new content after each change. Must not throw. */
  readonly onChange: (text: string) => void;
  /** Called when the file can no longer be read, once until it can be. Must not throw. */
  readonly onError: (error: unknown) => void;
}

export class WatchedFile implements AsyncDisposable {
  readonly #options: WatchedFileOptions;
  readonly #stop = new AbortController();
  #running: Promise<void> | undefined;
  /** Of what was read last; empty, if it could not be read. */
  #stamp = '';

  constructor(options: WatchedFileOptions) {
    this.#options = options;
  }

  /** What the file says now. Rejects if it cannot be read. */
  async read(): Promise<string> {
    const { path } = this.#options;
    const stamp = await stampOf(path);
    const text = await readFile(path, 'utf8');
    this.#stamp = stamp;
    return text;
  }

  /** Tells of each change since it was read. */
  watch(): void {
    this.#running ??= this.#run();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      await this.#options.clock.sleep(INTERVAL_MS, signal);
      if (!signal.aborted) await this.#look();
    }
  }

  async #look(): Promise<void> {
    const { path, onChange, onError } = this.#options;
    let text: string;
    try {
      if ((await stampOf(path)) === this.#stamp) return;
      text = await this.read();
    } catch (error) {
      if (this.#stamp !== '') onError(error);
      this.#stamp = '';
      return;
    }
    onChange(text);
  }
}

/** What differs when the file does. */
async function stampOf(path: string): Promise<string> {
  const { ino, size, mtimeNs } = await stat(path, { bigint: true });
  if (size > BYTES_MAX) throw new Error(`${path} has ${size} bytes; the limit is ${BYTES_MAX}`);
  return `${ino} ${size} ${mtimeNs}`;
}
