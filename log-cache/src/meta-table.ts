/**
 * What is known of many sources, as a map that is only read.
 *
 *     ids      │ a     │ b     │ …
 *     counts   │ count · expired │ count · expired │ …
 *     times    │ oldest: 2 words · newest: 2 words │ …
 *
 * In columns, because there may be a hundred thousand sources, and answers are kept for a while: as
 * objects in a Map they take five times as long to make, and the garbage collector has them to walk.
 * There is no Map until somebody looks for one id; who asks for meta mostly wants all of it.
 */

import { writeInSlices } from './meta-bytes.ts';
import { type MetaDraft, type MetaInfo, metaDraft } from './meta-info.ts';

const ROWS_AT_FIRST = 16;

/** The same as a table, which it may be already; in slices, between which others are served. */
export async function tableOf(sources: ReadonlyMap<string, MetaInfo>): Promise<MetaTable> {
  if (sources instanceof MetaTable) return sources;
  const table = new MetaTable(sources.size);
  await writeInSlices(sources, ([id, info]) => table.add(id, info));
  return table;
}

export class MetaTable implements ReadonlyMap<string, MetaInfo> {
  readonly #ids: string[] = [];
  #counts: Float64Array;
  #times: Int32Array;
  #rows: Map<string, number> | undefined;

  /** With the number of sources, if that is known. */
  constructor(rows: number = ROWS_AT_FIRST) {
    this.#counts = new Float64Array(2 * Math.max(1, rows));
    this.#times = new Int32Array(4 * Math.max(1, rows));
  }

  /** Adds a source that is not there yet. */
  add(id: string, info: MetaInfo): void {
    const row = this.#ids.push(id) - 1;
    if (4 * row === this.#times.length) this.#grow();
    const counts = this.#counts;
    counts[2 * row] = info.count;
    counts[2 * row + 1] = info.expired;
    const times = this.#times;
    times[4 * row] = info.oldestHigh;
    times[4 * row + 1] = info.oldestLow;
    times[4 * row + 2] = info.newestHigh;
    times[4 * row + 3] = info.newestLow;
    this.#rows = undefined;
  }

  get size(): number {
    return this.#ids.length;
  }

  /** The ids by their rows. */
  get ids(): readonly string[] {
    return this.#ids;
  }

  /** What is known of the source of a row. */
  at(row: number, into: MetaDraft = metaDraft()): MetaInfo {
    const counts = this.#counts;
    const times = this.#times;
    // Rows are below the size, so within the columns.
    into.count = counts[2 * row] as number;
    into.expired = counts[2 * row + 1] as number;
    into.oldestHigh = times[4 * row] as number;
    into.oldestLow = times[4 * row + 1] as number;
    into.newestHigh = times[4 * row + 2] as number;
    into.newestLow = times[4 * row + 3] as number;
    return into;
  }

  get(id: string): MetaInfo | undefined {
    this.#rows ??= new Map(this.#ids.map((one, row) => [one, row]));
    const row = this.#rows.get(id);
    return row === undefined ? undefined : this.at(row);
  }

  has(id: string): boolean {
    return this.get(id) !== undefined;
  }

  keys(): ArrayIterator<string> {
    return this.#ids.values();
  }

  *values(): Generator<MetaInfo, undefined> {
    for (let row = 0; row < this.size; row += 1) yield this.at(row);
  }

  *entries(): Generator<[string, MetaInfo], undefined> {
    for (const [row, id] of this.#ids.entries()) yield [id, this.at(row)];
  }

  [Symbol.iterator](): Generator<[string, MetaInfo], undefined> {
    return this.entries();
  }

  forEach(call: (info: MetaInfo, id: string, map: ReadonlyMap<string, MetaInfo>) => void): void {
    for (const [id, info] of this) call(info, id, this);
  }

  #grow(): void {
    const counts = new Float64Array(2 * this.#counts.length);
    const times = new Int32Array(2 * this.#times.length);
    counts.set(this.#counts);
    times.set(this.#times);
    this.#counts = counts;
    this.#times = times;
  }
}
