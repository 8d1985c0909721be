/**
 * Logs and metrics share the budget apart: a pool for each, with a weight.
 *
 *     logs      weight 3   lanes of all sources, by size ─┐
 *     metrics   weight 1   lanes of all sources, by size ─┴─▶ who gives, when memory is wanted
 *
 * What one pool leaves unused the other may use. When memory is wanted, the pool gives that has more
 * of it for its weight, and in it the lane that has most: weighted max-min fairness, first between
 * the two, then between sources. So logs give nothing to metrics below three quarters of the budget,
 * and metrics nothing to logs below one quarter; to within the little that lies idle, because what
 * counts is what both hold, segments and index alike. The same weights divide a full source's cap.
 */

import { Kind } from '@standpipe/protos';
import type { Lane } from './lane.ts';
import { Ranks } from './ranks.ts';

export class Pool {
  readonly weight: number;
  readonly ranks: Ranks<Lane> = new Ranks<Lane>();
  /** What its lanes hold. */
  heldBytes = 0;

  constructor(weight: number) {
    this.weight = weight;
  }

  /** How much of the memory it has for its weight. */
  get load(): number {
    return this.heldBytes / this.weight;
  }
}

export interface Pools {
  readonly logs: Pool;
  readonly metrics: Pool;
}

export function createPools(): Pools {
  return { logs: new Pool(3), metrics: new Pool(1) };
}

const METRICS = (1 << Kind.counter) | (1 << Kind.gauge) | (1 << Kind.timer);

/** Whether envelopes of this kind are metrics; all others count as logs. */
export function isMetric(kind: number): boolean {
  return ((1 << kind) & METRICS) !== 0;
}
