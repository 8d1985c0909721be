/**
 * What is known about a source without reading it.
 *
 * Times are kept as words: there may be one of these for each of a hundred thousand sources, and
 * whoever writes them out, as JSON or as a message, needs no BigInt.
 */

import { compareTime, joinTime, splitTime } from '@standpipe/protos';

/** Times are nanoseconds since 1970. */
export interface MetaWords {
  /** How many envelopes are held, and how many were given up. */
  readonly count: number;
  readonly expired: number;
  readonly oldestHigh: number;
  readonly oldestLow: number;
  readonly newestHigh: number;
  readonly newestLow: number;
}

export class MetaInfo implements MetaWords {
  readonly count: number;
  readonly expired: number;
  readonly oldestHigh: number;
  readonly oldestLow: number;
  readonly newestHigh: number;
  readonly newestLow: number;

  constructor(words: MetaWords) {
    this.count = words.count;
    this.expired = words.expired;
    this.oldestHigh = words.oldestHigh;
    this.oldestLow = words.oldestLow;
    this.newestHigh = words.newestHigh;
    this.newestLow = words.newestLow;
  }

  static of(info: {
    readonly count: number;
    readonly expired: number;
    readonly oldest: bigint;
    readonly newest: bigint;
  }): MetaInfo {
    const { high: oldestHigh, low: oldestLow } = splitTime(info.oldest);
    const { high: newestHigh, low: newestLow } = splitTime(info.newest);
    const { count, expired } = info;
    return new MetaInfo({ count, expired, oldestHigh, oldestLow, newestHigh, newestLow });
  }

  get oldest(): bigint {
    return joinTime(this.oldestHigh, this.oldestLow);
  }

  get newest(): bigint {
    return joinTime(this.newestHigh, this.newestLow);
  }

  /** Of a source that has a share in two places. */
  plus(other: MetaInfo): MetaInfo {
    const { oldestHigh, oldestLow, newestHigh, newestLow } = other;
    const isOlder = compareTime(oldestHigh, oldestLow, this.oldestHigh, this.oldestLow) < 0;
    const isNewer = compareTime(newestHigh, newestLow, this.newestHigh, this.newestLow) > 0;
    return new MetaInfo({
      count: this.count + other.count,
      expired: this.expired + other.expired,
      oldestHigh: isOlder ? oldestHigh : this.oldestHigh,
      oldestLow: isOlder ? oldestLow : this.oldestLow,
      newestHigh: isNewer ? newestHigh : this.newestHigh,
      newestLow: isNewer ? newestLow : this.newestLow,
    });
  }
}
