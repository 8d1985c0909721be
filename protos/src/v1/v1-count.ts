/**
 * How many v1 envelopes a v2 envelope counts for: the unit of a Doppler's `ingress`.
 *
 * An event, or an envelope without a message, counts for none; a gauge for as many as it has
 * metrics, but for one when it is a container's; any other for one. What v1 can't carry in the end,
 * such as a log with an empty payload, counts all the same: Loggregator v107.0.21 counts before it
 * encodes.
 *
 * Hot: a Doppler asks it of every batch. One without gauges, events and empty envelopes, as most
 * are, costs one look at its kinds; a gauge is taken apart. Reused, allocates nothing.
 */

import { type Batch, Kind } from '../batch.ts';
import { EnvelopeParts } from '../envelope-parts.ts';
import { ContainerMetric } from './container-metric.ts';

/** The kinds that don't count for one each. */
const UNEVEN_KINDS: number = (1 << Kind.none) | (1 << Kind.gauge) | (1 << Kind.event);

export class V1Count {
  readonly #parts = new EnvelopeParts();
  readonly #container = new ContainerMetric();

  /** The count of a whole scanned batch. */
  ofBatch(batch: Batch): number {
    if ((batch.kinds & UNEVEN_KINDS) === 0) return batch.count;
    let count = 0;
    for (let index = 0; index < batch.count; index += 1) count += this.of(batch, index);
    return count;
  }

  /** The count of one envelope of a scanned batch. */
  of(batch: Batch, index: number): number {
    const kind = batch.kind[index];
    if (kind === Kind.gauge) return this.#ofGauge(batch, index);
    return kind === Kind.none || kind === Kind.event ? 0 : 1;
  }

  #ofGauge(batch: Batch, index: number): number {
    // The row exists, so the columns have its bounds.
    const start = batch.start[index] as number;
    const parts = this.#parts.read(batch.bytes, start, batch.end[index] as number);
    const { bytes, metrics } = parts;
    return this.#container.read(bytes, metrics) ? 1 : metrics.sort(bytes);
  }
}
