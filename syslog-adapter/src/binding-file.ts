/**
 * The bindings file, read again whenever it changes.
 *
 * The folder is watched, so that a file that is renamed over the old one is seen too; and because
 * not every file system tells, the file is looked at every two seconds besides. While it is being
 * written it is left alone. A file that is missing, unreadable or no list of drains changes
 * nothing: the bindings that were there stay, a counter rises, and one line says why.
 */

import { type FSWatcher, watch } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import type { Clock, Log } from '@standpipe/plumbing';
import { type BindingRules, type Bindings, BindingsError, parseBindings } from './bindings.ts';
import type { BindingMetrics } from './metrics.ts';

const LOOK_INTERVAL_MS = 2000;
/** A file that has been the same for this long is not being written. */
const SETTLED_MS = 50;
const FILE_BYTES_MAX = 64 * 1024 * 1024;
/** Refused drains that have a line in the log each; the rest share one. */
const REFUSALS_TOLD_MAX = 100;

export interface BindingFileOptions {
  readonly path: string;
  readonly rules: BindingRules;
  readonly metrics: BindingMetrics;
  readonly log: Log;
  readonly clock: Clock;
  /** Hears of the file's bindings, and again each time they changed. */
  readonly onBindings: (bindings: Bindings) => void;
}

export class BindingFile implements AsyncDisposable {
  readonly #options: BindingFileOptions;
  readonly #path: string;
  readonly #stopping = new AbortController();
  /** What the file looked like when it was read last, and what was in it. */
  #seen = '';
  #text: string | undefined;
  #look = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #watcher: FSWatcher | undefined;

  private constructor(options: BindingFileOptions) {
    this.#options = options;
    this.#path = resolve(options.path);
  }

  /** Reads the file once, and then watches it. */
  static async open(options: BindingFileOptions): Promise<BindingFile> {
    const file = new BindingFile(options);
    file.#watch();
    await file.#readIfChanged();
    file.#running = file.#run();
    return file;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort();
    this.#look.abort();
    this.#watcher?.close();
    await this.#running;
  }

  #watch(): void {
    const name = basename(this.#path);
    const failed = (error: unknown): void => {
      const fields = { error, file: this.#path };
      this.#options.log.warn(fields, 'cannot watch the folder of the bindings; looking instead');
    };
    try {
      this.#watcher = watch(dirname(this.#path), (_event, changed) => {
        if (changed === null || changed === name) this.#look.abort();
      });
      this.#watcher.on('error', failed);
    } catch (error) {
      failed(error); // A folder that isn't there cannot be watched; it may still come.
    }
  }

  async #run(): Promise<void> {
    const { clock } = this.#options;
    while (!this.#stopping.signal.aborted) {
      await clock.sleep(LOOK_INTERVAL_MS, this.#look.signal);
      if (this.#stopping.signal.aborted) return;
      this.#look = new AbortController();
      await this.#readIfChanged();
    }
  }

  async #readIfChanged(): Promise<void> {
    let looks = await this.#looks();
    if (looks === this.#seen) return;
    for (;;) {
      await this.#options.clock.sleep(SETTLED_MS, this.#stopping.signal);
      const later = await this.#looks();
      if (later === looks) break;
      looks = later;
    }
    this.#seen = looks;
    await this.#read();
  }

  /** Something that differs whenever the file has changed. */
  async #looks(): Promise<string> {
    try {
      const { ino, size, mtimeMs, ctimeMs } = await stat(this.#path);
      return `${ino} ${size} ${mtimeMs} ${ctimeMs}`;
    } catch (error) {
      return String(error); // It is told when it is read.
    }
  }

  async #read(): Promise<void> {
    const { metrics, log, rules, onBindings, clock } = this.#options;
    const startedAt = clock.now();
    metrics.refreshes.add(1);
    let bindings: Bindings;
    try {
      const text = await this.#content();
      if (text === this.#text) return;
      bindings = parseBindings(text, rules);
      this.#text = text;
    } catch (error) {
      metrics.refreshErrors.add(1);
      metrics.latency.set(0);
      const reason = error instanceof Error ? error.message : String(error);
      const told = 'the bindings cannot be read; those that were there stay';
      log.error({ file: this.#path, reason }, told);
      return;
    }
    metrics.latency.set(clock.now() - startedAt);
    metrics.invalid.set(bindings.refused.filter(({ isInvalid }) => isInvalid).length);
    for (const { appId, shownUrl, reason } of bindings.refused.slice(0, REFUSALS_TOLD_MAX)) {
      log.warn({ app_id: appId, drain_url: shownUrl, reason }, 'a drain was refused');
    }
    const untold = bindings.refused.length - REFUSALS_TOLD_MAX;
    if (untold > 0) log.warn({ count: untold }, 'more drains were refused');
    onBindings(bindings);
  }

  async #content(): Promise<string> {
    const stats = await stat(this.#path);
    // Reading a pipe or a device might never end.
    if (!stats.isFile()) throw new BindingsError('no regular file');
    if (stats.size > FILE_BYTES_MAX) throw new BindingsError(`larger than ${FILE_BYTES_MAX} bytes`);
    return readFile(this.#path, 'utf8');
  }
}
