/**
 * The body of a v1 ContainerMetric, from a v2 gauge that has all of its five values.
 *
 * A gauge is one only if each of the five has a unit or isn't zero; what other metrics it has are
 * lost, as they are in the original. Values become whole and unsigned: what is below zero or no
 * number becomes 0, what is too large the largest.
 *
 * Hot: reused, allocates nothing.
 */

import type { Batch } from '../batch.ts';
import type { MapEntries } from '../map-entries.ts';
import { GaugeValueParts } from '../message-parts.ts';
import { fieldSize, varint64Size, type WireWriter } from '../wire-writer.ts';
import { ParsedInteger } from './parse-integer.ts';

/** The fields of events.ContainerMetric, by number and wire type. */
const APPLICATION_ID = 0x0a;
const INSTANCE_INDEX = 0x10;
const CPU_PERCENTAGE = 0x19;

const CPU = Buffer.from('cpu');
const INDEX = Buffer.from('instance_index');
/** The metrics that become whole numbers, and the tags of their fields. */
const WHOLE = [
  { name: Buffer.from('memory'), tag: 0x20 },
  { name: Buffer.from('disk'), tag: 0x28 },
  { name: Buffer.from('memory_quota'), tag: 0x30 },
  { name: Buffer.from('disk_quota'), tag: 0x38 },
];
const METRICS_MIN = 5;

const WORD = 2 ** 32;
const INT32_MAX = 2 ** 31 - 1;

export class ContainerMetric {
  /** How long the body becomes. */
  size = 0;

  #cpu = 0;
  readonly #high = new Uint32Array(WHOLE.length);
  readonly #low = new Uint32Array(WHOLE.length);
  readonly #index = new ParsedInteger();
  readonly #value = new GaugeValueParts();

  /** Reads the metrics of a gauge; false when it is not a container's. */
  read(bytes: Uint8Array, metrics: MapEntries): boolean {
    if (metrics.count < METRICS_MIN || !this.#find(bytes, metrics, CPU)) return false;
    this.#cpu = this.#value.value;
    for (let index = 0; index < WHOLE.length; index += 1) {
      const name = WHOLE[index]?.name as Uint8Array; // Below the length.
      if (!this.#find(bytes, metrics, name)) return false;
      const value = wholeNumber(this.#value.value);
      this.#high[index] = Math.floor(value / WORD);
      this.#low[index] = value;
    }
    return true;
  }

  /** Reads whose container it is, from the row of the gauge that was read. */
  readOwner(batch: Batch, row: number, metrics: MapEntries): void {
    const sourceStart = batch.sourceStart[row] as number; // The row exists.
    this.#readIndex(batch, row, metrics);
    this.size =
      fieldSize((batch.sourceEnd[row] as number) - sourceStart) +
      1 +
      varint64Size(this.#index.high, this.#index.low) +
      9;
    for (let index = 0; index < WHOLE.length; index += 1) {
      this.size += 1 + varint64Size(this.#high[index] as number, this.#low[index] as number);
    }
  }

  write(wire: WireWriter, batch: Batch, row: number): void {
    const sourceStart = batch.sourceStart[row] as number;
    wire.field(APPLICATION_ID, batch.bytes, sourceStart, batch.sourceEnd[row] as number);
    wire.byte(INSTANCE_INDEX);
    wire.varint64(this.#index.high, this.#index.low);
    wire.byte(CPU_PERCENTAGE);
    wire.double(this.#cpu);
    for (let index = 0; index < WHOLE.length; index += 1) {
      wire.byte(WHOLE[index]?.tag as number);
      wire.varint64(this.#high[index] as number, this.#low[index] as number);
    }
  }

  /** Reads the value of a metric; false when there is none, or only a zero without a unit. */
  #find(bytes: Uint8Array, metrics: MapEntries, name: Uint8Array): boolean {
    const entry = metrics.find(bytes, name);
    if (entry < 0) return false;
    const start = metrics.valueStart[entry] as number; // The entry was found below the count.
    const value = this.#value.read(bytes, start, metrics.valueEnd[entry] as number);
    return value.unitEnd > value.unitStart || value.value !== 0;
  }

  /** The metric `instance_index`, if there is one; else the instance id, if it is a number; else 0. */
  #readIndex({ bytes, instanceStart, instanceEnd }: Batch, row: number, metrics: MapEntries): void {
    const entry = metrics.find(bytes, INDEX);
    if (entry < 0) {
      const start = instanceStart[row] as number;
      this.#index.parse32(bytes, start, instanceEnd[row] as number);
      return;
    }
    const start = metrics.valueStart[entry] as number;
    const { value } = this.#value.read(bytes, start, metrics.valueEnd[entry] as number);
    const index = Number.isNaN(value) ? 0 : Math.max(-INT32_MAX - 1, Math.min(value, INT32_MAX));
    this.#index.low = index >>> 0;
    this.#index.high = (index | 0) >> 31;
  }
}

function wholeNumber(value: number): number {
  if (!(value > 0)) return 0;
  return Math.trunc(Math.min(value, WORD * WORD - 2048)); // The largest double below 2^64.
}
