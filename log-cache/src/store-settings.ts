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

export function storeSettings(env: Env): StoreSettings {
  const max = MEMORY_LIMIT_BYTES_MAX;
  return {
    maxPerSource: env.count('MAX_PER_SOURCE', {
      fallback: MAX_PER_SOURCE_DEFAULT,
      min: 1,
      max: MAX_PER_SOURCE_MAX,
    }),
    maxBytesPerSource: env.count('MAX_BYTES_PER_SOURCE', {
      fallback: MAX_BYTES_PER_SOURCE_DEFAULT,
      min: MAX_BYTES_PER_SOURCE_MIN,
      max,
    }),
    memoryLimitBytes: memoryBudget({
      limitBytes: env.count('MEMORY_LIMIT_BYTES', {
        fallback: 0,
        min: MEMORY_LIMIT_BYTES_MIN,
        max,
      }),
      limitPercent: env.count('MEMORY_LIMIT_PERCENT', { fallback: 0, min: 1, max: 100 }),
    }),
  };
}
