/** The settings of a store, by the original's names where it has them. */

import type { Env } from '@standpipe/plumbing';
import { memoryBudget } from './memory-budget.ts';
import {
  MAX_BYTES_PER_SOURCE_DEFAULT,
  MAX_BYTES_PER_SOURCE_MIN,
  MAX_PER_SOURCE_DEFAULT,
  MEMORY_LIMIT_BYTES_MAX,
  MEMORY_LIMIT_BYTES_MIN,
} from './store.ts';

export interface StoreSettings {
  /** Envelopes that are kept of one source; the oldest go first. */
  readonly maxPerSource: number;
  /** What one source's envelopes and their index may take. */
  readonly maxBytesPerSource: number;
  /** What all envelopes and their indexes may take. */
  readonly memoryLimitBytes: number;
}

const MAX_PER_SOURCE_MAX = 10_000_000;

/** How a cache that stands alone reads them, in the place of the original's. */
export const AS_THE_ORIGINAL: Reading = {
  bytesMin: 0,
  bytesMax: Number.MAX_SAFE_INTEGER,
  percent: 50,
};

interface Reading {
  /** What MEMORY_LIMIT_BYTES may be; beyond what a store can have, it is brought within. */
  readonly bytesMin: number;
  readonly bytesMax: number;
  /** MEMORY_LIMIT_PERCENT, when neither is said; 0 is what memory-budget.ts has. */
  readonly percent: number;
}

const STRICTLY: Reading = {
  bytesMin: MEMORY_LIMIT_BYTES_MIN,
  bytesMax: MEMORY_LIMIT_BYTES_MAX,
  percent: 0,
};

export function storeSettings(
  env: Env,
  { bytesMin, bytesMax, percent }: Reading = STRICTLY,
): StoreSettings {
  return {
    maxPerSource: env.count('MAX_PER_SOURCE', {
      fallback: MAX_PER_SOURCE_DEFAULT,
      min: 1,
      max: MAX_PER_SOURCE_MAX,
    }),
    maxBytesPerSource: env.count('MAX_BYTES_PER_SOURCE', {
      fallback: MAX_BYTES_PER_SOURCE_DEFAULT,
      min: MAX_BYTES_PER_SOURCE_MIN,
      max: MEMORY_LIMIT_BYTES_MAX,
    }),
    memoryLimitBytes: memoryBudget({
      limitBytes: env.count('MEMORY_LIMIT_BYTES', {
        fallback: 0,
        min: bytesMin,
        max: bytesMax,
      }),
      limitPercent: env.count('MEMORY_LIMIT_PERCENT', {
        fallback: percent,
        min: 1,
        max: 100,
      }),
    }),
  };
}
