/**
 * The running totals of the counters that pass: whoever sends only deltas gets a total written in.
 *
 *     total = 0, delta ≠ 0    the running total grows by the delta, and is written into the envelope
 *     anything else           the running total becomes the envelope's, which stays as it is
 *
 * So a counter whose delta and total are both zero begins again at zero, as in
 * loggregator-agent-release v8.3.9. Totals are unsigned and wrap at 2^64.
 *
 * There is room for `capacity` counters. When one more comes, the one that was counted on longest
 * ago is forgotten and begins again at zero, which `forgotten` counts. (The original forgets all of
 * them, so that every total of the machine starts again at once.)
 *
 * Hot: one look-up for each counter.
 */

import { CounterReader } from '@standpipe/protos';
import { RecentMap } from '../recent-map.ts';
import { CounterIdentity } from './counter-identity.ts';

const CAPACITY_DEFAULT = 10_000;
const WORD = 2 ** 32;

export class CounterTotals {
  /** The total that `count` wants written. */
  high = 0;
  low = 0;
  /** What `count` has read. */
  readonly counter: CounterReader = new CounterReader();
  readonly #totals: RecentMap<{ high: number; low: number }>;
  readonly #identity = new CounterIdentity();

  constructor({ capacity = CAPACITY_DEFAULT }: { capacity?: number } = {}) {
    this.#totals = new RecentMap({ capacity, create: () => ({ high: 0, low: 0 }) });
  }

  /** How many counters were forgotten to make room. */
  get forgotten(): number {
    return this.#totals.forgotten;
  }

  /**
   * Takes in the counter of the envelope bytes[0, end), tagged as it will go out; its source id is
   * source[start, stop). Returns whether its total must be rewritten, to `high` and `low`.
   */
  count(bytes: Buffer, end: number, source: Buffer, start: number, stop: number): boolean {
    const counter = this.counter.over(bytes, 0, end);
    this.#identity.read(bytes, end, counter, source, start, stop);
    const total = this.#totals.use(this.#identity.bytes, this.#identity.length);
    const hasTotal = counter.totalLow !== 0 || counter.totalHigh !== 0;
    const hasDelta = counter.deltaLow !== 0 || counter.deltaHigh !== 0;
    if (hasTotal || !hasDelta) {
      total.low = counter.totalLow;
      total.high = counter.totalHigh;
      return false;
    }
    const low = total.low + counter.deltaLow;
    const carry = low >= WORD ? 1 : 0;
    total.low = low >>> 0;
    total.high = (total.high + counter.deltaHigh + carry) >>> 0;
    this.low = total.low;
    this.high = total.high;
    return true;
  }
}
