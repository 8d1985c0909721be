/**
 * How much memory the store may take, from what an operator has said and what there is.
 *
 * Bytes that are said are taken, within what a store can have. Otherwise a percentage that is said is of the machine's
 * memory, or of the container's limit if that is lower; and with neither it is a quarter of a GiB, or
 * half of the memory where that is less.
 */

import { totalmem } from 'node:os';
import {
  MEMORY_LIMIT_BYTES_DEFAULT,
  MEMORY_LIMIT_BYTES_MAX,
  MEMORY_LIMIT_BYTES_MIN,
} from './store.ts';

export interface MemorySettings {
  /** 0 when it was not said. */
  readonly limitBytes: number;
  /** Of the memory there is; 0 when it was not said. */
  readonly limitPercent: number;
}

const PERCENT_DEFAULT = 50;

export function memoryBudget(
  { limitBytes, limitPercent }: MemorySettings,
  memoryBytes: number = systemMemoryBytes(),
): number {
  if (limitBytes > 0) return withinStore(limitBytes);
  const share = (memoryBytes * (limitPercent || PERCENT_DEFAULT)) / 100;
  const wanted = limitPercent > 0 ? share : Math.min(share, MEMORY_LIMIT_BYTES_DEFAULT);
  return withinStore(wanted);
}

function withinStore(bytes: number): number {
  return Math.floor(Math.min(Math.max(bytes, MEMORY_LIMIT_BYTES_MIN), MEMORY_LIMIT_BYTES_MAX));
}

/** The machine's memory, or the limit of the container (cgroup v1 or v2) if that is lower. */
export function systemMemoryBytes(
  machineBytes: number = totalmem(),
  containerBytes: number = process.constrainedMemory(),
): number {
  return containerBytes > 0 ? Math.min(machineBytes, containerBytes) : machineBytes;
}
