/**
 * Which segments of a journal a snapshot is to make useless.
 *
 *     journal    │ 7 │ 8 │ 9 │ 10 │ 11 │
 *     sources    ├ a: all of it came since 9 ──┤       stays in the journal
 *                  ├ b: quiet, since 8 ────────┤       is written to the snapshot
 *     up to 9    frees 7 and 8, writes b
 *
 * What has come since a segment was begun stands in that segment and those behind it: a snapshot
 * that frees the ones before has to hold only sources with something older. Of a busy cache the old
 * segments are of envelopes long gone, so it is next to nothing that is written twice. Where to cut is
 * a matter of price: the least written for the most freed.
 */

export interface Cut {
  /** The segment up to which, exclusive, all are freed. */
  readonly segment: number;
  readonly freedBytes: number;
  /** What the snapshot holds, about. */
  readonly writtenBytes: number;
}

export interface CutOptions {
  /** The bytes of the journal's segments, in the order of their numbers. */
  readonly segments: Iterable<readonly [number, number]>;
  /** The number that the next segment will have: to cut there frees all. */
  readonly next: number;
  /** The first segment from which on nothing is missing; `next` at the latest. */
  readonly wholeFrom: number;
  /** How much is held of sources whose oldest came in the time of this segment. */
  readonly held: ReadonlyMap<number, number>;
  /** What a snapshot costs besides what it holds, in bytes of it. */
  readonly fixedBytes: number;
}

export function cheapestCut({ segments, next, wholeFrom, held, fixedBytes }: CutOptions): Cut {
  const marks = [...held].sort(([a], [b]) => a - b);
  let best: Cut | undefined;
  let lowest = Number.POSITIVE_INFINITY;
  let freedBytes = 0;
  let writtenBytes = 0;
  let at = 0;
  for (const [segment, bytes] of [...segments, [next, 0] as const]) {
    for (let mark = marks[at]; mark !== undefined && mark[0] < segment; mark = marks[at]) {
      writtenBytes += mark[1];
      at += 1;
    }
    const none = Number.POSITIVE_INFINITY;
    const price = freedBytes === 0 ? none : (writtenBytes + fixedBytes) / freedBytes;
    if (segment >= wholeFrom && (best === undefined || price <= lowest)) {
      best = { segment, freedBytes, writtenBytes };
      lowest = price;
    }
    freedBytes += bytes;
  }
  return best ?? { segment: next, freedBytes, writtenBytes };
}
