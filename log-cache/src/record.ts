/**
 * How an envelope lies in a segment, and what the last word of its index entry says of that.
 *
 *     envelope   │ time │ outside: source id │ message │ outside: instance, tags │
 *
 *     plain      │ all of its bytes │
 *     whole      │ bounds of its parts │ all of its bytes │
 *     folded     │ address of a whole │ message │
 *
 *     last word  │ folded │ whole │ length 24 │ class 3 │ kind 3 │
 *
 * A folded envelope has the same outside as a whole one in its segment; its time stands in the
 * entry, so message and entry are all that it takes. The address in an entry is that of the bytes:
 * of a whole they begin behind two words of bounds, of a folded one behind one word. The length is
 * that of the bytes which lie there.
 */

import type { Region } from './arena.ts';
import { local } from './arena.ts';

export const WHOLE_HEAD_WORDS = 2;
export const FOLDED_HEAD_WORDS = 1;

/** Bounds are 16 bits each. */
export const FOLDABLE_BYTES_MAX = 0xffff;

const CLASS_SHIFT = 3;
const LENGTH_SHIFT = 6;
const LENGTH_MAX = 0xffffff;
const LOW_BITS = 7;
const FOLDED = 1 << 31;
const WHOLE = 1 << 30;

/** How an envelope is kept; the numbers are the bits of its last word. */
export const Form: Readonly<Record<'plain' | 'whole' | 'folded', number>> = {
  plain: 0,
  whole: WHOLE,
  folded: FOLDED,
};

export function lastWord(form: number, length: number, segmentClass: number, kind: number): number {
  return form | (length << LENGTH_SHIFT) | (segmentClass << CLASS_SHIFT) | kind;
}

export function lengthOf(last: number): number {
  return (last >>> LENGTH_SHIFT) & LENGTH_MAX;
}

export function kindOf(last: number): number {
  return last & LOW_BITS;
}

/** The class of the segment that the envelope lies in. */
export function classOf(last: number): number {
  return (last >>> CLASS_SHIFT) & LOW_BITS;
}

export function isFolded(last: number): boolean {
  return (last & FOLDED) !== 0;
}

export function isWhole(last: number): boolean {
  return (last & WHOLE) !== 0;
}

/** The head of the whole that the folded envelope at an address was folded onto. */
export function wholeOf({ words }: Region, address: number): number {
  return words[local(address) - FOLDED_HEAD_WORDS] as number; // Before its message.
}

/** The parts of a whole envelope, as places within its bytes. */
export interface Bounds {
  timeEnd: number;
  messageStart: number;
  messageEnd: number;
  end: number;
}

/** Reads the bounds of the whole whose head is at an address. */
export function readBounds({ words }: Region, head: number, into: Bounds): void {
  // Within the head of a whole.
  const first = words[local(head)] as number;
  const second = words[local(head) + 1] as number;
  into.timeEnd = first >>> 16;
  into.messageStart = first & 0xffff;
  into.messageEnd = second >>> 16;
  into.end = second & 0xffff;
}

export function writeBounds({ words }: Region, head: number, bounds: Readonly<Bounds>): void {
  words[local(head)] = (bounds.timeEnd << 16) | bounds.messageStart;
  words[local(head) + 1] = (bounds.messageEnd << 16) | bounds.end;
}
