/**
 * Turns what the members of a selector tree picked from a batch into the bytes that each one gets.
 *
 *     picks of A   0 1 2 3 4 5 …   all of it ─────▶ the very bytes that came in
 *     picks of B   0 1 2 3 4 5 …   all of it ─────▶ the same bytes
 *     picks of C   1 4             gathered ──────▶ frame 1 + frame 4
 *     picks of D   1 4             as for C ──────▶ the same bytes
 *
 * Nothing is lost here: a sink is handed all that was picked for it, at once and in order, and
 * bounds what it keeps. No part has more than 500 envelopes, as many as our agents send, and none
 * reaches 4 MiB, the default limit of a gRPC reader, unless one envelope alone does.
 *
 * Hot: a pick costs about 3 ns. Gathering costs a copy, once for each distinct set of picks: the
 * sets are told apart by a fingerprint in a table of 64 places, and where two different sets meet
 * in one place the second is gathered again, which costs time and nothing else. Reads of the
 * columns and picks are below their counts, hence `as`.
 */

import { PackedBatch } from '@standpipe/protos';
import type { Member } from './shards.ts';

/** The most envelopes of one part. */
export const PART_ENVELOPES_MAX = 500;
/** The most bytes of one part, unless it is one envelope: a little below 4 MiB. */
export const PART_BYTES_MAX: number = 4 * 1024 * 1024 - 1024;

/** Where what was picked goes. `put` takes or drops it; it neither throws nor waits. */
export interface Sink {
  put(part: PackedBatch): void;
}

/** A batch as frames: field tag, length and envelope, [frameStart, end) of the bytes. */
export interface Frames {
  readonly bytes: Buffer;
  readonly count: number;
  readonly frameStart: Int32Array;
  readonly end: Int32Array;
}

const PLACES = 64;
const PICKS_AT_FIRST = 16;
/** Room for more picks than this, which only a huge batch needs, is given back after it. */
const PICKS_KEPT_MAX = 16_384;
const NO_PICKS = new Int32Array(0);

/** What one member has picked from the batch at hand, in the order of the batch. */
class Picks implements Member {
  readonly sink: Sink;
  readonly #all: Picks[];
  indexes: Int32Array = NO_PICKS;
  count = 0;
  fingerprint = 0;
  #isRepeated = false;

  /** Enters itself in `all` with its first pick. */
  constructor(sink: Sink, all: Picks[]) {
    this.sink = sink;
    this.#all = all;
  }

  pick(index: number): void {
    const { count } = this;
    if (count === 0) this.#all.push(this);
    else if (this.indexes[count - 1] === index) this.#isRepeated = true;
    if (count === this.indexes.length) this.#grow();
    this.indexes[count] = index;
    this.count = count + 1;
    this.fingerprint = (Math.imul(this.fingerprint, 31) + index + 1) | 0;
  }

  /** Whether each of `count` envelopes was picked, and none twice. */
  isWhole(count: number): boolean {
    return this.count === count && !this.#isRepeated;
  }

  isSame(other: Picks): boolean {
    if (this.fingerprint !== other.fingerprint || this.count !== other.count) return false;
    for (let at = 0; at < this.count; at += 1) {
      if (this.indexes[at] !== other.indexes[at]) return false;
    }
    return true;
  }

  clear(): void {
    if (this.indexes.length > PICKS_KEPT_MAX) this.indexes = NO_PICKS;
    this.count = 0;
    this.fingerprint = 0;
    this.#isRepeated = false;
  }

  #grow(): void {
    const grown = new Int32Array(Math.max(PICKS_AT_FIRST, this.indexes.length * 2));
    grown.set(this.indexes);
    this.indexes = grown;
  }
}

interface Gathered {
  readonly picks: Picks;
  readonly parts: readonly PackedBatch[];
}

export class Fanout {
  readonly #picked: Picks[] = [];
  readonly #places: (Gathered | undefined)[] = new Array<Gathered | undefined>(PLACES).fill(
    undefined,
  );

  /** A member whose picks go to the sink with the next `deliver`. */
  member(sink: Sink): Member {
    return new Picks(sink, this.#picked);
  }

  /** Hands everyone what was picked from these frames, and forgets the picks. */
  deliver(frames: Frames): void {
    const picked = this.#picked;
    if (picked.length === 0) return;
    let whole: readonly PackedBatch[] | undefined;
    for (let at = 0; at < picked.length; at += 1) {
      const picks = picked[at] as Picks;
      let parts: readonly PackedBatch[];
      if (picks.isWhole(frames.count)) {
        whole ??= wholeParts(frames);
        parts = whole;
      } else {
        parts = this.#gathered(frames, picks);
      }
      for (let part = 0; part < parts.length; part += 1) {
        picks.sink.put(parts[part] as PackedBatch);
      }
    }
    for (let at = 0; at < picked.length; at += 1) (picked[at] as Picks).clear();
    picked.length = 0;
    this.#places.fill(undefined);
  }

  #gathered(frames: Frames, picks: Picks): readonly PackedBatch[] {
    const place = picks.fingerprint & (PLACES - 1);
    const there = this.#places[place];
    if (there?.picks.isSame(picks)) return there.parts;
    const parts = gatherParts(frames, picks);
    this.#places[place] = { picks, parts };
    return parts;
  }
}

/** The bytes that came in: as they are, or as views of at most a part's size each. */
function wholeParts(frames: Frames): PackedBatch[] {
  const { bytes, count, frameStart, end } = frames;
  if (count <= PART_ENVELOPES_MAX && bytes.length <= PART_BYTES_MAX) {
    return [new PackedBatch(bytes, count)];
  }
  const parts: PackedBatch[] = [];
  for (let first = 0; first < count; ) {
    const start = frameStart[first] as number;
    let next = first + 1;
    while (next < count && next - first < PART_ENVELOPES_MAX) {
      if ((end[next] as number) - start > PART_BYTES_MAX) break;
      next += 1;
    }
    parts.push(new PackedBatch(bytes.subarray(start, end[next - 1]), next - first));
    first = next;
  }
  return parts;
}

function gatherParts(frames: Frames, picks: Picks): PackedBatch[] {
  const { frameStart, end } = frames;
  const parts: PackedBatch[] = [];
  for (let first = 0; first < picks.count; ) {
    let byteLength = 0;
    let next = first;
    while (next < picks.count && next - first < PART_ENVELOPES_MAX) {
      const index = picks.indexes[next] as number;
      const size = (end[index] as number) - (frameStart[index] as number);
      if (next > first && byteLength + size > PART_BYTES_MAX) break;
      byteLength += size;
      next += 1;
    }
    parts.push(gather(frames, picks.indexes, { first, next, byteLength }));
    first = next;
  }
  return parts;
}

/** Copies the picked frames one after another; those that are neighbours, at one go. */
function gather(
  { bytes, frameStart, end }: Frames,
  indexes: Int32Array,
  { first, next, byteLength }: { first: number; next: number; byteLength: number },
): PackedBatch {
  const gathered = Buffer.allocUnsafe(byteLength);
  let length = 0;
  for (let at = first; at < next; ) {
    const from = frameStart[indexes[at] as number] as number;
    let to = end[indexes[at] as number] as number;
    at += 1;
    while (at < next && frameStart[indexes[at] as number] === to) {
      to = end[indexes[at] as number] as number;
      at += 1;
    }
    bytes.copy(gathered, length, from, to);
    length += to - from;
  }
  return new PackedBatch(gathered, next - first);
}
