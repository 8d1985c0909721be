/**
 * Keeps what a log cache holds from one process to the next.
 *
 *     start     snapshot, then journal ──▶ store
 *     running   put ──▶ journal; once that is four times the cache's memory, a new snapshot
 *     SIGTERM   store ──▶ snapshot, and no journal any more
 *
 * Without a journal a killed process leaves the snapshot of its start. Nothing here is fatal: a
 * folder that can't be used, or is another's, is told, and the cache then lives in memory alone.
 */

import type { Clock, Log, Metrics } from '@standpipe/plumbing';
import type { Batch } from '@standpipe/protos';
import type { Store } from '../store.ts';
import { DataFolder, FolderInUseError } from './data-folder.ts';
import { Journal } from './journal.ts';
import { type RestartMetrics, restartMetrics } from './metrics.ts';
import { type Restored, Restorer } from './restorer.ts';
import type { PersistenceSettings } from './settings.ts';
import { writeSnapshot } from './snapshot.ts';

export interface PersistenceOptions extends PersistenceSettings {
  readonly store: Store;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly clock: Clock;
}

const SEGMENT_BYTES_MIN = 2 ** 20;
const SEGMENT_BYTES_MAX = 64 * 2 ** 20;
/**
 * How much of the cache's memory the journal takes until a snapshot takes its place. An envelope in
 * a snapshot costs as much as three in a journal, so it must not be written each time one comes in.
 */
const JOURNAL_PART = 4;
/** The most that segments take, if no snapshot comes about: a snapshot has time for two parts more. */
const SEGMENTS_PART = JOURNAL_PART + 2;
/** From the end of one snapshot to the next at least. */
const SNAPSHOT_PAUSE_MS = 5000;

export class Persistence implements AsyncDisposable {
  readonly #options: PersistenceOptions;
  readonly #metrics: RestartMetrics;
  readonly #ending = new AbortController();
  #folder: DataFolder | undefined;
  /** Whether the files have been read, so that new ones may take their place. */
  #hasRestored = false;
  #journal: Journal | undefined;
  /** What the snapshot takes, and what stands in the journal since an earlier process's. */
  #snapshotBytes = 0;
  #carriedBytes = 0;
  #nextSegment = 1;
  #snapshotting: Promise<void> | undefined;
  #snapshotAt = Number.NEGATIVE_INFINITY;

  constructor(options: PersistenceOptions) {
    this.#options = options;
    this.#metrics = restartMetrics(options.metrics);
  }

  /** How many snapshots this process has written. */
  get snapshots(): number {
    return this.#metrics.snapshots.value;
  }

  /** Takes back what there is. To be called once, before the first put; `stop` ends it early. */
  async restore(stop: AbortSignal): Promise<void> {
    const { log, folder } = this.#options;
    const began = performance.now();
    try {
      this.#folder = await DataFolder.open(folder);
      const restored = await this.#read(this.#folder, stop);
      if (stop.aborted) return;
      this.#hasRestored = true;
      this.#startJournal(this.#folder, restored);
      const { size, sourceCount } = this.#options.store;
      const tookMs = Math.round(performance.now() - began);
      this.#metrics.restoreDuration.set(tookMs);
      const fields = { envelopes: size, sources: sourceCount, took_ms: tookMs };
      log.info(fields, 'the log cache has what it had');
    } catch (error) {
      this.#fail(error, 'the log cache can not use its data folder: it lives in memory alone');
    }
  }

  /** Hears of what was put. */
  append(batch: Batch, mine?: Uint8Array): void {
    this.#journal?.append(batch, mine);
  }

  /** Replaces the snapshot while the journal goes on; resolves when that is done, or has failed. */
  snapshot(): Promise<void> {
    const isEnding = this.#ending.signal.aborted;
    if (isEnding || !this.#folder || !this.#journal) return Promise.resolve();
    this.#snapshotting ??= this.#takeSnapshot(this.#folder, this.#journal).finally(() => {
      this.#snapshotting = undefined;
      this.#snapshotAt = this.#options.clock.now();
    });
    return this.#snapshotting;
  }

  /** Writes what the store holds; what is put from here on is lost. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort();
    await this.#snapshotting;
    const journal = this.#journal;
    await journal
      ?.close()
      .catch((error: unknown) => this.#fail(error, 'the journal is not closed'));
    if (this.#folder === undefined) return;
    if (this.#hasRestored) await this.#save(this.#folder);
    await this.#folder[Symbol.asyncDispose]().catch(() => {}); // The next owner finds us gone.
  }

  #read(folder: DataFolder, stop: AbortSignal): Promise<Restored> {
    const { store, log, restoreTimeoutMs } = this.#options;
    const deadline = AbortSignal.timeout(restoreTimeoutMs);
    return new Restorer({ store, folder, log, metrics: this.#metrics, deadline, stop }).run();
  }

  #startJournal(folder: DataFolder, restored: Restored): void {
    const { live, stale, nextSegment, ordinal, isWhole } = restored;
    this.#nextSegment = nextSegment;
    this.#snapshotBytes = restored.snapshotBytes;
    const { store, log, clock, journal } = this.#options;
    if (!journal) return;
    for (const bytes of live.values()) this.#carriedBytes += bytes;
    this.#journal = new Journal({
      folder,
      log,
      clock,
      metrics: this.#metrics,
      segment: nextSegment,
      ordinal,
      live,
      stale,
      segmentBytes: Math.min(SEGMENT_BYTES_MAX, Math.max(SEGMENT_BYTES_MIN, store.limitBytes / 8)),
      capacityBytes: SEGMENTS_PART * store.limitBytes,
      onWritten: (bytes) => this.#onWritten(bytes),
    });
    // What could not be read is no longer where it was: what was taken needs a new place.
    if (!isWhole) void this.snapshot();
  }

  #onWritten(bytes: number): void {
    const { clock, store } = this.#options;
    const enough = Math.max(JOURNAL_PART * store.limitBytes, this.#snapshotBytes);
    if (this.#carriedBytes + bytes < enough || this.#ending.signal.aborted) return;
    if (clock.now() - this.#snapshotAt >= SNAPSHOT_PAUSE_MS) void this.snapshot();
  }

  /** Given up, when the process ends. */
  async #takeSnapshot(folder: DataFolder, journal: Journal): Promise<void> {
    try {
      const segment = journal.rotate();
      const deadline = this.#ending.signal;
      const ordinal = (): number => journal.ordinal;
      if (!(await this.#write(folder, { segment, deadline, ordinal }))) return;
      await folder.adoptSnapshot({ keepOld: true });
      journal.release(segment);
      this.#carriedBytes = 0;
    } catch (error) {
      this.#fail(error, 'a snapshot of the log cache can not be written');
    }
  }

  /** The last snapshot, and the end of the journal. */
  async #save(folder: DataFolder): Promise<void> {
    const { log, store, saveTimeoutMs } = this.#options;
    const deadline = AbortSignal.timeout(saveTimeoutMs);
    const journal = this.#journal;
    const segment = journal?.rotate() ?? this.#nextSegment;
    const ordinal = journal?.ordinal ?? 0;
    const held = store.size;
    try {
      const isWhole = await this.#write(folder, { segment, deadline, ordinal: () => ordinal });
      if (!isWhole) {
        log.warn(
          { held, limit_ms: saveTimeoutMs },
          'there was no time to save the log cache whole',
        );
        if (journal !== undefined) return; // It has all.
      }
      await folder.adoptSnapshot({ keepOld: false });
      for (const number of (await folder.segments()).keys()) {
        await folder.remove(folder.segment(number));
      }
    } catch (error) {
      this.#fail(error, 'the log cache can not be saved');
    }
  }

  async #write(
    folder: DataFolder,
    options: {
      readonly segment: number;
      readonly deadline: AbortSignal;
      readonly ordinal: () => number;
    },
  ): Promise<boolean> {
    const { log, store } = this.#options;
    const began = performance.now();
    const { bytes, envelopes, isWhole } = await writeSnapshot(folder, { ...options, store });
    const tookMs = Math.round(performance.now() - began);
    this.#metrics.snapshots.add(1);
    this.#metrics.snapshotBytes.add(bytes);
    this.#metrics.snapshotDuration.set(tookMs);
    if (isWhole) this.#snapshotBytes = bytes;
    log.info({ bytes, envelopes, took_ms: tookMs }, 'a snapshot of the log cache is written');
    return isWhole;
  }

  #fail(error: unknown, text: string): void {
    this.#metrics.failures.add(1);
    // Whose mistake that is stands in the message; where it was found out is no help.
    const isTheirs = error instanceof FolderInUseError;
    this.#options.log.error(isTheirs ? { reason: error.message } : { error }, text);
  }
}
