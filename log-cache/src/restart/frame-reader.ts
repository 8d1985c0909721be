/**
 * Reads the frames of one file from its beginning, as far as they are sound.
 *
 *     while (await reader.fill()) {
 *       while (reader.next()) take(reader.frame, reader.bytes);
 *     }
 *
 * The next piece of the file is read while the frames of this one are looked at, so it holds two
 * pieces of 4 MiB, and as much as the largest frame takes. Frames are shown where they stand: they
 * hold until the next `fill`. What ends the frames before the file's end is told by `left`.
 */

import { type FileHandle, open } from 'node:fs/promises';
import {
  FILE_HEAD_BYTES,
  type FileKind,
  type FileVerdict,
  Frame,
  NO_FRAME,
  readFileHead,
  readFrame,
} from './frames.ts';

const PIECE_BYTES = 4 * 2 ** 20;
/** Room before a piece, for the frame that the one before it has cut. */
const CARRY_BYTES = 256 * 1024;

interface Piece {
  readonly buffer: Buffer;
  readonly length: number;
}

export class FrameReader implements AsyncDisposable {
  /** The frame that `next` came to, and the bytes that it stands in. */
  readonly frame: Frame = new Frame();
  bytes: Buffer = Buffer.alloc(0);
  /** What the file's first bytes are. */
  readonly verdict: FileVerdict;

  readonly fileBytes: number;

  readonly #handle: FileHandle;
  readonly #number: number;
  #at = 0;
  #isDone: boolean;
  /** Where the next piece begins, and that piece, which is being read. */
  #offset = FILE_HEAD_BYTES;
  #piece: Promise<Piece> | undefined;
  /** The memory that `bytes` lies in, and what can be read into next. */
  #current: Buffer | undefined;
  #spare: Buffer | undefined;

  private constructor(handle: FileHandle, verdict: FileVerdict, fileBytes: number) {
    this.#handle = handle;
    this.verdict = verdict;
    this.fileBytes = fileBytes;
    this.#isDone = !('head' in verdict);
    this.#number = 'head' in verdict ? verdict.head.number : 0;
  }

  static async open(path: string, kind: FileKind): Promise<FrameReader> {
    const handle = await open(path, 'r');
    try {
      const { size } = await handle.stat();
      const head = Buffer.alloc(FILE_HEAD_BYTES);
      const { bytesRead } = await handle.read(head, 0, FILE_HEAD_BYTES, 0);
      const verdict = readFileHead(head.subarray(0, bytesRead), kind);
      return new FrameReader(handle, verdict, size);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** How much of the file was not read, because no sound frame stands there. */
  get left(): number {
    return this.fileBytes - this.#offset + this.bytes.length - this.#at;
  }

  /** Gets the next piece; false when there is none, or the frames have ended. */
  async fill(): Promise<boolean> {
    if (this.#isDone) return false;
    const { buffer, length } = await (this.#piece ?? this.#read());
    if (length === 0) {
      this.#isDone = true;
      return false;
    }
    this.#offset += length;
    const rest = this.bytes.subarray(this.#at);
    if (rest.length <= CARRY_BYTES) {
      const start = CARRY_BYTES - rest.length;
      rest.copy(buffer, start);
      this.bytes = buffer.subarray(start, CARRY_BYTES + length);
      this.#spare = this.#current;
      this.#current = buffer;
    } else {
      this.bytes = Buffer.concat([rest, buffer.subarray(CARRY_BYTES, CARRY_BYTES + length)]);
      this.#spare = buffer;
      this.#current = undefined;
    }
    this.#at = 0;
    this.#piece = this.#read();
    this.#piece.catch(() => {}); // Whoever fills hears of it.
    return true;
  }

  /** Goes to the next frame; false when it is not all there, or is none. */
  next(): boolean {
    if (this.#isDone) return false;
    const end = this.bytes.length;
    const size = readFrame(this.bytes, { at: this.#at, end, number: this.#number }, this.frame);
    if (size === NO_FRAME) this.#isDone = true;
    if (size === NO_FRAME || this.#at + size > end) return false;
    this.#at += size;
    return true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#piece?.catch(() => {});
    await this.#handle.close();
  }

  async #read(): Promise<Piece> {
    const buffer = this.#spare ?? Buffer.allocUnsafeSlow(CARRY_BYTES + PIECE_BYTES);
    this.#spare = undefined;
    const read = await this.#handle.read(buffer, CARRY_BYTES, PIECE_BYTES, this.#offset);
    return { buffer, length: read.bytesRead };
  }
}
