/**
 * The segments of one source's logs, or of its metrics.
 *
 *     segments │ live before after │ whole │ folded │ folded │ … ⇄ …       in order of arrival
 *
 * A segment is a block of the arena whose first word counts the envelopes in it that are still
 * kept; with the last of them it goes back to the arena. A segment's address and its size follow
 * from the address and class in an envelope's entry, so there is no object for it. Segments begin
 * at 1 KiB and grow with what the source holds, to 256 KiB: what stands unused in the newest is a
 * small part of what the source has. How envelopes lie in a segment is in record.ts.
 *
 * Nothing is lost here but what the source says: see there.
 *
 * Hot: `reserve` and `write` are called for each envelope; words are read `as number` because the
 * address is within a block.
 */

import type { Batch } from '@standpipe/protos';
import { type Arena, bytesOf, classFor, local, NONE, wordsOf } from './arena.ts';
import type { Folder } from './folder.ts';
import type { Judge } from './page.ts';
import { isMetric, type Pool } from './pool.ts';
import { type Ranked, UNRANKED } from './ranks.ts';
import { classOf, FOLDED_HEAD_WORDS, Form, kindOf, lastWord, WHOLE_HEAD_WORDS } from './record.ts';
import type { Source, Tally } from './source.ts';

const SEGMENT_HEAD_WORDS = 4;
/** What an envelope shares its segment with at least. */
export const SEGMENT_HEAD_BYTES: number = 4 * (SEGMENT_HEAD_WORDS + WHOLE_HEAD_WORDS);
/** The places of the head's words. The neighbours are those that were begun before and after. */
const LIVE = 0;
const BEFORE = 1;
const AFTER = 2;
/** The store's mark when the segment was begun. */
const MARK = 3;

const SEGMENT_CLASS_MIN = 1;
const SEGMENT_CLASS_MAX = 5;
/** A new segment is at most this part of what the source holds. */
const GROWTH = 8;
/** Past its first segment a lane has no smaller ones than this many of its envelopes, stored whole. */
const WHOLES_PER_SEGMENT = 4;

/** What a lane gives up at once is at most this part of its segments and of its envelopes, or one. */
const PARTS_PER_LANE = 32;

export class Lane implements Ranked, Judge {
  readonly source: Source;
  readonly pool: Pool;
  /** How many envelopes of it are kept. */
  count = 0;
  /** Whether something was put since the store last looked for a quiet lane. */
  touched = false;

  rank: number = UNRANKED;
  before: this | undefined;
  after: this | undefined;

  readonly #isMetrics: boolean;
  readonly #arena: Arena;
  readonly #folder: Folder;
  readonly #tally: Tally;
  #segmentBytes = 0;
  #indexBytes = 0;
  /** The segment that was begun first, and how many there are. */
  #oldest = NONE;
  #segments = 0;
  /** The segment that is being filled: where it is, how far it is filled, and its room. */
  #segment = NONE;
  #segmentClass = 0;
  #usedWords = 0;
  #segmentWords = 0;
  /** A number for the segment's life, and the whole that was last folded onto. */
  #serial = 0;
  #whole = NONE;
  #form = Form.plain;
  /** Whether a sweep takes any of the lane's envelopes, or those of segments that are to go. */
  #sweepsAny = false;

  constructor(options: {
    readonly source: Source;
    readonly pool: Pool;
    readonly isMetrics: boolean;
    readonly arena: Arena;
    readonly folder: Folder;
    readonly tally: Tally;
  }) {
    this.source = options.source;
    this.pool = options.pool;
    this.#isMetrics = options.isMetrics;
    this.#arena = options.arena;
    this.#folder = options.folder;
    this.#tally = options.tally;
  }

  /** The mark that the store had, at the latest, before any of its envelopes came. */
  get mark(): number {
    if (this.count === 0) return Number.POSITIVE_INFINITY;
    return this.#arena.words(this.#oldest)[local(this.#oldest) + MARK] as number;
  }

  /** The memory of its segments, and its part of the index. */
  get heldBytes(): number {
    return this.#segmentBytes + this.#indexBytes;
  }

  get segmentBytes(): number {
    return this.#segmentBytes;
  }

  /** How much it holds for its weight. */
  get load(): number {
    return this.heldBytes / this.pool.weight;
  }

  owns(last: number): boolean {
    return isMetric(kindOf(last)) === this.#isMetrics;
  }

  /** Sees to it that there is room for an envelope of the open batch; false, if there is no memory. */
  reserve(batch: Batch, index: number): boolean {
    const folder = this.#folder;
    const canFold = folder.measure(batch, index);
    const words = wordsFor(folder.byteLength);
    if (!canFold) {
      this.#form = Form.plain;
      return this.#usedWords + words <= this.#segmentWords || this.#openSegment(words);
    }
    const wholeWords = WHOLE_HEAD_WORDS + words;
    // Folded it needs less; but making room for its entry may take away what it was folded onto.
    if (SEGMENT_HEAD_WORDS + wholeWords <= this.#segmentWords) {
      const whole = folder.find(this.#whole, this.#serial);
      const isFolded = whole !== NONE;
      const needed = isFolded ? FOLDED_HEAD_WORDS + wordsFor(folder.messageBytes) : wholeWords;
      if (this.#usedWords + needed <= this.#segmentWords) {
        this.#form = isFolded ? Form.folded : Form.whole;
        this.#whole = whole;
        return true;
      }
    }
    this.#form = Form.whole;
    return this.#openSegment(wholeWords);
  }

  /** Writes the envelope that room was reserved for, and the rest of its entry. */
  write(entry: number, kind: number): void {
    const arena = this.#arena;
    const folder = this.#folder;
    const head = this.#segment + this.#usedWords;
    let address = head;
    let length = folder.byteLength;
    let form = this.#form;
    if (form === Form.folded && this.#whole === NONE) form = Form.whole;
    if (form === Form.folded) {
      folder.placeFolded(head, this.#whole);
      address = head + FOLDED_HEAD_WORDS;
      length = folder.messageBytes;
    } else if (form === Form.whole) {
      folder.placeWhole(head, this.#serial);
      this.#whole = head;
      address = head + WHOLE_HEAD_WORDS;
    } else {
      folder.placePlain(head);
    }
    this.#usedWords += address - head + wordsFor(length);

    const segmentWords = arena.words(this.#segment);
    const live = local(this.#segment);
    segmentWords[live] = (segmentWords[live] as number) + 1;
    const entryWords = arena.words(entry);
    entryWords[local(entry) + 2] = address;
    entryWords[local(entry) + 3] = lastWord(form, length, this.#segmentClass, kind);
    this.count += 1;
  }

  /**
   * Marks the segments that were begun first, for a sweep to take all that is in them, and says how
   * much that is. Several, if there are many, because a sweep is a walk over the timeline. While
   * they are to go, segments count their envelopes below zero.
   */
  markOldest(): number {
    if (this.count === 0) return 0;
    let left = Math.floor(this.#segments / PARTS_PER_LANE);
    const most = this.count / PARTS_PER_LANE;
    let count = 0;
    let segment = this.#oldest;
    do {
      const words = this.#arena.words(segment);
      const head = local(segment);
      const live = words[head + LIVE] as number;
      if (count > 0 && count + live > most) break;
      words[head + LIVE] = -live;
      count += live;
      segment = words[head + AFTER] as number;
      left -= 1;
    } while (left > 0);
    this.#sweepsAny = false;
    return count;
  }

  /** Counts so much of the source's index as the lane's. */
  chargeIndex(bytes: number): void {
    this.pool.heldBytes += bytes - this.#indexBytes;
    this.#indexBytes = bytes;
  }

  /** Lets a sweep take whatever it meets first of the lane. */
  markAny(): void {
    this.#sweepsAny = true;
  }

  /** Tells a sweep whether an envelope goes, and gives its segment back with the last of it. */
  drops(address: number, last: number): boolean {
    if (!this.owns(last)) return false;
    if (this.#sweepsAny) {
      this.drop(address, last);
      return true;
    }
    const segment = segmentOf(address, last);
    const words = this.#arena.words(segment);
    const live = words[local(segment)] as number;
    if (live > 0) return false;
    words[local(segment)] = live + 1;
    if (live === -1) this.#empty(segment, last);
    this.count -= 1;
    return true;
  }

  /** Forgets an envelope whose entry is gone, or goes. */
  drop(address: number, last: number): void {
    const segment = segmentOf(address, last);
    const words = this.#arena.words(segment);
    const live = (words[local(segment)] as number) - 1;
    words[local(segment)] = live;
    if (live === 0) this.#empty(segment, last);
    this.count -= 1;
  }

  /** Gives back the segment that is still there when no envelope is. */
  shed(): void {
    if (this.#segment === NONE) return;
    this.#releaseSegment(this.#segment, this.#segmentClass);
    this.#segment = NONE;
    this.#segmentWords = 0;
    this.#usedWords = 0;
    this.#whole = NONE;
  }

  /** Gives a segment back that has lost its last envelope; the newest can be filled again. */
  #empty(segment: number, last: number): void {
    if (segment === this.#segment) this.#restart();
    else this.#releaseSegment(segment, classOf(last));
  }

  /** Begins to fill the newest segment, in which there is nothing yet, or no more. */
  #restart(): void {
    this.#usedWords = SEGMENT_HEAD_WORDS;
    this.#serial = this.#folder.newSerial();
    this.#whole = NONE;
    this.#arena.words(this.#segment)[local(this.#segment) + MARK] = this.#tally.mark;
  }

  #releaseSegment(segment: number, segmentClass: number): void {
    const words = this.#arena.words(segment);
    const before = words[local(segment) + BEFORE] as number;
    const after = words[local(segment) + AFTER] as number;
    if (before === NONE) this.#oldest = after;
    else this.#arena.words(before)[local(before) + AFTER] = after;
    if (after !== NONE) this.#arena.words(after)[local(after) + BEFORE] = before;
    this.#segments -= 1;
    this.#hold(-bytesOf(segmentClass));
    this.source.release(segment, segmentClass);
  }

  /** Begins a new segment with room for an envelope of so many words. */
  #openSegment(words: number): boolean {
    const least = Math.max(SEGMENT_CLASS_MIN, classFor((words + SEGMENT_HEAD_WORDS) * 4));
    const segment = this.source.take(Math.max(this.#wantedClass(words), least), least);
    // What room was made for may be found in the newest segment, which has lost all meanwhile.
    if (segment === NONE) return this.#usedWords + words <= this.#segmentWords;
    const segmentClass = this.source.takenClass;
    this.#hold(bytesOf(segmentClass));

    this.#append(segment);
    // The old one may have lost its last envelope by now, while room was made.
    const old = this.#segment;
    if (old !== NONE && this.#arena.words(old)[local(old)] === 0) {
      this.#releaseSegment(old, this.#segmentClass);
    }
    this.#segment = segment;
    this.#segmentClass = segmentClass;
    this.#segmentWords = wordsOf(segmentClass);
    this.#restart();
    return true;
  }

  #wantedClass(words: number): number {
    const { heldBytes } = this.source;
    const bytes = this.#segments === 0 ? 0 : 4 * WHOLES_PER_SEGMENT * words;
    let wanted = SEGMENT_CLASS_MIN;
    while (
      wanted < SEGMENT_CLASS_MAX &&
      (bytesOf(wanted + 1) * GROWTH <= heldBytes || bytesOf(wanted) < bytes)
    ) {
      wanted += 1;
    }
    return wanted;
  }

  #hold(bytes: number): void {
    this.#segmentBytes += bytes;
    this.pool.heldBytes += bytes;
  }

  /** Makes a segment the newest. */
  #append(segment: number): void {
    const words = this.#arena.words(segment);
    const newest = this.#segment;
    words[local(segment) + LIVE] = 0;
    words[local(segment) + BEFORE] = newest;
    words[local(segment) + AFTER] = NONE;
    if (newest === NONE) this.#oldest = segment;
    else this.#arena.words(newest)[local(newest) + AFTER] = segment;
    this.#segments += 1;
  }
}

/** What is empty has a place, too: behind the segment's last word its address would be another's. */
function wordsFor(byteLength: number): number {
  return Math.max(1, (byteLength + 3) >>> 2);
}

/** The segment that an envelope lies in. */
function segmentOf(address: number, last: number): number {
  return address & ~(wordsOf(classOf(last)) - 1);
}
