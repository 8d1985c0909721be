/** How much a cache may take: so many bytes, or a part of what this machine or container has. */

import { totalmem } from 'node:os';
import { MEMORY_LIMIT_BYTES_MAX, MEMORY_LIMIT_BYTES_MIN } from './store.ts';

export interface MemoryLimit {
  /** 0 is not said. */
  readonly bytes: number;
  readonly percent: number;
}

/** Within what a store can have. */
export function memoryLimitOf(
  { bytes, percent }: MemoryLimit,
  availableBytes: number = memoryOfThisMachine(),
): number {
  const wanted = bytes === 0 ? Math.floor((availableBytes * percent) / 100) : bytes;
  return Math.min(MEMORY_LIMIT_BYTES_MAX, Math.max(MEMORY_LIMIT_BYTES_MIN, wanted));
}

/** What a container may have, where that is less. */
function memoryOfThisMachine(): number {
  const container = process.constrainedMemory();
  // Without a limit it is 0, or a number beyond all memory.
  return container > 0 ? Math.min(container, totalmem()) : totalmem();
}
