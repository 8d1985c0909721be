/**
 * Keeps what a log cache holds from one process to the next.
 *
 *     start     snapshot, then journal ──▶ store
 *     running   put ──▶ journal; once that is twice what the cache holds, a snapshot of what its
 *               oldest segments have and its others do not, and those are written over
 *     SIGTERM   store ──▶ snapshot, and no journal any more
 *
 * Without a journal a killed process leaves the snapshot of its start. Nothing here is fatal: a
 * folder that can't be used, or is another's, is told, and the cache then lives in memory alone.
 */

import { setImmediate as turn } from 'node:timers/promises';
import type { Clock, Log, Metrics } from '@standpipe/plumbing';
import type { Batch } from '@standpipe/protos';
import type { Store } from '../store.ts';
import { cheapestCut } from './compaction.ts';
import { DataFolder, FolderInUseError } from './data-folder.ts';
import { Journal } from './journal.ts';
import { type RestartMetrics, restartMetrics } from './metrics.ts';
import { type Restored, Restorer } from './restorer.ts';
import type { PersistenceSettings } from './settings.ts';
import { type SnapshotOptions, writeSnapshot } from './snapshot.ts';

export interface PersistenceOptions extends PersistenceSettings {
  readonly store: Store;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly clock: Clock;
}

const SEGMENT_BYTES_MIN = 2 ** 20;
const SEGMENT_BYTES_MAX = 64 * 2 ** 20;
/**
 * A journal's size at which some of it must go, in parts of what the cache holds on the wire. Of twice
 * as much the older half has hardly anything that is still held.
 */
const DUE_PARTS = 2;
/** At this part of that size more, snapshots do not wait for each other; and what segments may take. */
const URGENT_PART = 1.25;
const MOST_PART = 1.5;
/** The least that counts as held, in parts of the cache's memory: it may not be full yet. */
const MEMORY_PARTS = 2;
/** From the end of one snapshot to the next at least. */
const SNAPSHOT_PAUSE_MS = 5000;
/** What a snapshot costs besides the envelopes in it, as bytes of those; and what each source does. */
const FIXED_BYTES = 4 * 2 ** 20;
const SOURCE_BYTES = 256;
/** How many sources are looked at in one turn. */
const SOURCES_PER_TURN = 5000;

export class Persistence implements AsyncDisposable {
  readonly #options: PersistenceOptions;
  readonly #metrics: RestartMetrics;
  readonly #ending = new AbortController();
  #folder: DataFolder | undefined;
  /** Whether the files have been read, so that new ones may take their place. */
  #hasRestored = false;
  #journal: Journal | undefined;
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
    const journal = this.#journal;
    if (journal === undefined) return;
    journal.append(batch, mine);
    // What is put next goes to this segment, or a later one.
    this.#options.store.mark = journal.segment;
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
    const { store, log, clock, journal } = this.#options;
    if (!journal) return;
    store.mark = nextSegment;
    this.#journal = new Journal({
      folder,
      log,
      clock,
      metrics: this.#metrics,
      segment: nextSegment,
      wholeFrom: isWhole ? 0 : nextSegment,
      ordinal,
      live,
      stale,
      segmentBytes: Math.min(SEGMENT_BYTES_MAX, Math.max(SEGMENT_BYTES_MIN, store.limitBytes / 8)),
      capacityBytes: () => MOST_PART * this.#dueBytes,
      onWritten: () => this.#onWritten(),
    });
    // What could not be read is no longer where it was: what was taken needs a new place.
    if (!isWhole) void this.snapshot();
  }

  get #envelopeBytes(): number {
    const { journalBytes, journalWritten } = this.#metrics;
    return journalBytes.value / Math.max(1, journalWritten.value);
  }

  get #dueBytes(): number {
    const { store } = this.#options;
    return DUE_PARTS * Math.max(MEMORY_PARTS * store.limitBytes, store.size * this.#envelopeBytes);
  }

  #onWritten(): void {
    const { clock } = this.#options;
    const bytes = this.#journal?.bytes ?? 0;
    if (bytes < this.#dueBytes || this.#ending.signal.aborted) return;
    const isUrgent = bytes >= URGENT_PART * this.#dueBytes;
    if (isUrgent || clock.now() - this.#snapshotAt >= SNAPSHOT_PAUSE_MS) void this.snapshot();
  }

  /** Given up, when the process ends. */
  async #takeSnapshot(folder: DataFolder, journal: Journal): Promise<void> {
    try {
      const deadline = this.#ending.signal;
      const ordinal = (): number => journal.ordinal;
      const segment = await this.#cut(journal);
      if (!(await this.#write(folder, { segment, hasAll: false, deadline, ordinal }))) return;
      await folder.adoptSnapshot({ keepOld: true });
      journal.release(segment);
    } catch (error) {
      this.#fail(error, 'a snapshot of the log cache can not be written');
    }
  }

  /** The first segment that is to be kept. */
  async #cut(journal: Journal): Promise<number> {
    const next = journal.rotate();
    const { store } = this.#options;
    const held = new Map<number, number>();
    let looks = 0;
    for (const { mark, count } of store.sources) {
      held.set(mark, (held.get(mark) ?? 0) + count * this.#envelopeBytes);
      looks += 1;
      if (looks % SOURCES_PER_TURN === 0) await turn();
    }
    const { segments, wholeFrom } = journal;
    const fixedBytes = FIXED_BYTES + SOURCE_BYTES * looks;
    return cheapestCut({ segments, next, wholeFrom, held, fixedBytes }).segment;
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
      const options = { segment, hasAll: true, deadline, ordinal: () => ordinal };
      const isWhole = await this.#write(folder, options);
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

  async #write(folder: DataFolder, options: Omit<SnapshotOptions, 'store'>): Promise<boolean> {
    const { log, store } = this.#options;
    const began = performance.now();
    const { bytes, envelopes, isWhole } = await writeSnapshot(folder, { ...options, store });
    const tookMs = Math.round(performance.now() - began);
    this.#metrics.snapshots.add(1);
    this.#metrics.snapshotBytes.add(bytes);
    this.#metrics.snapshotDuration.set(tookMs);
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
