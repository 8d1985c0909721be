/**
 * The files of a journal: one is written, those before it are live or stale.
 *
 * A live segment has what no snapshot has. A stale one is renamed and written over when the next is
 * needed; each frame carries the number of its segment, so what it held before is not read again.
 * When live segments take more than `capacityBytes`, the oldest become stale: what is lost of them
 * if the process is killed counts as dropped.
 */

import { constants } from 'node:fs';
import { type FileHandle, open, rename } from 'node:fs/promises';
import type { Log } from '@standpipe/plumbing';
import { type DataFolder, FILE_MODE } from './data-folder.ts';
import { encodeFileHead, FILE_HEAD_BYTES, FileKind } from './frames.ts';
import type { RestartMetrics } from './metrics.ts';
import { writeFully } from './write-fully.ts';

export interface SegmentFilesOptions {
  readonly folder: DataFolder;
  readonly log: Log;
  readonly metrics: RestartMetrics;
  /** The segments that are there already: those that are needed, with their sizes, */
  readonly live: ReadonlyMap<number, number>;
  /** and those that are not. */
  readonly stale: readonly number[];
  /** What all live segments may take. */
  readonly capacityBytes: () => number;
}

interface Segment {
  bytes: number;
  envelopes: number;
}

export class SegmentFiles {
  readonly #options: SegmentFilesOptions;
  /** In the order of their numbers. */
  readonly #live = new Map<number, Segment>();
  readonly #stale: number[];
  #handle: FileHandle | undefined;
  #number = 0;

  constructor(options: SegmentFilesOptions) {
    this.#options = options;
    this.#stale = [...options.stale];
    for (const [number, bytes] of options.live) this.#live.set(number, { bytes, envelopes: 0 });
  }

  /** The segments that are needed, with their sizes, in the order of their numbers. */
  get live(): [number, number][] {
    return [...this.#live].map(([number, { bytes }]) => [number, bytes]);
  }

  /** What they take. */
  get bytes(): number {
    let sum = 0;
    for (const { bytes } of this.#live.values()) sum += bytes;
    return sum;
  }

  /** Writes to the end of this segment, the one that is written or a later one. */
  async write(
    bytes: Buffer,
    { segment: number, envelopes }: { readonly segment: number; readonly envelopes: number },
  ): Promise<void> {
    try {
      const handle = await this.#open(number);
      const segment = this.#live.get(number) ?? { bytes: 0, envelopes: 0 };
      // What failed half-way is written over.
      await writeFully(handle, bytes, FILE_HEAD_BYTES + segment.bytes);
      segment.bytes += bytes.length;
      segment.envelopes += envelopes;
      this.#live.set(number, segment);
    } catch (error) {
      const handle = this.#handle;
      this.#handle = undefined; // To be opened again: the disk may be another by then.
      await handle?.close().catch(() => {}); // What has failed is told already.
      throw error;
    }
    this.#forgetOldest();
  }

  /** Makes the segments below this one stale. */
  release(number: number): void {
    for (const live of this.#live.keys()) {
      if (live >= number) continue;
      this.#live.delete(live);
      this.#stale.push(live);
    }
  }

  async close(): Promise<void> {
    const handle = this.#handle;
    if (handle === undefined) return;
    this.#handle = undefined;
    const live = this.#live.get(this.#number);
    try {
      // Behind its end, what an older segment has left may stand.
      if (live !== undefined) await handle.truncate(FILE_HEAD_BYTES + live.bytes);
    } finally {
      await handle.close();
    }
  }

  async #open(number: number): Promise<FileHandle> {
    if (this.#handle !== undefined && this.#number === number) return this.#handle;
    await this.close();
    const { folder } = this.#options;
    const path = folder.segment(number);
    const isNew = !this.#live.has(number);
    // One whose first write failed has its file.
    const stale = isNew && this.#number !== number ? this.#stale.pop() : undefined;
    this.#number = number;
    // If it is not there, a new file does as well.
    if (stale !== undefined) await rename(folder.segment(stale), path).catch(() => {});
    this.#handle = await open(path, constants.O_WRONLY | constants.O_CREAT, FILE_MODE);
    const head = encodeFileHead({ kind: FileKind.journal, number, ordinal: 0 });
    if (isNew) await writeFully(this.#handle, head, 0);
    return this.#handle;
  }

  #forgetOldest(): void {
    const capacityBytes = this.#options.capacityBytes();
    let { bytes } = this;
    for (const [number, segment] of this.#live) {
      if (bytes <= capacityBytes || number === this.#number) return;
      const { log, metrics } = this.#options;
      bytes -= segment.bytes;
      this.#live.delete(number);
      this.#stale.push(number);
      metrics.journalDropped.add(segment.envelopes);
      const fields = { segment: number, bytes: segment.bytes, envelopes: segment.envelopes };
      log.limited('journal-full', 'warn', fields, 'the journal is full: its oldest segment goes');
    }
  }
}
