/**
 * The middle part of a tail that goes on from a place: what came while nobody listened, as it came.
 *
 * Of each arrival only its time is known. Its envelope is the one of that time that has as many
 * behind it as came later with the same time; an envelope that is not there any more has expired,
 * and is counted.
 */

import { type BatchBuilder, splitTime } from '@standpipe/protos';
import type { Cursor } from '../cursor.ts';
import type { EnvelopeFilter } from '../envelope-filter.ts';
import { Slice } from '../slice.ts';
import type { Store } from '../store.ts';
import type { Arrivals } from './arrivals.ts';

const COUNT_MAX = 100;
const BYTES_MAX = 256 * 1024;

export interface ReplayOptions {
  readonly store: Store;
  readonly sourceId: string;
  readonly filter: EnvelopeFilter;
  readonly arrivals: Arrivals;
  /** How many came later than what was given, by time. */
  readonly later: Map<bigint, number>;
  /** Nothing is given of before. */
  readonly start: bigint;
  /** The numbers of the first and the last arrival to give. */
  readonly first: number;
  readonly last: number;
}

export class Replay {
  /** The number of the next arrival. */
  next: number;
  /** How many have expired before they could be given, since the last `take`. */
  expired = 0;
  /** The latest time that was given. */
  time: bigint | undefined;
  readonly #options: ReplayOptions;
  readonly #slice = new Slice();
  /** How many envelopes were stepped over. */
  #steps = 0;

  constructor(options: ReplayOptions) {
    this.#options = options;
    this.next = options.first;
  }

  /** Gathers some more; true, when there is no more. */
  take(into: BatchBuilder): boolean {
    const { store, sourceId, filter, arrivals, start, last } = this.#options;
    const cursor = store.cursor(sourceId);
    this.expired = 0;
    this.#slice.begin();
    filter.restart();
    this.#skipForgotten();
    for (; this.next <= last; this.next += 1) {
      const isEnough = into.count >= COUNT_MAX || into.byteLength >= BYTES_MAX;
      if (isEnough || this.#slice.isOver(filter.work + this.#steps)) return false;
      const time = arrivals.time(this.next);
      const behind = this.#countOff(time);
      if (time < start) continue;
      this.#steps += behind;
      if (cursor === undefined || !goTo(cursor, time, behind)) this.expired += 1;
      else if (filter.select(cursor, into)) this.#note(time);
    }
    return true;
  }

  /** When more came than is remembered, what was forgotten can't be told from what was given. */
  #skipForgotten(): void {
    const { arrivals, later, last } = this.#options;
    const { first } = arrivals;
    if (this.next >= first) return;
    const next = Math.min(first, last + 1);
    this.expired += next - this.next;
    this.next = next;
    later.clear();
    for (const [time, count] of arrivals.countFrom(first)) later.set(time, count);
  }

  /** How many came later with this time, now that one has been come to. */
  #countOff(time: bigint): number {
    const { later } = this.#options;
    const behind = Math.max(0, (later.get(time) ?? 0) - 1);
    if (behind === 0) later.delete(time);
    else later.set(time, behind);
    return behind;
  }

  #note(time: bigint): void {
    if (this.time === undefined || time > this.time) this.time = time;
  }
}

/** Goes to the envelope of this time that has so many behind it; whether there is one. */
function goTo(cursor: Cursor, time: bigint, behind: number): boolean {
  const wanted = splitTime(time);
  const next = splitTime(time + 1n);
  cursor.seek(next.high, next.low);
  for (let passed = 0; passed <= behind; passed += 1) {
    if (!cursor.previous()) return false;
    if (cursor.timeHigh !== wanted.high || cursor.timeLow !== wanted.low) return false;
  }
  return true;
}
