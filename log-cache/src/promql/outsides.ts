/**
 * Finds what an envelope has besides its time and its message: its labels, and the series under them.
 *
 *     envelope   │ time │ source id, tags, … │ message │ … tags │
 *                        ╰──── the same as one before? ────────╯      ──▶ that one's outside
 *
 * Where a store keeps envelopes folded, those with the same outside are known by where it lies, and are
 * not even put together. Elsewhere the bytes are compared with those of envelopes before. Labels are
 * decoded only for what was never seen. Writers that put their tags in another order each time are
 * known by the sum of random numbers, one for each tag: it is the same in every order.
 *
 * Hot: called for each envelope in a query's time.
 */

import { EnvelopeParts } from '@standpipe/protos';
import { NONE } from '../arena.ts';
import type { Cursor } from '../cursor.ts';
import { INSTANCE_ID, METRIC_NAME, SOURCE_ID } from './names.ts';
import { PartIds, textOf, tooMany } from './part-ids.ts';
import type { SampleList } from './sample-list.ts';
import { SkeletonCache } from './skeleton-cache.ts';

/** More series are no answer to a query. */
export const SERIES_MAX = 50_000;

/** A name in the envelopes' bytes. */
export interface Name {
  readonly text: string;
  /** Whether the matchers of names let it pass. */
  readonly isWanted: boolean;
}

/** What envelopes with the same outside have in common. */
export interface Outside {
  /** Their labels besides the metric's name. */
  readonly labels: readonly (readonly [string, string])[];
  /** Their series by the metrics' names, or for logs by their type; undefined where not wanted. */
  readonly series: Map<Name, SampleList | undefined>;
  /** That of these which was looked up last. */
  lastName: Name | undefined;
  lastSeries: SampleList | undefined;
}

/** So that the sum of a hundred is exact. */
const WEIGHT_MAX = 2 ** 46;

export class Outsides {
  /** How many were decoded. */
  count = 0;
  /** Where the message's body is, of the envelope that was looked at last. */
  bytes: Uint8Array = new Uint8Array(0);
  bodyStart = 0;
  bodyEnd = 0;

  readonly #sources = new PartIds<number>();
  readonly #instances = new PartIds<number>();
  readonly #tags = new PartIds<number>();
  readonly #known = new Map<number, Outside>();
  readonly #skeletons = new SkeletonCache<Outside>();
  /** Those that the cursor has come by, by their places. */
  readonly #placed = new Map<number, Outside>();
  #cursor: Cursor | undefined;
  readonly #envelope = new EnvelopeParts();

  /** The outside of the envelope that a cursor shows. */
  at(cursor: Cursor): Outside {
    if (cursor !== this.#cursor) {
      this.#placed.clear(); // Places hold no longer than the cursor.
      this.#cursor = cursor;
    }
    const place = cursor.outside;
    const placed = this.#placed.get(place);
    if (placed === undefined) {
      const found = this.of(cursor.bytes, cursor.start, cursor.end);
      // One with its message in pieces has been written anew, and is no model for others.
      if (place !== NONE && this.bytes === cursor.bytes) this.#placed.set(place, found);
      return found;
    }
    const bytes = cursor.messageBytes;
    let start = cursor.messageStart + 1;
    while ((bytes[start] as number) >= 0x80) start += 1; // Within its length.
    this.bytes = bytes;
    this.bodyStart = start + 1;
    this.bodyEnd = cursor.messageEnd;
    return placed;
  }

  /** The outside of the bare envelope bytes[start, end). */
  of(bytes: Uint8Array, start: number, end: number): Outside {
    const skeletons = this.#skeletons;
    const known = skeletons.find(bytes, start, end);
    if (known !== undefined) {
      this.bytes = bytes;
      this.bodyStart = skeletons.bodyStart;
      this.bodyEnd = skeletons.bodyEnd;
      return known;
    }
    const envelope = this.#envelope.read(bytes, start, end);
    const outside = this.#decoded(envelope);
    this.bytes = envelope.bytes;
    this.bodyStart = envelope.bodyStart;
    this.bodyEnd = envelope.bodyEnd;
    if (this.bytes === bytes) skeletons.remember(bytes, start, end, outside);
    return outside;
  }

  #decoded(envelope: EnvelopeParts): Outside {
    const { bytes, tags } = envelope;
    // Each part has its own random number, so that equal sums are equal parts.
    let sum = this.#sources.of(bytes, envelope.sourceStart, envelope.sourceEnd, randomWeight);
    sum += this.#instances.of(bytes, envelope.instanceStart, envelope.instanceEnd, randomWeight);
    for (let index = 0; index < tags.count; index += 1) {
      const start = tags.entryStart[index] as number; // Below the count.
      sum += this.#tags.of(bytes, start, tags.entryEnd[index] as number, randomWeight);
    }
    const known = this.#known.get(sum);
    if (known !== undefined) return known;
    const outside = {
      labels: labelsOf(envelope),
      series: new Map(),
      lastName: undefined,
      lastSeries: undefined,
    };
    this.#known.set(sum, outside);
    this.count += 1;
    if (this.count > SERIES_MAX) throw tooMany();
    return outside;
  }
}

function labelsOf(envelope: EnvelopeParts): (readonly [string, string])[] {
  const { bytes, tags } = envelope;
  const labels: (readonly [string, string])[] = [];
  for (let index = 0; index < tags.count; index += 1) {
    // Below the count.
    const name = textOf(bytes, tags.keyStart[index] as number, tags.keyEnd[index] as number);
    const value = textOf(bytes, tags.valueStart[index] as number, tags.valueEnd[index] as number);
    if (name !== METRIC_NAME) labels.push([name, value]);
  }
  const instance = textOf(bytes, envelope.instanceStart, envelope.instanceEnd);
  if (instance !== '') labels.push([INSTANCE_ID, instance]);
  labels.push([SOURCE_ID, textOf(bytes, envelope.sourceStart, envelope.sourceEnd)]);
  return labels;
}

function randomWeight(): number {
  return Math.floor(Math.random() * WEIGHT_MAX);
}
