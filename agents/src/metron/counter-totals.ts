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
 *     newest ─▶ [ ]⇄[ ]⇄[ ]⇄[ ] ◀─ oldest        a ring of nodes through `ends`, and a map to them
 *
 * Hot: one look-up and one move to the front for each counter; it allocates for new ones only.
 */

import assert from 'node:assert/strict';
import { ByteMap, CounterReader } from '@standpipe/protos';
import { CounterIdentity } from './counter-identity.ts';

const CAPACITY_DEFAULT = 10_000;
const WORD = 2 ** 32;

interface Total {
  low: number;
  high: number;
  readonly key: Buffer;
  readonly hash: number;
  newer: Total;
  older: Total;
}

export class CounterTotals {
  /** The total that `count` wants written. */
  high = 0;
  low = 0;
  /** What `count` has read. */
  readonly counter: CounterReader = new CounterReader();
  readonly #capacity: number;
  readonly #totals = new ByteMap<Total>();
  readonly #ends: Total = endless();
  readonly #identity = new CounterIdentity();
  #forgotten = 0;

  constructor({ capacity = CAPACITY_DEFAULT }: { capacity?: number } = {}) {
    assert(capacity >= 1, 'there is room for one counter at least');
    this.#capacity = capacity;
  }

  get size(): number {
    return this.#totals.size;
  }

  /** How many counters were forgotten to make room. */
  get forgotten(): number {
    return this.#forgotten;
  }

  /**
   * Takes in the counter of the envelope bytes[0, end), tagged as it will go out; its source id is
   * source[start, stop). Returns whether its total must be rewritten, to `high` and `low`.
   */
  count(bytes: Buffer, end: number, source: Buffer, start: number, stop: number): boolean {
    const counter = this.counter.over(bytes, 0, end);
    this.#identity.read(bytes, end, counter, source, start, stop);
    const total = this.#totalOf(this.#identity);
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

  /** The total of this counter, now the newest. */
  #totalOf({ bytes, length, hash }: CounterIdentity): Total {
    const known = this.#totals.get(bytes, 0, length, hash);
    if (known) {
      unlink(known);
      this.#linkFirst(known);
      return known;
    }
    if (this.#totals.size >= this.#capacity) this.#forgetOldest();
    const key = Buffer.from(bytes.subarray(0, length));
    const { newer, older } = this.#ends;
    const total: Total = { low: 0, high: 0, key, hash, newer, older };
    this.#linkFirst(total);
    this.#totals.set(bytes, 0, length, hash, total);
    return total;
  }

  #forgetOldest(): void {
    const oldest = this.#ends.newer;
    unlink(oldest);
    this.#totals.delete(oldest.key, 0, oldest.key.length, oldest.hash);
    this.#forgotten += 1;
  }

  #linkFirst(total: Total): void {
    const ends = this.#ends;
    total.older = ends.older;
    total.newer = ends;
    ends.older.newer = total;
    ends.older = total;
  }
}

/** What both ends of the ring are linked to: its `older` is the newest, its `newer` the oldest. */
function endless(): Total {
  const ends = { low: 0, high: 0, key: Buffer.alloc(0), hash: 0 } as Total; // Linked just below.
  ends.newer = ends;
  ends.older = ends;
  return ends;
}

function unlink(total: Total): void {
  total.newer.older = total.older;
  total.older.newer = total.newer;
}
