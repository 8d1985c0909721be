/**
 * Tells whether one of several words may be in a text, in whatever case.
 *
 *     text    G E T   / h e a l t h   O K
 *               ^ last two bytes of a window that is as long as the shortest word:
 *                 no word has them, so the window moves on behind them
 *
 * That is the search of Wu and Manber: of most text only a part is looked at, the less the longer the
 * words are. Hot: called for each payload that a search with an expression comes to; it makes nothing.
 */

const CASE = 0x20;
/** How many comparisons with a word take as long as matching an instruction with a byte (see Pattern). */
const TRIES_PER_WORK = 4;

export class WordSearch {
  /** Grows with what it has cost, when text is much like the words. */
  work = 0;
  readonly #words: readonly Buffer[];
  readonly #length: number;
  /** For two bytes, how far a window that ends with them may move on. */
  readonly #shifts = new Uint8Array(0x10000);

  /** Words of two bytes at least, in ASCII and in lower case. */
  constructor(words: readonly string[]) {
    this.#words = words.map((word) => Buffer.from(word));
    this.#length = Math.min(...words.map(({ length }) => length));
    this.#shifts.fill(this.#length - 1);
    for (const word of this.#words) this.#enter(word);
  }

  /** Whether one of the words is in bytes[start, end). */
  isIn(bytes: Uint8Array, start: number, end: number): boolean {
    const shifts = this.#shifts;
    const before = this.#length - 1;
    // All that is read is within the bounds.
    for (let at = start + before; at < end; ) {
      const shift = shifts[((bytes[at - 1] as number) << 8) | (bytes[at] as number)] as number;
      if (shift > 0) at += shift;
      else if (this.#isAt(bytes, at - before, end)) return true;
      else at += 1;
    }
    return false;
  }

  #enter(word: Buffer): void {
    for (let at = 1; at < this.#length; at += 1) {
      const shift = this.#length - 1 - at;
      for (const first of casesOf(word[at - 1] as number)) {
        for (const second of casesOf(word[at] as number)) {
          const pair = (first << 8) | second;
          this.#shifts[pair] = Math.min(this.#shifts[pair] as number, shift);
        }
      }
    }
  }

  #isAt(bytes: Uint8Array, start: number, end: number): boolean {
    this.work += this.#words.length / TRIES_PER_WORK;
    for (const word of this.#words) if (isSame(word, bytes, start, end)) return true;
    return false;
  }
}

function isSame(word: Buffer, bytes: Uint8Array, start: number, end: number): boolean {
  if (start + word.length > end) return false;
  for (let at = 0; at < word.length; at += 1) {
    if (lowerOf(bytes[start + at] as number) !== word[at]) return false;
  }
  return true;
}

function casesOf(byte: number): readonly number[] {
  const isLetter = byte >= 0x61 && byte <= 0x7a;
  return isLetter ? [byte, byte - CASE] : [byte];
}

function lowerOf(byte: number): number {
  return byte >= 0x41 && byte <= 0x5a ? byte + CASE : byte;
}
