/**
 * Walks the envelopes of one source in order of time, forwards or backwards, without copying.
 *
 * What it shows of an envelope are numbers and the place of its bytes in the arena; they hold
 * until the store is next put to, so a read is done in one turn of the event loop. Made once, a
 * cursor can seek as often as one likes; walking allocates nothing.
 */

import { type Arena, local } from './arena.ts';
import { kindOf, lengthOf, type Source } from './source.ts';
import type { Place, Timeline } from './timeline.ts';

export class Cursor {
  /** The envelope that `next` or `previous` came to. */
  timeHigh = 0;
  timeLow = 0;
  kind = 0;
  bytes: Uint8Array = new Uint8Array(0);
  start = 0;
  end = 0;

  readonly #arena: Arena;
  readonly #timeline: Timeline;
  readonly #place: Place = { page: 0, index: 0 };

  constructor(arena: Arena, source: Source) {
    this.#arena = arena;
    this.#timeline = source.timeline;
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
    const address = words[at + 2] as number;
    const last = words[at + 3] as number;
    this.timeHigh = words[at] as number;
    this.timeLow = (words[at + 1] as number) >>> 0;
    this.kind = kindOf(last);
    this.bytes = this.#arena.bytes(address);
    this.start = local(address) * 4;
    this.end = this.start + lengthOf(last);
  }
}
