/**
 * What was put, in the order in which it was put, written down within a second.
 *
 *     append ──▶ [ frame · frame · frame ] ──▶ [ buffers that wait ] ──▶ journal-00000008
 *                 a buffer of 1 MiB             at most 32 MiB            segments, old ones reused
 *
 * `append` copies bytes and never waits. A buffer goes to the disk when it is full, or FLUSH_MS
 * after its first envelope; a killed process loses what had not gone. It is not synced: a machine
 * that loses power loses what its kernel had not written.
 *
 * What is lost: when the disk is slow or full, what no longer fits the buffers, counted in
 * `log_cache_journal_dropped`, until a snapshot has it: `wholeFrom` tells where to cut. A write that
 * failed is done again each second. And when segments take more than `capacityBytes` because no
 * snapshot makes them useless, the oldest of them.
 *
 * Segments that are needed no more are written over: that takes a fifth of the kernel's time that
 * new files take (docs/benchmarks.md). Hot: one copy per batch and a checksum per frame.
 */

import type { Clock, Log } from '@standpipe/plumbing';
import type { Batch } from '@standpipe/protos';
import { BODY_BYTES_MAX, FrameBuffer, FrameKind } from './frames.ts';
import type { RestartMetrics } from './metrics.ts';
import { SegmentFiles, type SegmentFilesOptions } from './segment-files.ts';

export interface JournalOptions extends SegmentFilesOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: RestartMetrics;
  /** The number of its first segment: above those of all that are there. */
  readonly segment: number;
  /** The first segment from which on nothing is missing, as far as those are concerned. */
  readonly wholeFrom: number;
  /** The ordinal of the first envelope that is appended. */
  readonly ordinal: number;
  /** What a segment holds, about. */
  readonly segmentBytes: number;
  /** Hears of each write. */
  readonly onWritten: () => void;
}

const BUFFER_BYTES = 2 ** 20;
const FRAME_BYTES = 128 * 1024;
const WAITING_BYTES_MAX = 32 * 2 ** 20;
const BUFFERS_KEPT_MAX = 4;
const FLUSH_MS = 250;
const RETRY_MS = 1000;

/** Frames on their way to a segment. */
interface Piece {
  readonly buffer: FrameBuffer;
  readonly segment: number;
  readonly envelopes: number;
}

export class Journal {
  readonly #options: JournalOptions;
  readonly #closing = new AbortController();
  #ordinal: number;
  /** The buffer that is being filled, and the segment that it is for. */
  #buffer: FrameBuffer | undefined;
  #segment: number;
  #segmentBytes = 0;
  /** Of the open frame: the ordinal of its first envelope, and how many it has. */
  #first = 0;
  #count = 0;
  /** How many the buffer has. */
  #envelopes = 0;
  #queue: Piece[] = [];
  #waitingBytes = 0;
  readonly #free: FrameBuffer[] = [];
  #timer: NodeJS.Timeout | undefined;
  #isWriting = false;
  #writing: Promise<void> = Promise.resolve();
  #wholeFrom: number;
  /** The segments below this one go as soon as nothing waits for them. */
  #needed = 0;
  readonly #files: SegmentFiles;

  constructor(options: JournalOptions) {
    this.#options = options;
    this.#ordinal = options.ordinal;
    this.#segment = options.segment;
    this.#wholeFrom = options.wholeFrom;
    this.#files = new SegmentFiles(options);
  }

  /** How many envelopes have been put. */
  get ordinal(): number {
    return this.#ordinal;
  }

  /** The segment that has what is put next, or the one before. */
  get segment(): number {
    return this.#segment;
  }

  /** From this segment on, no envelope is missing. */
  get wholeFrom(): number {
    return this.#wholeFrom;
  }

  /** The segments that were written and are needed, with their sizes, in order. */
  get segments(): [number, number][] {
    return this.#files.live;
  }

  /** What they take. */
  get bytes(): number {
    return this.#files.bytes;
  }

  /** Appends the envelopes of a batch; only those with a 1 in `mine`, if that is given. */
  append(batch: Batch, mine?: Uint8Array): void {
    const count = mine === undefined ? batch.count : countOf(mine, batch.count);
    if (count === 0) return;
    const { length } = batch.bytes;
    const ordinal = this.#ordinal;
    this.#ordinal += count;
    const buffer = this.#bufferFor(length);
    if (buffer === undefined) {
      this.#wholeFrom = this.#segment + 1;
      this.#drop(count);
      return;
    }
    if (!buffer.isOpen) {
      buffer.begin();
      this.#first = ordinal;
      this.#count = 0;
    }
    if (mine === undefined) buffer.addBytes(batch.bytes, 0, length);
    else addMine(buffer, batch, mine);
    this.#count += count;
    this.#envelopes += count;
    if (buffer.bodyLength >= FRAME_BYTES) this.#finishFrame(buffer);
    this.#timer ??= setTimeout(() => this.#seal(), FLUSH_MS);
  }

  /** Begins a new segment, and says its number: it will have all that is put from here on. */
  rotate(): number {
    this.#seal();
    this.#segment += 1;
    this.#segmentBytes = 0;
    return this.#segment;
  }

  /** The segments below this one are needed no more, once what waits for them is written. */
  release(segment: number): void {
    this.#needed = segment;
    this.#releaseWritten();
  }

  /** Writes what waits, but for what fails, and closes. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#seal();
    await this.#writing;
    await this.#files.close();
  }

  /** The buffer that so many more bytes go into; undefined when there is no room for them. */
  #bufferFor(length: number): FrameBuffer | undefined {
    const held = this.#waitingBytes + (this.#buffer?.byteLength ?? 0);
    if (held + length > WAITING_BYTES_MAX || length > BODY_BYTES_MAX) {
      this.#seal();
      return undefined;
    }
    const isFull = this.#buffer && this.#buffer.byteLength + length > BUFFER_BYTES;
    if (isFull && this.#buffer?.byteLength) this.#seal();
    if (this.#buffer === undefined) {
      this.#buffer = this.#free.pop() ?? new FrameBuffer(BUFFER_BYTES + FRAME_BYTES);
      if (this.#segmentBytes >= this.#options.segmentBytes) {
        this.#segment += 1;
        this.#segmentBytes = 0;
      }
    }
    return this.#buffer;
  }

  #finishFrame(buffer: FrameBuffer): void {
    buffer.finish({
      kind: FrameKind.envelopes,
      number: this.#segment,
      ordinal: this.#first,
      timeHigh: 0,
      timeLow: 0,
      count: this.#count,
    });
  }

  /** Hands the buffer that is being filled over to be written. */
  #seal(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const buffer = this.#buffer;
    if (buffer === undefined) return;
    if (buffer.isOpen) this.#finishFrame(buffer);
    this.#buffer = undefined;
    this.#segmentBytes += buffer.byteLength;
    this.#waitingBytes += buffer.byteLength;
    this.#queue.push({ buffer, segment: this.#segment, envelopes: this.#envelopes });
    this.#envelopes = 0;
    if (!this.#isWriting) this.#writing = this.#writeAll();
  }

  async #writeAll(): Promise<void> {
    const { clock, onWritten } = this.#options;
    this.#isWriting = true;
    for (let piece = this.#queue[0]; piece !== undefined; piece = this.#queue[0]) {
      const { buffer, envelopes } = piece;
      if (!(await this.#write(piece))) {
        await clock.sleep(RETRY_MS, this.#closing.signal);
        if (!this.#closing.signal.aborted) continue;
        this.#drop(envelopes);
      }
      this.#queue.shift();
      this.#releaseWritten();
      this.#waitingBytes -= buffer.byteLength;
      buffer.clear();
      const isUsual = buffer.capacityBytes === BUFFER_BYTES + FRAME_BYTES;
      if (isUsual && this.#free.length < BUFFERS_KEPT_MAX) this.#free.push(buffer);
      onWritten();
    }
    this.#isWriting = false;
  }

  /** A segment that is written to must not be written over as another. */
  #releaseWritten(): void {
    const waiting = this.#queue[0]?.segment ?? Number.POSITIVE_INFINITY;
    this.#files.release(Math.min(this.#needed, waiting));
  }

  async #write({ buffer, segment, envelopes }: Piece): Promise<boolean> {
    const { log, metrics } = this.#options;
    try {
      const { bytes } = buffer;
      await this.#files.write(bytes, { segment, envelopes });
      metrics.journalBytes.add(bytes.length);
      metrics.journalWritten.add(envelopes);
      return true;
    } catch (error) {
      metrics.failures.add(1);
      log.limited('journal', 'error', { error }, 'the journal of the log cache can not be written');
      return false;
    }
  }

  #drop(envelopes: number): void {
    const { log, metrics } = this.#options;
    metrics.journalDropped.add(envelopes);
    log.limited('journal-dropped', 'warn', { envelopes }, 'the journal of the log cache has a gap');
  }
}

function countOf(mine: Uint8Array, length: number): number {
  let count = 0;
  for (let index = 0; index < length; index += 1) count += mine[index] as number;
  return count;
}

/** Adds the marked envelopes of a batch with their frames, neighbours at once. */
function addMine(buffer: FrameBuffer, batch: Batch, mine: Uint8Array): void {
  for (let index = 0; index < batch.count; index += 1) {
    if (mine[index] !== 1) continue;
    const start = batch.frameStart[index] as number;
    while (index + 1 < batch.count && mine[index + 1] === 1) index += 1;
    buffer.addBytes(batch.bytes, start, batch.end[index] as number);
  }
}
