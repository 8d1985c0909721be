/**
 * Finds the envelopes that hold given bytes, without looking at each of them.
 *
 *     segment   │ envelope │ envelope │ envelope │ envelope │ …
 *               ╰──────────── one window ────────────╯
 *                                  ^ found            all before it hold none
 *
 * Envelopes that came one after another lie one after another, so a whole window of bytes is
 * searched at once by the machine's own search. Most envelopes are then known to hold nothing by
 * a comparison of two numbers. The walk may go either way and jump; a jump costs a new window.
 *
 * The machine's search is linear for wanted bytes up to LONG_BYTES. Beyond, some text costs it as many
 * steps as its length times theirs: then windows are smaller, and what they cost is told.
 *
 * Hot: called for each envelope that a search comes to. Nothing is copied, and a window is a view.
 */

const WINDOW_BYTES = 256 * 1024;
const LONG_BYTES = 250;
const LONG_WINDOW_BYTES = 32 * 1024;
/** How many of its steps take as long as matching an instruction with a byte (see Pattern). */
const STEPS_PER_WORK = 400;

export class LiteralSearch {
  /** Grows with what it has cost, when that is a lot. */
  work = 0;
  readonly #wanted: Buffer;
  readonly #windowBytes: number;
  #bytes: Uint8Array | undefined;
  /** No match begins in bytes[from, to). */
  #from = 0;
  #to = 0;
  #lastStart = -1;

  constructor(wanted: Buffer) {
    this.#wanted = wanted;
    this.#windowBytes = wanted.length > LONG_BYTES ? LONG_WINDOW_BYTES : WINDOW_BYTES;
  }

  /** Forgets what it knows, because the bytes may have changed. */
  restart(): void {
    this.#bytes = undefined;
    this.#lastStart = -1;
  }

  /** Whether the wanted bytes may be in bytes[start, end): false is certain, true need not be. */
  mayHold(bytes: Uint8Array, start: number, end: number): boolean {
    const last = end - this.#wanted.length; // Where a match can begin at the latest.
    if (last < start) return false;
    // Bytes that are shown in one and the same place are not the same bytes.
    const isKnown = bytes === this.#bytes && start !== this.#lastStart;
    const isForwards = !isKnown || start > this.#lastStart;
    this.#lastStart = start;
    if (isKnown && start >= this.#from && last < this.#to) return false;
    this.#bytes = bytes;
    if (isForwards) return this.#searchForwards(bytes, start, last);
    return this.#searchBackwards(bytes, start, end);
  }

  /** Whether the wanted bytes are in bytes[start, end). */
  isIn(bytes: Uint8Array, start: number, end: number): boolean {
    if (end - start < this.#wanted.length) return false;
    this.#count(end - start);
    return viewOf(bytes, start, end).includes(this.#wanted);
  }

  #searchForwards(bytes: Uint8Array, start: number, last: number): boolean {
    const length = this.#wanted.length;
    const windowEnd = Math.min(bytes.length, Math.max(start + this.#windowBytes, last + length));
    this.#count(windowEnd - start);
    const found = viewOf(bytes, start, windowEnd).indexOf(this.#wanted);
    this.#from = start;
    this.#to = found < 0 ? windowEnd - length + 1 : start + found;
    return this.#to <= last;
  }

  #searchBackwards(bytes: Uint8Array, start: number, end: number): boolean {
    const windowStart = Math.max(0, Math.min(start, end - this.#windowBytes));
    this.#count(end - windowStart);
    const found = viewOf(bytes, windowStart, end).lastIndexOf(this.#wanted);
    this.#from = found < 0 ? windowStart : windowStart + found + 1;
    this.#to = end - this.#wanted.length + 1;
    return this.#from > start;
  }

  #count(byteLength: number): void {
    const { length } = this.#wanted;
    if (length > LONG_BYTES) this.work += (byteLength * length) / STEPS_PER_WORK;
  }
}

function viewOf(bytes: Uint8Array, start: number, end: number): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start);
}
