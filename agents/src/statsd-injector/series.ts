/**
 * What each series stands at: the running total of a counter, the last value of a gauge.
 *
 * A series is its type, its whole name and its tags, in whatever order they come. (In
 * statsd-injector-release the tags are no part of it, so differently tagged counters run into one
 * total.) There is room for so many series; beyond that the one used longest ago is forgotten and
 * begins again at zero, and so does one that was not used for a day. `forgotten` counts them.
 *
 * Hot: one look-up for each line.
 */

import { RecentMap } from '../recent-map.ts';
import { type Line, type MetricType, TAGS_MAX } from './line.ts';

const IDLE_LIMIT_MS = 24 * 60 * 60 * 1000;
const CAPACITY_DEFAULT = 50_000;

const TYPES: Readonly<Record<MetricType, number>> = { counter: 1, gauge: 2, timer: 3 };
/** Stands between the parts of a key; a line holds none, for it ends where one stands. */
const SEPARATOR = 0x0a;

export class SeriesTable {
  readonly #series: RecentMap<{ value: number }>;
  #key: Buffer = Buffer.allocUnsafeSlow(4096);
  readonly #order = new Int32Array(TAGS_MAX);

  constructor({ capacity = CAPACITY_DEFAULT }: { capacity?: number } = {}) {
    this.#series = new RecentMap({ capacity, create: () => ({ value: 0 }) });
  }

  get size(): number {
    return this.#series.size;
  }

  get forgotten(): number {
    return this.#series.forgotten;
  }

  /** Takes in a line of `from`, and says what its envelope's value is; NaN, if there is none. */
  apply(from: Buffer, line: Line, nowMs: number): number {
    const value = line.value / line.rate;
    if (!Number.isFinite(value)) return Number.NaN;
    if (line.type === 'timer') return value;
    const series = this.#series.use(this.#key, this.#writeKey(from, line), nowMs);
    const isAbsolute = line.type === 'gauge' && line.sign === '';
    const before = isAbsolute ? 0 : series.value;
    const after = line.sign === '-' ? before - value : before + value;
    if (!Number.isFinite(after)) return Number.NaN;
    series.value = after;
    return after;
  }

  /** Forgets what was not used for a day. */
  forgetIdle(nowMs: number): void {
    this.#series.forgetIdle(nowMs - IDLE_LIMIT_MS);
  }

  /** Writes the key of a line's series, and says how long it is. */
  #writeKey(from: Buffer, line: Line): number {
    const size = from.length + 2 * line.tagCount + 8;
    if (size > this.#key.length) this.#key = Buffer.allocUnsafeSlow(size * 2);
    this.#key[0] = TYPES[line.type];
    let end = this.#copy(1, from, line.originStart, line.nameEnd);
    this.#sortTags(from, line);
    for (let place = 0; place < line.tagCount; place += 1) {
      const tag = this.#order[place] as number; // Below the count, like all places here.
      this.#key[end] = SEPARATOR;
      const start = line.keyStart[tag] as number;
      end = this.#copy(end + 1, from, start, line.keyEnd[tag] as number);
      this.#key[end] = SEPARATOR;
      end = this.#copy(end + 1, from, line.textStart[tag] as number, line.textEnd[tag] as number);
    }
    return end;
  }

  #copy(at: number, from: Buffer, start: number, end: number): number {
    const key = this.#key;
    let to = at;
    for (let index = start; index < end; index += 1) key[to++] = from[index] as number;
    return to;
  }

  /** Sorts a line's tags by their keys; there are 64 at most. */
  #sortTags(from: Buffer, line: Line): void {
    const order = this.#order;
    for (let tag = 0; tag < line.tagCount; tag += 1) {
      let place = tag;
      for (; place > 0; place -= 1) {
        const before = order[place - 1] as number;
        if (compareKeys(from, line, before, tag) <= 0) break;
        order[place] = before;
      }
      order[place] = tag;
    }
  }
}

function compareKeys(from: Buffer, line: Line, a: number, b: number): number {
  const aEnd = line.keyEnd[a] as number;
  const bEnd = line.keyEnd[b] as number;
  let left = line.keyStart[a] as number;
  let right = line.keyStart[b] as number;
  while (left < aEnd && right < bEnd) {
    const difference = (from[left++] as number) - (from[right++] as number);
    if (difference !== 0) return difference;
  }
  return aEnd - left - (bEnd - right);
}
