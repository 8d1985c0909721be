/**
 * How a log cache's files are laid out: a file head, and frames behind it.
 *
 *     file    │ file head │ frame │ frame │ …
 *     frame   │ crc · length · kind · file number · ordinal · time · count │ body │
 *
 * A frame's body is an encoded EnvelopeBatch, or the id of the source whose envelopes follow. Each
 * frame carries the CRC-32 of all of it and the number of its file: what was torn off, and what an
 * earlier file has left where this one was written over it, is no frame.
 *
 * The ordinal of an envelope is its place among all that were ever put while there was a journal;
 * it is what lets a snapshot and a journal be put together without a gap or a repeat.
 *
 * Hot: a journal copies every batch through a FrameBuffer. Nothing is allocated until one outgrows
 * its memory. Lengths are bounded by BODY_BYTES_MAX.
 */

import assert from 'node:assert/strict';
import { crc32 } from 'node:zlib';
import { encodeVarint, FRAME_TAG, varintSize } from '@standpipe/protos';

export const FILE_HEAD_BYTES = 32;
export const FRAME_HEAD_BYTES = 36;
/** More than the largest message that any port takes. */
export const BODY_BYTES_MAX: number = 64 * 2 ** 20;

/** What a file is for, and what a frame holds. */
export const FileKind = { snapshot: 1, journal: 2 } as const;
export type FileKind = (typeof FileKind)[keyof typeof FileKind];
export const FrameKind = { source: 1, envelopes: 2, end: 3, part: 4, left: 5 } as const;

const MAGIC = Buffer.from('SPCACHE\n');
const VERSION = 2;
/** Snapshots of version 1 leave no source to the journal. */
const VERSION_MIN = 1;
const CHECKSUM_CRC32 = 1;
const WORD = 2 ** 32;

/** What stands in a frame's head besides its length and its checksum. */
export interface FrameHead {
  readonly kind: number;
  /** The number of the file that it is in. */
  readonly number: number;
  /** Of a source: how many of its envelopes have expired. */
  readonly ordinal: number;
  /** Of a snapshot's envelopes: up to which time the frame has all of its source, inclusive. */
  readonly timeHigh: number;
  readonly timeLow: number;
  readonly count: number;
}

export interface FileHead {
  readonly kind: FileKind;
  readonly number: number;
  /** Of a snapshot: how many envelopes had been put when it was begun. */
  readonly ordinal: number;
}

export type FileVerdict =
  | { readonly head: FileHead }
  | { readonly mistake: 'foreign' | 'torn'; readonly reason: string };

export function encodeFileHead({ kind, number, ordinal }: FileHead): Buffer {
  const bytes = Buffer.alloc(FILE_HEAD_BYTES);
  MAGIC.copy(bytes);
  bytes.writeUInt16LE(VERSION, 8);
  bytes.writeUInt16LE(CHECKSUM_CRC32, 10);
  bytes.writeUInt32LE(kind, 12);
  bytes.writeUInt32LE(number, 16);
  bytes.writeUInt32LE(ordinal % WORD, 20);
  bytes.writeUInt32LE(Math.floor(ordinal / WORD), 24);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 28)), 28);
  return bytes;
}

/** Reads a file's first bytes: its head, or what is wrong with it. */
export function readFileHead(bytes: Buffer, kind: FileKind): FileVerdict {
  const magic = bytes.subarray(0, MAGIC.length);
  if (!magic.equals(MAGIC.subarray(0, magic.length)))
    return foreign('it is no file of a log cache');
  if (bytes.length < FILE_HEAD_BYTES) return torn('its head is cut off');
  const version = bytes.readUInt16LE(8);
  if (version < VERSION_MIN || version > VERSION) {
    return foreign(`it is of format ${version}, and this reads ${VERSION}`);
  }
  if (crc32(bytes.subarray(0, 28)) !== bytes.readUInt32LE(28)) return torn('its head is damaged');
  const checksum = bytes.readUInt16LE(10);
  if (checksum !== CHECKSUM_CRC32) return foreign(`its checksums are of kind ${checksum}`);
  if (bytes.readUInt32LE(12) !== kind) return foreign('it is another kind of file');
  const ordinal = bytes.readUInt32LE(20) + bytes.readUInt32LE(24) * WORD;
  return { head: { kind, number: bytes.readUInt32LE(16), ordinal } };
}

function foreign(reason: string): FileVerdict {
  return { mistake: 'foreign', reason };
}

function torn(reason: string): FileVerdict {
  return { mistake: 'torn', reason };
}

/** What `readFrame` found; one for each reader, filled anew for each frame. */
export class Frame {
  kind = 0;
  number = 0;
  ordinal = 0;
  timeHigh = 0;
  timeLow = 0;
  count = 0;
  /** Where the body stands in the bytes that were read from. */
  start = 0;
  end = 0;
}

/** No frame: what stands there is damaged, or left from an earlier file. */
export const NO_FRAME = -1;

/**
 * Reads the frame at bytes[at, end) into `frame`. Returns how many bytes it has: if those are more
 * than there are, it has not been read; or NO_FRAME.
 */
export function readFrame(
  bytes: Buffer,
  { at, end, number }: { readonly at: number; readonly end: number; readonly number: number },
  frame: Frame,
): number {
  if (end - at < FRAME_HEAD_BYTES) return FRAME_HEAD_BYTES;
  const length = bytes.readUInt32LE(at + 4);
  if (length > BODY_BYTES_MAX || bytes.readUInt32LE(at + 12) !== number) return NO_FRAME;
  const size = FRAME_HEAD_BYTES + length;
  if (end - at < size) return size;
  if (crc32(bytes.subarray(at + 4, at + size)) !== bytes.readUInt32LE(at)) return NO_FRAME;
  frame.kind = bytes.readUInt32LE(at + 8);
  frame.number = number;
  frame.ordinal = bytes.readUInt32LE(at + 16) + bytes.readUInt32LE(at + 20) * WORD;
  frame.timeLow = bytes.readUInt32LE(at + 24);
  frame.timeHigh = bytes.readInt32LE(at + 28);
  frame.count = bytes.readUInt32LE(at + 32);
  frame.start = at + FRAME_HEAD_BYTES;
  frame.end = at + size;
  return size;
}

/** Memory in which frames are made one after another; it grows with what is put in, and is kept. */
export class FrameBuffer {
  #bytes: Buffer;
  #frame = 0;
  #at = 0;
  #isOpen = false;

  constructor(capacityBytes: number) {
    this.#bytes = Buffer.allocUnsafeSlow(capacityBytes);
  }

  /** How many bytes stand in it, the open frame's included. */
  get byteLength(): number {
    return this.#at;
  }

  get capacityBytes(): number {
    return this.#bytes.length;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** The length of the open frame's body. */
  get bodyLength(): number {
    return this.#at - this.#frame - FRAME_HEAD_BYTES;
  }

  /** All finished frames; a view, valid until the next change. */
  get bytes(): Buffer {
    assert(!this.#isOpen, 'a frame is finished before it is written');
    return this.#bytes.subarray(0, this.#at);
  }

  clear(): void {
    this.#at = 0;
    this.#isOpen = false;
  }

  /** Puts a file's head before the frames. */
  addFileHead(head: FileHead): void {
    this.#reserve(FILE_HEAD_BYTES);
    this.#at += encodeFileHead(head).copy(this.#bytes, this.#at);
  }

  begin(): void {
    assert(!this.#isOpen, 'one frame at a time');
    this.#isOpen = true;
    this.#reserve(FRAME_HEAD_BYTES);
    this.#frame = this.#at;
    this.#at += FRAME_HEAD_BYTES;
  }

  /** Adds the bare envelope bytes[start, end) to the open frame. */
  addEnvelope(bytes: Uint8Array, start: number, end: number): void {
    const length = end - start;
    this.#reserve(1 + varintSize(length) + length);
    this.#bytes[this.#at] = FRAME_TAG;
    this.#at = encodeVarint(this.#bytes, this.#at + 1, length);
    this.#copy(bytes, start, end);
  }

  /** Adds bytes to the open frame as they are. */
  addBytes(bytes: Uint8Array, start: number, end: number): void {
    this.#reserve(end - start);
    this.#copy(bytes, start, end);
  }

  finish(head: FrameHead): void {
    const bytes = this.#bytes;
    const at = this.#frame;
    assert(this.#isOpen && this.bodyLength <= BODY_BYTES_MAX, 'an open frame of a fair length');
    bytes.writeUInt32LE(this.bodyLength, at + 4);
    bytes.writeUInt32LE(head.kind, at + 8);
    bytes.writeUInt32LE(head.number, at + 12);
    bytes.writeUInt32LE(head.ordinal % WORD, at + 16);
    bytes.writeUInt32LE(Math.floor(head.ordinal / WORD), at + 20);
    bytes.writeUInt32LE(head.timeLow >>> 0, at + 24);
    bytes.writeInt32LE(head.timeHigh | 0, at + 28);
    bytes.writeUInt32LE(head.count, at + 32);
    bytes.writeUInt32LE(crc32(bytes.subarray(at + 4, this.#at)), at);
    this.#isOpen = false;
  }

  #copy(bytes: Uint8Array, start: number, end: number): void {
    this.#bytes.set(
      start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end),
      this.#at,
    );
    this.#at += end - start;
  }

  #reserve(size: number): void {
    if (this.#at + size <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafeSlow((this.#at + size) * 2);
    this.#bytes.copy(grown, 0, 0, this.#at);
    this.#bytes = grown;
  }
}
