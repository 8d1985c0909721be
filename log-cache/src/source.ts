/**
 * All that is kept of one source: its timeline, and segments with the envelopes' bytes.
 *
 *     timeline   [ t1 │ t2 │ t2 │ t3 │ t5 ]                  in order of time
 *                   ╲    ╲╱      │    │
 *     segments │ live before after │ bytes │ bytes │ … ⇄ …   in order of arrival
 *
 * A segment is a block of the arena whose first word counts the envelopes in it that are still
 * kept; with the last of them it goes back to the arena. A segment's address and its size follow
 * from the address and class in an envelope's entry, so there is no object for it. Segments begin
 * at 1 KiB and grow with what the source holds, to 256 KiB: what stands unused in the newest is a
 * small part of what the source has.
 *
 * What is lost: for each envelope above `maxCount` the oldest by time; and when the store needs
 * memory, the segment that was begun first, whatever the times in it. By time, many segments would
 * lose a little and none would come free, once times and arrival do not have the same order. A new
 * envelope that is older than all of a full source is itself the oldest. `expired` counts all of
 * that. What an envelope costs: its bytes rounded up to four, and 16.
 *
 * Hot: `put` is called for each envelope; columns and words are read `as number` because the
 * index is below the batch's count, and the address within a block.
 */

import assert from 'node:assert/strict';
import type { Batch } from '@standpipe/protos';
import { type Arena, bytesOf, classFor, local, NONE, wordsOf } from './arena.ts';
import type { Judge } from './page.ts';
import { type Ranked, UNRANKED } from './ranks.ts';
import { type Room, Timeline } from './timeline.ts';

/** Counts over all sources. */
export interface Tally {
  stored: number;
  expired: number;
}

export interface SourceOptions {
  readonly id: string;
  readonly arena: Arena;
  readonly room: Room;
  readonly tally: Tally;
  readonly maxCount: number;
}

const SEGMENT_HEAD_WORDS = 3;
/** What an envelope shares its segment with at least. */
export const SEGMENT_HEAD_BYTES: number = SEGMENT_HEAD_WORDS * 4;
/** The places of the head's words. The neighbours are those that were begun before and after. */
const LIVE = 0;
const BEFORE = 1;
const AFTER = 2;

const SEGMENT_CLASS_MIN = 1;
const SEGMENT_CLASS_MAX = 5;
/** A new segment is at most this part of what the source holds. */
const GROWTH = 4;

/** What a source gives up at once is at most this part of its segments, or one. */
const SEGMENTS_PER_SWEEP = 32;

const CLASS_SHIFT = 3;
const LENGTH_SHIFT = 6;
const LOW_BITS = 7;

export class Source implements Ranked, Room, Judge {
  readonly id: string;
  readonly timeline: Timeline;
  /** How many envelopes of this source have been given up since it came. */
  expired = 0;
  /** Whether something was put since the store last looked for a quiet source. */
  touched = false;

  rank: number = UNRANKED;
  before: this | undefined;
  after: this | undefined;

  readonly #arena: Arena;
  readonly #room: Room;
  readonly #tally: Tally;
  readonly #maxCount: number;
  #heldBytes = 0;
  /** The segment that was begun first, and how many there are. */
  #oldest = NONE;
  #segments = 0;
  /** The segment that is being filled: where it is, how far it is filled, and its room. */
  #segment = NONE;
  #segmentClass = 0;
  #usedWords = 0;
  #segmentWords = 0;

  constructor(options: SourceOptions) {
    this.id = options.id;
    this.#arena = options.arena;
    this.#room = options.room;
    this.#tally = options.tally;
    this.#maxCount = options.maxCount;
    this.timeline = new Timeline(options.arena, this);
  }

  /** The memory of its segments and pages. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  get count(): number {
    return this.timeline.count;
  }

  get takenClass(): number {
    return this.#room.takenClass;
  }

  /** Keeps one envelope of the batch that the arena has open; false, if there is no memory. */
  put(batch: Batch, index: number): boolean {
    const high = batch.timeHigh[index] as number;
    const low = batch.timeLow[index] as number;
    if (this.timeline.count >= this.#maxCount) {
      if (this.timeline.isBeforeAll(high, low)) {
        this.expired += 1;
        this.#tally.expired += 1;
        return true;
      }
      this.expire(1);
    }

    const start = batch.start[index] as number;
    const end = batch.end[index] as number;
    const words = Math.max(1, (end - start + 3) >>> 2); // An empty one has a place, too.
    if (this.#usedWords + words > this.#segmentWords && !this.#openSegment(words)) return false;
    const entry = this.timeline.insert(high, low);
    if (entry === NONE) return false;

    const address = this.#segment + this.#usedWords;
    this.#usedWords += words;
    const segmentWords = this.#arena.words(this.#segment);
    const live = local(this.#segment);
    segmentWords[live] = (segmentWords[live] as number) + 1;
    this.#arena.copyIn(start, end, address);
    const entryWords = this.#arena.words(entry);
    const kind = batch.kind[index] as number;
    entryWords[local(entry) + 2] = address;
    entryWords[local(entry) + 3] =
      ((end - start) << LENGTH_SHIFT) | (this.#segmentClass << CLASS_SHIFT) | kind;
    this.#tally.stored += 1;
    return true;
  }

  /** Gives up the oldest envelopes: so many, or all there are. */
  expire(count: number): void {
    const wanted = Math.min(count, this.timeline.count);
    for (let done = 0; done < wanted; done += 1) this.#expireFirst();
    this.expired += wanted;
    this.#tally.expired += wanted;
    this.#tally.stored -= wanted;
  }

  /**
   * Gives up the segment that was begun first with all that is in it; several, if there are many,
   * because it takes a walk over the timeline, unless times and arrival have the same order.
   * While they are to go, segments count their envelopes below zero.
   */
  expireMemory(): void {
    if (this.timeline.count === 0) return;
    let left = Math.max(1, Math.floor(this.#segments / SEGMENTS_PER_SWEEP));
    let count = 0;
    for (let segment = this.#oldest; left > 0; left -= 1) {
      const words = this.#arena.words(segment);
      const head = local(segment);
      const live = words[head] as number;
      words[head] = -live;
      count += live;
      segment = words[head + AFTER] as number;
    }
    this.timeline.sweep(this, count);
    this.expired += count;
    this.#tally.expired += count;
    this.#tally.stored -= count;
  }

  /** Tells a sweep whether an envelope goes, and gives its segment back with the last of it. */
  drops(address: number, last: number): boolean {
    const segment = segmentOf(address, last);
    const words = this.#arena.words(segment);
    const live = words[local(segment)] as number;
    if (live > 0) return false;
    words[local(segment)] = live + 1;
    if (live === -1) this.#empty(segment, last);
    return true;
  }

  /** Gives up everything. The source must not be used again. */
  clear(): void {
    this.expire(this.timeline.count);
    if (this.#segment !== NONE) this.#releaseSegment(this.#segment, this.#segmentClass);
    this.#segment = NONE;
    assert.equal(this.#heldBytes, 0, 'what a source held is given back whole');
  }

  take(blockClass: number, least: number): number {
    const address = this.#room.take(blockClass, least);
    if (address !== NONE) this.#heldBytes += bytesOf(this.#room.takenClass);
    return address;
  }

  release(address: number, blockClass: number): void {
    this.#heldBytes -= bytesOf(blockClass);
    this.#room.release(address, blockClass);
  }

  #expireFirst(): void {
    const entry = this.timeline.first();
    const words = this.#arena.words(entry);
    const address = words[local(entry) + 2] as number;
    const last = words[local(entry) + 3] as number;
    this.timeline.dropFirst();

    const segment = segmentOf(address, last);
    const segmentWords = this.#arena.words(segment);
    const live = (segmentWords[local(segment)] as number) - 1;
    segmentWords[local(segment)] = live;
    if (live === 0) this.#empty(segment, last);
  }

  /** Gives a segment back that has lost its last envelope; the newest can be filled again. */
  #empty(segment: number, last: number): void {
    if (segment === this.#segment) this.#usedWords = SEGMENT_HEAD_WORDS;
    else this.#releaseSegment(segment, classOf(last));
  }

  #releaseSegment(segment: number, segmentClass: number): void {
    const words = this.#arena.words(segment);
    const before = words[local(segment) + BEFORE] as number;
    const after = words[local(segment) + AFTER] as number;
    if (before === NONE) this.#oldest = after;
    else this.#arena.words(before)[local(before) + AFTER] = after;
    if (after !== NONE) this.#arena.words(after)[local(after) + BEFORE] = before;
    this.#segments -= 1;
    this.release(segment, segmentClass);
  }

  /** Begins a new segment with room for an envelope of so many words. */
  #openSegment(words: number): boolean {
    const least = classFor((words + SEGMENT_HEAD_WORDS) * 4);
    let wanted = SEGMENT_CLASS_MIN;
    while (wanted < SEGMENT_CLASS_MAX && bytesOf(wanted + 1) * GROWTH <= this.#heldBytes) {
      wanted += 1;
    }
    const segment = this.take(Math.max(wanted, least), least);
    if (segment === NONE) return false;

    this.#append(segment);
    // The old one may have lost its last envelope by now, while room was made.
    const old = this.#segment;
    if (old !== NONE && this.#arena.words(old)[local(old)] === 0) {
      this.#releaseSegment(old, this.#segmentClass);
    }
    this.#segment = segment;
    this.#segmentClass = this.takenClass;
    this.#usedWords = SEGMENT_HEAD_WORDS;
    this.#segmentWords = wordsOf(this.#segmentClass);
    return true;
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

/** The parts of an entry's last word. */
export function lengthOf(word: number): number {
  return word >>> LENGTH_SHIFT;
}

export function kindOf(word: number): number {
  return word & LOW_BITS;
}

function classOf(word: number): number {
  return (word >>> CLASS_SHIFT) & LOW_BITS;
}

/** The segment that an envelope lies in. */
function segmentOf(address: number, word: number): number {
  return address & ~(wordsOf(classOf(word)) - 1);
}
