/** What is known about a source without reading it. */

import { compareTime } from '@standpipe/protos';

/**
 * Times are nanoseconds since 1970, as two signed words each: integers of 32 bits take no object of
 * their own, there may be one of these for each of a hundred thousand sources, and whoever writes
 * them out, as JSON or as a message, needs no BigInt.
 */
export interface MetaInfo {
  /** How many envelopes are held, and how many were given up. */
  readonly count: number;
  readonly expired: number;
  readonly oldestHigh: number;
  readonly oldestLow: number;
  readonly newestHigh: number;
  readonly newestLow: number;
}

/**
 * One that is filled again and again by who looks at many sources. V8 gives objects whose numbers
 * are now small, now not, another layout one by one, which takes longer than all else.
 */
export type MetaDraft = { -readonly [Field in keyof MetaInfo]: MetaInfo[Field] };

export function metaDraft(): MetaDraft {
  return { count: 0, expired: 0, oldestHigh: 0, oldestLow: 0, newestHigh: 0, newestLow: 0 };
}

/** Of a source that has a share in two places. */
export function sumOf(a: MetaInfo, b: MetaInfo): MetaInfo {
  const older =
    compareTime(b.oldestHigh, b.oldestLow >>> 0, a.oldestHigh, a.oldestLow >>> 0) < 0 ? b : a;
  const newer =
    compareTime(b.newestHigh, b.newestLow >>> 0, a.newestHigh, a.newestLow >>> 0) > 0 ? b : a;
  return {
    count: a.count + b.count,
    expired: a.expired + b.expired,
    oldestHigh: older.oldestHigh,
    oldestLow: older.oldestLow,
    newestHigh: newer.newestHigh,
    newestLow: newer.newestLow,
  };
}
