/**
 * Puts the bytes of a folded envelope together again.
 *
 *     workspace   │        │ time │ outside │ message │ outside │
 *                                                               ^ always ends here
 *
 * Neighbours mostly have the same outside, and so the part behind the message is mostly there
 * already. What is written holds until the next one, and until the store is put to.
 *
 * Hot: called for each folded envelope that a read looks into.
 */

import { type Arena, local, NONE } from './arena.ts';
import { copy, type Memory, memoryOf } from './bytes.ts';
import { type Bounds, readBounds, WHOLE_HEAD_WORDS, wholeOf } from './record.ts';
import { TIME_BYTES_MAX, writeTime } from './time-field.ts';

const BYTES_AT_FIRST = 1024;

export class Unfolder {
  start = 0;
  end = 0;
  readonly #arena: Arena;
  readonly #bounds: Bounds = { timeEnd: 0, messageStart: 0, messageEnd: 0, end: 0 };
  #workspace: Memory | undefined;
  /** The whole whose last part stands at the workspace's end. */
  #whole = NONE;

  constructor(arena: Arena) {
    this.#arena = arena;
  }

  get bytes(): Uint8Array {
    return this.#roomFor(0).bytes;
  }

  /** Makes bytes[start, end) the envelope whose message lies at an address. */
  unfold(
    address: number,
    length: number,
    time: { readonly timeHigh: number; readonly timeLow: number },
  ): void {
    const region = this.#arena.region(address);
    const whole = wholeOf(region, address);
    const bounds = this.#bounds;
    if (whole !== this.#whole) readBounds(region, whole, bounds);
    const { timeEnd, messageStart, messageEnd } = bounds;
    const before = messageStart - timeEnd;
    const behind = bounds.end - messageEnd;
    const memory = this.#roomFor(TIME_BYTES_MAX + before + length + behind);
    const wholeStart = 4 * (local(whole) + WHOLE_HEAD_WORDS);
    const end = memory.bytes.length;
    if (whole !== this.#whole) {
      copy(region, wholeStart + messageEnd, memory, end - behind, behind);
      this.#whole = whole;
    }
    const messageAt = end - behind - length;
    copy(region, 4 * local(address), memory, messageAt, length);
    copy(region, wholeStart + timeEnd, memory, messageAt - before, before);
    this.start = writeTime(memory.bytes, messageAt - before, time.timeHigh, time.timeLow);
    this.end = end;
  }

  #roomFor(byteLength: number): Memory {
    if (this.#workspace === undefined || this.#workspace.bytes.length < byteLength) {
      this.#workspace = memoryOf(new Uint8Array(Math.max(BYTES_AT_FIRST, 2 * byteLength)));
      this.#whole = NONE;
    }
    return this.#workspace;
  }
}
