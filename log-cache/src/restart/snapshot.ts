/**
 * Writes what a store holds to one file, while envelopes may go on coming in: all of it, or what the
 * journal's later segments do not have.
 *
 *     │ file head │ source a │ envelopes │ envelopes │ source b │ left │ source c │ … │ end │
 *
 * Each source goes in order of time, in frames of about 64 KiB; a frame says up to which time it
 * has the source, and how many envelopes had been put by then, so that a journal's later ones are
 * told from those that are in it (coverage.ts). A source of which the journal has all that is held,
 * by the store's marks, is left to it. A run of equal timestamps is gathered in one turn. Otherwise a
 * turn gathers 256 KiB at most, and the disk works on that while the next is gathered.
 *
 * What comes and is given up again while its source is written is in neither file, nor in its count.
 *
 * It costs a walk and a copy of each envelope, the checksum and the write: docs/benchmarks.md.
 */

import type { FileHandle } from 'node:fs/promises';
import type { Cursor } from '../cursor.ts';
import type { Store } from '../store.ts';
import type { DataFolder } from './data-folder.ts';
import { FileKind, FrameBuffer, FrameKind } from './frames.ts';
import { writeFully } from './write-fully.ts';

export interface SnapshotOptions {
  readonly store: Store;
  /** The first segment of the journal that is still needed: it has at least what is put from here on. */
  readonly segment: number;
  /** Whether the snapshot must have all, because there will be no journal. */
  readonly hasAll: boolean;
  /** How many envelopes have been put. */
  readonly ordinal: () => number;
  /** Ends the writing: the snapshot is then whole as far as it goes. */
  readonly deadline: AbortSignal;
}

export interface SnapshotResult {
  readonly bytes: number;
  readonly envelopes: number;
  /** Whether the deadline left room for all. */
  readonly isWhole: boolean;
}

const FRAME_BYTES = 64 * 1024;
/** A frame is cut here even within a run of equal timestamps. */
const FRAME_BYTES_MAX = 8 * 2 ** 20;
const WRITE_BYTES = 256 * 1024;

/** Before all times, and after them. */
const FIRST_HIGH = -(2 ** 31);
const LAST_HIGH = 2 ** 31 - 1;
const LAST_LOW = 2 ** 32 - 1;

/** Writes a snapshot and sees to it that it is on the disk. Throws what the file system throws. */
export async function writeSnapshot(
  folder: DataFolder,
  options: SnapshotOptions,
): Promise<SnapshotResult> {
  const handle = await folder.openNewSnapshot();
  try {
    const result = await new SnapshotWriter(handle, options).run();
    await handle.truncate(result.bytes); // Behind it, what it was written over may stand.
    await handle.sync();
    return result;
  } catch (error) {
    // The journal may need the room that it has taken.
    await folder.remove(folder.newSnapshot).catch(() => {});
    throw error;
  } finally {
    await handle.close();
  }
}

class SnapshotWriter {
  readonly #handle: FileHandle;
  readonly #options: SnapshotOptions;
  /** One is filled while the other is written. */
  #buffer = new FrameBuffer(WRITE_BYTES + 2 * FRAME_BYTES);
  #other = new FrameBuffer(WRITE_BYTES + 2 * FRAME_BYTES);
  #writing: Promise<void> = Promise.resolve();
  #bytes = 0;
  #envelopes = 0;
  /** Where the source that is being written goes on. */
  #fromHigh = FIRST_HIGH;
  #fromLow = 0;
  /** How many envelopes the open frame has, and the time of the last. */
  #count = 0;
  #timeHigh = 0;
  #timeLow = 0;

  constructor(handle: FileHandle, options: SnapshotOptions) {
    this.#handle = handle;
    this.#options = options;
  }

  async run(): Promise<SnapshotResult> {
    const { store, segment, hasAll, ordinal, deadline } = this.#options;
    this.#buffer.addFileHead({ kind: FileKind.snapshot, number: segment, ordinal: ordinal() });
    // Those that come meanwhile are in the journal whole.
    for (const source of [...store.sources]) {
      if (deadline.aborted) break;
      if (source.count === 0) continue; // It was forgotten; if it came again, it did so meanwhile.
      this.#addSource(source);
      if (!hasAll && source.mark >= segment) this.#leave(source);
      else await this.#writeSource(source.id);
      if (this.#buffer.byteLength >= WRITE_BYTES) await this.#turn();
    }
    const isWhole = !deadline.aborted;
    this.#buffer.begin();
    this.#finish(FrameKind.end, this.#envelopes);
    await this.#turn();
    await this.#writing;
    return { bytes: this.#bytes, envelopes: this.#envelopes, isWhole };
  }

  #addSource({ id, expired }: { readonly id: string; readonly expired: number }): void {
    const bytes = Buffer.from(id);
    this.#buffer.begin();
    this.#buffer.addBytes(bytes, 0, bytes.length);
    this.#finish(FrameKind.source, expired);
  }

  /** Says how much there is of a source whose envelopes the journal has. */
  #leave({ count }: { readonly count: number }): void {
    const { segment, ordinal } = this.#options;
    const head = { kind: FrameKind.left, number: segment, ordinal: ordinal(), count };
    this.#buffer.begin();
    this.#buffer.finish({ ...head, timeHigh: 0, timeLow: 0 });
  }

  async #writeSource(id: string): Promise<void> {
    this.#fromHigh = FIRST_HIGH;
    this.#fromLow = 0;
    while (!this.#gather(id)) {
      await this.#turn();
      if (this.#options.deadline.aborted) return;
    }
  }

  /** Gathers more of a source; true when that was all. */
  #gather(id: string): boolean {
    const cursor = this.#options.store.cursor(id);
    if (cursor === undefined) return true; // It was forgotten meanwhile.
    cursor.seek(this.#fromHigh, this.#fromLow);
    this.#begin();
    while (cursor.next()) {
      const { timeHigh, timeLow } = cursor;
      const isRun = this.#count > 0 && timeLow === this.#timeLow && timeHigh === this.#timeHigh;
      const { bodyLength } = this.#buffer;
      if (bodyLength >= FRAME_BYTES && !isRun) {
        this.#cut(this.#timeHigh, this.#timeLow);
        if (this.#buffer.byteLength >= WRITE_BYTES) {
          this.#goOnAfter(this.#timeHigh, this.#timeLow);
          return false;
        }
        this.#begin();
      } else if (bodyLength >= FRAME_BYTES_MAX) {
        this.#finish(FrameKind.part, 0);
        this.#begin();
      }
      this.#add(cursor);
    }
    this.#cut(LAST_HIGH, LAST_LOW);
    return true;
  }

  #begin(): void {
    this.#count = 0;
    this.#buffer.begin();
  }

  #add(cursor: Cursor): void {
    this.#buffer.addEnvelope(cursor.bytes, cursor.start, cursor.end);
    this.#timeHigh = cursor.timeHigh;
    this.#timeLow = cursor.timeLow;
    this.#count += 1;
  }

  /** Finishes a frame that has its source up to this time. */
  #cut(timeHigh: number, timeLow: number): void {
    this.#finish(FrameKind.envelopes, this.#options.ordinal(), timeHigh, timeLow);
  }

  #goOnAfter(timeHigh: number, timeLow: number): void {
    this.#fromHigh = timeLow === LAST_LOW ? timeHigh + 1 : timeHigh;
    this.#fromLow = timeLow === LAST_LOW ? 0 : timeLow + 1;
  }

  #finish(kind: number, ordinal: number, timeHigh = 0, timeLow = 0): void {
    const number = this.#options.segment;
    this.#envelopes += this.#count;
    this.#buffer.finish({ kind, number, ordinal, timeHigh, timeLow, count: this.#count });
    this.#count = 0;
  }

  /** Waits for the write before, and hands over to the disk what was gathered. */
  async #turn(): Promise<void> {
    await this.#writing;
    const { bytes } = this.#buffer;
    this.#writing = writeFully(this.#handle, bytes, this.#bytes);
    this.#writing.catch(() => {}); // Whoever waits for it hears of it.
    this.#bytes += bytes.length;
    [this.#buffer, this.#other] = [this.#other, this.#buffer];
    this.#buffer.clear();
  }
}
