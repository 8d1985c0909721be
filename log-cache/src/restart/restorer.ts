/**
 * Takes back what an earlier process kept in its data folder, before anything else is put.
 *
 *     snapshot ──▶ store          and what it covers
 *     journal-7 ─┐
 *     journal-8 ─┴▶ store         but what the snapshot covers
 *
 * What can't be read is never fatal: what stands before the first damage is taken, the rest counts
 * as lost, and a snapshot or a file of another make is set aside. The end of a journal that nobody
 * finished is no damage: it is cut. An envelope costs a scan and a put; the event loop turns after
 * each piece of 4 MiB.
 */

import { truncate } from 'node:fs/promises';
import type { Log } from '@standpipe/plumbing';
import { Batch, scanBatch } from '@standpipe/protos';
import type { Store } from '../store.ts';
import { Coverage } from './coverage.ts';
import { type DataFolder, isMissing } from './data-folder.ts';
import { FrameReader } from './frame-reader.ts';
import { FileKind, type Frame, FrameKind } from './frames.ts';
import type { RestartMetrics } from './metrics.ts';

export interface RestorerOptions {
  readonly store: Store;
  readonly folder: DataFolder;
  readonly log: Log;
  readonly metrics: RestartMetrics;
  /** Ends the reading where it is, for good: what was not read is given up. */
  readonly deadline: AbortSignal;
  /** Ends the reading, and leaves the files as they are. */
  readonly stop: AbortSignal;
}

/** What was found, and where whoever writes goes on. */
export interface Restored {
  /** Whether all that was there was taken. */
  readonly isWhole: boolean;
  /** The segments that are needed, with their sizes, and those that the snapshot made useless. */
  readonly live: ReadonlyMap<number, number>;
  readonly stale: readonly number[];
  /** Above the numbers of all that were. */
  readonly nextSegment: number;
  /** Above the ordinals of all envelopes that were found. */
  readonly ordinal: number;
}

type Trouble = 'foreign' | 'torn' | 'late';

/** How a file ended, and how much of it was read. */
interface Outcome {
  readonly trouble?: Trouble;
  readonly reason?: string | undefined;
  readonly bytes: number;
  readonly left: number;
}

export class Restorer {
  readonly #options: RestorerOptions;
  readonly #batch = new Batch();
  readonly #coverage = new Coverage();
  /** The source whose envelopes come next, until it has some: its id, and what it had expired. */
  #source: { readonly id: string; readonly expired: number } | undefined;
  #sawEnd = false;
  #firstSegment = 0;
  #ordinal = 0;
  #isWhole = true;

  constructor(options: RestorerOptions) {
    this.#options = options;
  }

  async run(): Promise<Restored> {
    const { folder, stop } = this.#options;
    const snapshot = await this.#snapshot();
    if (snapshot.trouble !== undefined) await this.#setAside(folder.snapshot, snapshot);
    const numbers = [...(await folder.segments()).keys()];
    for (const number of numbers) {
      if (number < this.#firstSegment || stop.aborted) continue;
      this.#options.store.mark = number;
      await this.#takeSegment(number, number === numbers.at(-1));
    }
    // What a source that was left to the journal has had, and has no more.
    for (const { id, total, found } of this.#coverage.left) {
      this.#options.store.restoreExpired(id, Math.max(0, total - found));
    }
    const segments = [...(await folder.segments())];
    return {
      isWhole: this.#isWhole && !stop.aborted,
      live: new Map(segments.filter(([number]) => number >= this.#firstSegment)),
      stale: segments.map(([number]) => number).filter((number) => number < this.#firstSegment),
      nextSegment: Math.max(this.#firstSegment, ...segments.map(([number]) => number + 1), 1),
      ordinal: Math.max(this.#ordinal, this.#coverage.end),
    };
  }

  async #snapshot(): Promise<Outcome> {
    const opened = await this.#open(this.#options.folder.snapshot, FileKind.snapshot);
    if (opened === undefined) return { bytes: 0, left: 0 };
    await using reader = opened;
    const { verdict } = reader;
    if ('mistake' in verdict) return refused(reader, verdict);
    const { number, ordinal } = verdict.head;
    this.#firstSegment = number;
    this.#ordinal = ordinal;
    await this.#read(reader, (frame) => this.#takeSnapshot(frame, reader.bytes));
    return this.#outcome(reader, this.#sawEnd);
  }

  async #takeSegment(number: number, isLast: boolean): Promise<void> {
    const { folder, stop } = this.#options;
    const path = folder.segment(number);
    const { trouble, reason, bytes, left } = await this.#segment(number);
    if (stop.aborted) return;
    if (trouble === 'foreign') {
      await this.#setAside(path, { trouble, reason, bytes, left });
    } else if (isLast && trouble !== 'late') {
      // Nobody closed it. It may have been made of an older one, whose rest stands behind its end.
      if (bytes === 0) await folder.remove(path);
      else if (left > 0) await truncate(path, bytes);
    } else if (left > 0) {
      this.#tell({ file: path, reason: reason ?? 'it is damaged', bytes, left });
    }
  }

  async #segment(number: number): Promise<Outcome> {
    const opened = await this.#open(this.#options.folder.segment(number), FileKind.journal);
    if (opened === undefined) return { bytes: 0, left: 0 };
    await using reader = opened;
    const { verdict } = reader;
    if ('mistake' in verdict) return refused(reader, verdict);
    // One that was made of an older one, and not yet written to.
    if (verdict.head.number !== number) return { bytes: 0, left: reader.fileBytes };
    let ordinal = 0;
    await this.#read(reader, (frame) => {
      // Where a write was done again, an older one's end may stand behind it.
      if (frame.ordinal < ordinal) return false;
      ordinal = frame.ordinal + frame.count;
      this.#takeJournal(frame, reader.bytes);
      return true;
    });
    return this.#outcome(reader, true);
  }

  async #open(path: string, kind: FileKind): Promise<FrameReader | undefined> {
    try {
      return await FrameReader.open(path, kind);
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  /** Gives one frame after another to `take`, until that says false. */
  async #read(reader: FrameReader, take: (frame: Frame) => boolean): Promise<void> {
    while (!this.#isCut && (await reader.fill())) {
      while (reader.next()) {
        if (!take(reader.frame)) return;
      }
    }
  }

  #outcome(reader: FrameReader, isComplete: boolean): Outcome {
    const { left } = reader;
    const bytes = reader.fileBytes - left;
    if (this.#isCut) {
      return { trouble: 'late', reason: 'there was no more time', bytes, left };
    }
    if (isComplete) return { bytes, left };
    return { trouble: 'torn', reason: 'it has no sound end', bytes, left };
  }

  #takeSnapshot(frame: Frame, bytes: Buffer): boolean {
    if (frame.kind === FrameKind.source) {
      this.#coverage.beginSource(bytes, frame.start, frame.end);
      const id = bytes.toString('utf8', frame.start, frame.end);
      this.#source = { id, expired: frame.ordinal };
    } else if (frame.kind === FrameKind.envelopes || frame.kind === FrameKind.part) {
      if (frame.kind === FrameKind.envelopes) this.#coverage.addStretch(frame);
      if (!scanBatch(bytes.subarray(frame.start, frame.end), this.#batch)) return false;
      this.#restore();
      if (this.#source === undefined) return true;
      this.#options.store.restoreExpired(this.#source.id, this.#source.expired);
      this.#source = undefined;
    } else if (frame.kind === FrameKind.left) {
      if (this.#source === undefined) return false;
      const { id, expired } = this.#source;
      this.#coverage.leave({ id, ordinal: frame.ordinal, total: expired + frame.count });
      this.#source = undefined;
    } else {
      this.#sawEnd = true;
      return false;
    }
    return true;
  }

  #takeJournal(frame: Frame, bytes: Buffer): void {
    this.#ordinal = Math.max(this.#ordinal, frame.ordinal + frame.count);
    if (frame.kind !== FrameKind.envelopes) return;
    if (!scanBatch(bytes.subarray(frame.start, frame.end), this.#batch)) return;
    this.#restore(this.#coverage.missing(this.#batch, frame.ordinal));
  }

  #restore(wanted?: Uint8Array): void {
    const { store, metrics } = this.#options;
    metrics.restored.add(store.restore(this.#batch, wanted));
  }

  get #isCut(): boolean {
    return this.#options.deadline.aborted || this.#options.stop.aborted;
  }

  async #setAside(path: string, { trouble, reason, bytes, left }: Outcome): Promise<void> {
    const { folder, stop } = this.#options;
    if (trouble === undefined || stop.aborted) return;
    const aside = await folder.setAside(path, trouble);
    this.#tell({ file: path, reason, bytes, left, aside });
  }

  #tell(
    facts: Omit<Outcome, 'trouble'> & { readonly file: string; readonly aside?: string },
  ): void {
    const { log, metrics } = this.#options;
    const { bytes, left, ...rest } = facts;
    this.#isWhole = false;
    metrics.failures.add(1);
    log.error(
      { ...rest, read_bytes: bytes, lost_bytes: left },
      'a file of the log cache could not be read whole',
    );
  }
}

function refused(
  reader: FrameReader,
  { mistake, reason }: { readonly mistake: 'foreign' | 'torn'; readonly reason: string },
): Outcome {
  return { trouble: mistake, reason, bytes: 0, left: reader.fileBytes };
}
