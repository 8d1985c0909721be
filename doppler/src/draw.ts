/**
 * Decides what the selectors leave open: which member of a shard gets an envelope, and what a
 * gauge's names add up to.
 *
 *     counter              CRC-64/XZ of its name
 *     gauge                the wrapping sum of the CRC-64/XZ of its metrics' names
 *     log, timer, event    chance, for each envelope anew
 *
 * These are the hashes of Loggregator v107.0.21, so that a fleet may mix its Dopplers with ours.
 *
 * Hot: `over` runs for each envelope and only remembers where it is; names are hashed when somebody
 * asks, once for each envelope, and nothing is allocated. A metric that stands twice in one gauge
 * is counted twice; no encoder of a map writes that.
 */

import { type Batch, Crc64Sum, FieldReader, Kind } from '@standpipe/protos';
import type { Lottery } from './shards.ts';

/** The fields of a Gauge, and of each entry of the map in it. */
const GAUGE_METRICS = 1;
const ENTRY_KEY = 1;

export class Draw implements Lottery {
  readonly #random: () => number;
  readonly #sum = new Crc64Sum();
  readonly #metrics = new FieldReader();
  readonly #entry = new FieldReader();
  #batch: Batch | undefined;
  #index = 0;
  #isSummed = false;

  /** `random` gives numbers from 0 up to, but not including, 1. */
  constructor(random: () => number = Math.random) {
    this.#random = random;
  }

  /** The envelope that is drawn for from here on. */
  over(batch: Batch, index: number): void {
    this.#batch = batch;
    this.#index = index;
    this.#isSummed = false;
  }

  atRandom(count: number): number {
    return Math.floor(this.#random() * count);
  }

  byHash(count: number): number {
    const kind = this.#batch?.kind[this.#index];
    if (kind !== Kind.counter && kind !== Kind.gauge) return this.atRandom(count);
    return this.names().modulo(count);
  }

  /** The sum of the envelope's names. Holds until the next envelope. */
  names(): Crc64Sum {
    if (this.#isSummed || !this.#batch) return this.#sum;
    this.#isSummed = true;
    this.#sum.reset();
    const { kind, bytes, nameStart, nameEnd } = this.#batch;
    const index = this.#index;
    if (kind[index] === Kind.gauge) this.#addMetrics(this.#batch);
    else this.#sum.add(bytes, nameStart[index] as number, nameEnd[index] as number);
    return this.#sum;
  }

  #addMetrics({ bytes, bodyStart, bodyEnd }: Batch): void {
    const metrics = this.#metrics;
    const entry = this.#entry;
    metrics.over(bytes, bodyStart[this.#index] as number, bodyEnd[this.#index] as number);
    while (metrics.next()) {
      if (metrics.field !== GAUGE_METRICS || metrics.wireType !== 2) continue;
      let keyStart = 0;
      let keyEnd = 0;
      entry.over(bytes, metrics.start, metrics.end);
      while (entry.next()) {
        if (entry.field !== ENTRY_KEY || entry.wireType !== 2) continue;
        keyStart = entry.start;
        keyEnd = entry.end;
      }
      this.#sum.add(bytes, keyStart, keyEnd);
    }
  }
}
