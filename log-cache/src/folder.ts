/**
 * Stores an envelope whole, or folded onto one in the same segment that has the same outside.
 *
 *     lane ──▶ measure ──▶ find ──▶ a whole with the same outside: place it folded
 *                             └───▶ none: place it whole, for those that come later
 *
 * Source id, instance and tags repeat from envelope to envelope, so most are stored as their message
 * alone. What is put together again has the very bytes that came: time is left out only where
 * writing it anew gives the same, and all else is compared. The whole lies in the same segment, and
 * so it is there as long as what was folded onto it.
 *
 * The tags of an outside may stand in any order (tag-order.ts). What comes like one that was there, but
 * in another order, is put in order where it lies, and from then on is known by its bytes.
 *
 * The whole that a source used last is tried first; then one with the same hash of its outside, from
 * a table that all sources share. A place in the table is simply overwritten by what comes later:
 * then an envelope is stored whole that need not be. An entry counts only with the serial of the
 * segment that it was made for, so what is old is never followed.
 *
 * Hot: for each envelope one comparison of its outside, and one hash where it changes. Columns are
 * read `as number` below the batch's count, and the table within its mask.
 */

import { type Batch, Kind, varintSize } from '@standpipe/protos';
import { type Arena, local, NONE } from './arena.ts';
import { copy, hashRun, isSame, type Memory, memoryOf } from './bytes.ts';
import {
  type Bounds,
  FOLDABLE_BYTES_MAX,
  FOLDED_HEAD_WORDS,
  readBounds,
  WHOLE_HEAD_WORDS,
  writeBounds,
} from './record.ts';
import { TagOrder } from './tag-order.ts';
import { passTime } from './time-field.ts';

const SLOTS = 65_536;

export class Folder {
  readonly #arena: Arena;
  readonly #wholes = new Int32Array(SLOTS);
  readonly #serials = new Int32Array(SLOTS);
  #serial = 0;
  #message: Memory = memoryOf(new Uint8Array(0));
  /** The envelope that was measured: where it begins and ends, and its parts from its beginning. */
  #start = 0;
  #end = 0;
  readonly #own: Bounds = { timeEnd: 0, messageStart: 0, messageEnd: 0, end: 0 };
  readonly #other: Bounds = { timeEnd: 0, messageStart: 0, messageEnd: 0, end: 0 };
  readonly #order = new TagOrder();
  #hash = 0;
  #isHashed = false;
  /** Whether the measured envelope's tags were looked at, and are behind its message and have an order. */
  #isRead = false;
  #hasOrder = false;

  constructor(arena: Arena) {
    this.#arena = arena;
  }

  /** Sets the bytes that envelopes are taken from. */
  open(bytes: Uint8Array): void {
    this.#message = memoryOf(bytes);
  }

  /** A number for a segment's life, which no other one has. */
  newSerial(): number {
    this.#serial = (this.#serial + 1) | 0;
    if (this.#serial === 0) {
      this.#serials.fill(0);
      this.#serial = 1;
    }
    return this.#serial;
  }

  /** Looks at an envelope of the batch; whether it can be folded at all. */
  measure(batch: Batch, index: number): boolean {
    const start = batch.start[index] as number;
    const end = batch.end[index] as number;
    this.#start = start;
    this.#end = end;
    this.#isHashed = false;
    this.#isRead = false;
    if (end - start > FOLDABLE_BYTES_MAX) return false;
    const high = batch.timeHigh[index] as number;
    const low = batch.timeLow[index] as number;
    const timeEnd = passTime(this.#message.bytes, start, high, low);
    if (timeEnd === NONE) return false;

    let messageStart = end;
    let messageEnd = end;
    if ((batch.kind[index] as number) !== Kind.none) {
      messageEnd = batch.bodyEnd[index] as number;
      const bodyStart = batch.bodyStart[index] as number;
      messageStart = bodyStart - 1 - varintSize(messageEnd - bodyStart);
      if (messageStart < timeEnd) return false;
    }
    this.#own.timeEnd = timeEnd - start;
    this.#own.messageStart = messageStart - start;
    this.#own.messageEnd = messageEnd - start;
    this.#own.end = end - start;
    return true;
  }

  get byteLength(): number {
    return this.#end - this.#start;
  }

  get messageBytes(): number {
    return this.#own.messageEnd - this.#own.messageStart;
  }

  /** The head of a whole with the same outside: the given one, or one of this segment's; or NONE. */
  find(last: number, serial: number): number {
    if (last !== NONE && this.#fits(last)) return last;
    const slot = this.#slotOf(serial);
    if (this.#serials[slot] !== serial) return NONE;
    const whole = this.#wholes[slot] as number;
    if (whole !== last && this.#fits(whole)) return whole;
    // One like it is there, it seems, with its tags in an order that will not come again.
    if (this.#hasOrder) this.#order.write();
    return NONE;
  }

  /** Writes the envelope whole behind its bounds, for others to be folded onto. */
  placeWhole(head: number, serial: number): void {
    writeBounds(this.#arena.region(head), head, this.#own);
    this.placePlain(head + WHOLE_HEAD_WORDS);
    const slot = this.#slotOf(serial);
    this.#wholes[slot] = head;
    this.#serials[slot] = serial;
  }

  /** Writes the envelope's message behind the address of a whole. */
  placeFolded(head: number, whole: number): void {
    const region = this.#arena.region(head);
    region.words[local(head)] = whole;
    const { messageStart, messageEnd } = this.#own;
    const to = 4 * (local(head) + FOLDED_HEAD_WORDS);
    copy(this.#message, this.#start + messageStart, region, to, messageEnd - messageStart);
  }

  placePlain(address: number): void {
    const region = this.#arena.region(address);
    copy(this.#message, this.#start, region, 4 * local(address), this.#end - this.#start);
  }

  /** Whether a whole has the same outside as the measured envelope. */
  #fits(whole: number): boolean {
    const region = this.#arena.region(whole);
    const other = this.#other;
    const own = this.#own;
    readBounds(region, whole, other);
    const before = own.messageStart - own.timeEnd;
    const behind = own.end - own.messageEnd;
    if (other.messageStart - other.timeEnd !== before) return false;
    if (other.end - other.messageEnd !== behind) return false;
    const base = 4 * (local(whole) + WHOLE_HEAD_WORDS);
    const message = this.#message;
    const start = this.#start;
    if (!isSame(message, start + own.timeEnd, region, base + other.timeEnd, before)) return false;
    const place = base + other.messageEnd;
    if (isSame(message, start + own.messageEnd, region, place, behind)) return true;
    if (!this.#readOrder() || !this.#order.isOrderedIn(region, place)) return false;
    this.#order.adopt(region, place);
    return true;
  }

  #readOrder(): boolean {
    if (!this.#isRead) {
      this.#isRead = true;
      const start = this.#start + this.#own.messageEnd;
      this.#hasOrder = this.#order.read(this.#message, start, this.#end);
    }
    return this.#hasOrder;
  }

  /** The place in the table of this envelope's outside, for one segment. */
  #slotOf(serial: number): number {
    if (!this.#isHashed) {
      const { timeEnd, messageStart, messageEnd } = this.#own;
      const start = this.#start;
      const before = hashRun(this.#message, start + timeEnd, start + messageStart, 0);
      this.#hash = this.#readOrder()
        ? this.#order.hash(before)
        : hashRun(this.#message, start + messageEnd, this.#end, before);
      this.#isHashed = true;
    }
    const mixed = Math.imul(this.#hash ^ Math.imul(serial, 0x9e3779b9), 0x85ebca6b);
    return (mixed ^ (mixed >>> 15)) & (SLOTS - 1);
  }
}
