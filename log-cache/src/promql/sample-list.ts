/** The samples of one series while they are collected, in columns that grow. */

import type { Labels } from './labels.ts';
import type { Series, SeriesType } from './series.ts';

/**
 * Few: a query may find tens of thousands of series that have one. So few stand in the heap, as long
 * as nobody makes a view of them; each view costs the collector as much as a buffer of its own.
 */
const CAPACITY_AT_FIRST = 8;

export class SampleList {
  readonly labels: Labels;
  readonly type: SeriesType;
  unit = '';
  /** Set instead of samples, when nobody wants them. */
  isThere = false;
  #times = new Float64Array(CAPACITY_AT_FIRST);
  #values = new Float64Array(CAPACITY_AT_FIRST);
  #count = 0;

  constructor(labels: Labels, type: SeriesType) {
    this.labels = labels;
    this.type = type;
  }

  /** The time of the last sample; NaN, when there is none. */
  get lastMs(): number {
    return this.#times[this.#count - 1] ?? Number.NaN;
  }

  get isEmpty(): boolean {
    return this.#count === 0 && !this.isThere;
  }

  push(timeMs: number, value: number): void {
    const at = this.#count;
    if (at === this.#times.length) this.#grow();
    this.#times[at] = timeMs;
    this.#values[at] = value;
    this.#count = at + 1;
  }

  addToLast(value: number): void {
    const at = this.#count - 1;
    this.#values[at] = (this.#values[at] ?? 0) + value;
  }

  series(): Series {
    return {
      labels: this.labels,
      type: this.type,
      unit: this.unit,
      times: firstOf(this.#times, this.#count),
      values: firstOf(this.#values, this.#count),
    };
  }

  #grow(): void {
    const times = new Float64Array(this.#times.length * 2);
    const values = new Float64Array(times.length);
    times.set(this.#times);
    values.set(this.#values);
    this.#times = times;
    this.#values = values;
  }
}

function firstOf(column: Float64Array, count: number): Float64Array {
  return count <= CAPACITY_AT_FIRST ? column.slice(0, count) : column.subarray(0, count);
}
