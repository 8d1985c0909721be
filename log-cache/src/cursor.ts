/**
 * Walks the envelopes of one source in order of time, forwards or backwards.
 *
 * What it shows of an envelope are numbers, and the place of its bytes. They hold until the next
 * step, and until the store is next put to: a read is done in one turn of the event loop. Made once,
 * a cursor can seek as often as one likes; walking allocates nothing.
 *
 * Most envelopes are kept folded (see record.ts), and their bytes are put together when they are
 * asked for: that is a copy, which whoever asks for less is spared. Their `message` is never copied.
 */

import { type Arena, local, NONE } from './arena.ts';
import type { Place } from './page.ts';
import {
  type Bounds,
  isFolded,
  isWhole,
  kindOf,
  lengthOf,
  readBounds,
  WHOLE_HEAD_WORDS,
  wholeOf,
} from './record.ts';
import type { Source } from './source.ts';
import type { Timeline } from './timeline.ts';
import { Unfolder } from './unfolder.ts';

export class Cursor {
  /** The envelope that `next` or `previous` came to. */
  timeHigh = 0;
  timeLow = 0;
  kind = 0;

  readonly #arena: Arena;
  readonly #timeline: Timeline;
  readonly #place: Place = { page: 0, index: 0 };
  readonly #unfolder: Unfolder;
  readonly #bounds: Bounds = { timeEnd: 0, messageStart: 0, messageEnd: 0, end: 0 };
  /** Two words of the entry that is shown. */
  #address = 0;
  #last = 0;
  /** Whether the unfolder has it. */
  #isUnfolded = false;

  constructor(arena: Arena, source: Source) {
    this.#arena = arena;
    this.#timeline = source.timeline;
    this.#unfolder = new Unfolder(arena);
  }

  /** The envelope is bytes[start, end). */
  get bytes(): Uint8Array {
    return isFolded(this.#last) ? this.#unfold().bytes : this.#arena.bytes(this.#address);
  }

  get start(): number {
    return isFolded(this.#last) ? this.#unfold().start : 4 * local(this.#address);
  }

  get end(): number {
    return isFolded(this.#last)
      ? this.#unfold().end
      : 4 * local(this.#address) + lengthOf(this.#last);
  }

  /**
   * A part of the envelope that has its message (field and all) in messageBytes[messageStart,
   * messageEnd), where it lies: beside those that came before and after it.
   */
  get messageBytes(): Uint8Array {
    return this.#arena.bytes(this.#address);
  }

  get messageStart(): number {
    const start = 4 * local(this.#address);
    return isWhole(this.#last) ? start + this.#boundsOf().messageStart : start;
  }

  get messageEnd(): number {
    const start = 4 * local(this.#address);
    if (isWhole(this.#last)) return start + this.#boundsOf().messageEnd;
    return start + lengthOf(this.#last);
  }

  /**
   * Where the bytes lie that the envelope has around its message: the same for all that have the same;
   * NONE, if only the envelope's own bytes tell.
   */
  get outside(): number {
    if (isFolded(this.#last)) return wholeOf(this.#arena.region(this.#address), this.#address);
    return isWhole(this.#last) ? this.#address - WHOLE_HEAD_WORDS : NONE;
  }

  /** Goes before the first envelope that is at this time or later. */
  seek(high: number, low: number): void {
    this.#timeline.seek(high, low, this.#place);
  }

  /** Steps over one envelope and shows it; false at the end. */
  next(): boolean {
    const place = this.#place;
    if (place.index >= this.#timeline.endOf(place.page)) {
      if (place.page + 1 >= this.#timeline.pageCount) return false;
      place.page += 1;
      place.index = this.#timeline.firstIn(place.page);
    }
    this.#show();
    place.index += 1;
    return true;
  }

  /** Steps back over one envelope and shows it; false at the beginning. */
  previous(): boolean {
    const place = this.#place;
    if (place.index <= this.#timeline.firstIn(place.page)) {
      if (place.page === 0) return false;
      place.page -= 1;
      place.index = this.#timeline.endOf(place.page);
    }
    place.index -= 1;
    this.#show();
    return true;
  }

  #show(): void {
    const entry = this.#timeline.entry(this.#place.page, this.#place.index);
    const words = this.#arena.words(entry);
    const at = local(entry);
    // An entry has four words, within its page.
    this.timeHigh = words[at] as number;
    this.timeLow = (words[at + 1] as number) >>> 0;
    this.#address = words[at + 2] as number;
    this.#last = words[at + 3] as number;
    this.kind = kindOf(this.#last);
    this.#isUnfolded = false;
  }

  #unfold(): Unfolder {
    if (!this.#isUnfolded) {
      this.#unfolder.unfold(this.#address, lengthOf(this.#last), this);
      this.#isUnfolded = true;
    }
    return this.#unfolder;
  }

  #boundsOf(): Bounds {
    const head = this.#address - WHOLE_HEAD_WORDS;
    readBounds(this.#arena.region(head), head, this.#bounds);
    return this.#bounds;
  }
}
