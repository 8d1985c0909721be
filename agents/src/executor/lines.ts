/**
 * Cuts what a program writes into lines, byte for byte: nothing is decoded, so a line may hold
 * anything but an end of line.
 *
 * As in Cloud Foundry's Diego, both LF and CR end a line, empty lines are left out, and a line
 * longer than 61,440 bytes becomes several messages. Such a cut is made before a UTF-8 character
 * rather than inside it. A line without an end waits until more comes or `flush` is called.
 *
 * Nothing is lost here but the ends of lines. Hot: a line that lies within one chunk is handed
 * on where it lies; only a line that spans chunks is copied, into one buffer of the limit's size
 * that is made when it is first needed. Array reads in here are within bounds by construction.
 */

import assert from 'node:assert/strict';

/** The most bytes in one message, as in Diego. */
export const LINE_BYTES_MAX = 61_440;

const LF = 0x0a;
const CR = 0x0d;
/** No UTF-8 character has more bytes than this. */
const CHARACTER_BYTES_MAX = 4;

/** Gets the line bytes[start, end), which it must copy to keep. */
export type LineReceiver = (bytes: Buffer, start: number, end: number) => void;

export class LineSplitter {
  readonly #onLine: LineReceiver;
  readonly #limit: number;
  /** The beginning of a line whose end has not come, with room for one byte to look ahead. */
  #held: Buffer | undefined;
  #heldLength = 0;

  constructor(onLine: LineReceiver, limitBytes: number = LINE_BYTES_MAX) {
    assert(limitBytes >= CHARACTER_BYTES_MAX, 'a message has room for a character');
    this.#onLine = onLine;
    this.#limit = limitBytes;
  }

  /** Takes the next bytes, and hands on each line that is complete. */
  push(chunk: Buffer): void {
    let start = 0;
    let feed = positionOf(LF, chunk, 0);
    let turn = positionOf(CR, chunk, 0);
    while (feed < chunk.length || turn < chunk.length) {
      const end = Math.min(feed, turn);
      this.#take(chunk, start, end, true);
      start = end + 1;
      if (end === feed) feed = positionOf(LF, chunk, start);
      else turn = positionOf(CR, chunk, start);
    }
    this.#take(chunk, start, chunk.length, false);
  }

  /** Hands on a last line that has no end. */
  flush(): void {
    const length = this.#heldLength;
    this.#heldLength = 0;
    if (this.#held && length > 0) this.#onLine(this.#held, 0, length);
  }

  #take(bytes: Buffer, from: number, end: number, isEnded: boolean): void {
    let start = from;
    while (this.#heldLength + end - start > this.#limit) start = this.#cut(bytes, start);

    if (this.#heldLength === 0 && isEnded) {
      if (end > start) this.#onLine(bytes, start, end);
      return;
    }
    this.#hold(bytes, start, end);
    if (isEnded) this.flush();
  }

  /** Hands on one message of a line that is too long; returns where the rest begins. */
  #cut(bytes: Buffer, start: number): number {
    if (this.#heldLength === 0) {
      const end = characterStart(bytes, start + this.#limit);
      this.#onLine(bytes, start, end);
      return end;
    }
    const taken = this.#limit + 1 - this.#heldLength;
    const held = this.#hold(bytes, start, start + taken);
    const end = characterStart(held, this.#limit);
    this.#onLine(held, 0, end);
    held.copyWithin(0, end, this.#heldLength);
    this.#heldLength -= end;
    return start + taken;
  }

  #hold(bytes: Buffer, start: number, end: number): Buffer {
    this.#held ??= Buffer.allocUnsafeSlow(this.#limit + 1);
    if (end > start) this.#heldLength += bytes.copy(this.#held, this.#heldLength, start, end);
    return this.#held;
  }
}

/** Where `byte` stands next, or the chunk's length. */
function positionOf(byte: number, chunk: Buffer, from: number): number {
  const position = chunk.indexOf(byte, from);
  return position === -1 ? chunk.length : position;
}

/** The start of the character that `at` lies in; `at` itself, if the bytes are no UTF-8. */
function characterStart(bytes: Buffer, at: number): number {
  for (let start = at; start > at - CHARACTER_BYTES_MAX; start -= 1) {
    if (((bytes[start] as number) & 0xc0) !== 0x80) return start;
  }
  return at;
}
