/**
 * Room for the heap to grow before V8 marks it anew.
 *
 * V8 decides by the memory outside its heap too, and there goes every byte that comes in or goes out:
 * a process with 15 MB of objects is marked several times a second for Buffers that a scavenge would
 * have freed. That was up to half of the CPU time of an agent and of a Doppler (docs/decisions/hot-path.md).
 *
 * A large heap is left to V8: it has this much room by V8's own rules, and marking it late would cost
 * memory in earnest.
 */

import { constants, type PerformanceEntry, PerformanceObserver } from 'node:perf_hooks';
import { getHeapStatistics, setFlagsFromString } from 'node:v8';

/** More than the 64 MiB outside the heap after which V8 scavenges. It is used only by garbage. */
const ROOM_BYTES = 96 * 1024 * 1024;

/** How often a heap is looked at that grows without being marked. */
const INTERVAL_MS = 10_000;

/** From now on, as long as the process lives. V8 reads the flag whenever it has marked. */
export function giveHeapRoom(): void {
  let markedBytes = usedBytes();
  const fitRoom = (): void => {
    setFlagsFromString(`--heap-growing-percent=${growthPercent(markedBytes, usedBytes())}`);
  };
  new PerformanceObserver((list) => {
    if (!list.getEntries().some(isMark)) return;
    markedBytes = usedBytes();
    fitRoom();
  }).observe({ entryTypes: ['gc'] });
  setInterval(fitRoom, INTERVAL_MS).unref();
  fitRoom();
}

/**
 * By how many percent a heap may grow until it is marked, that had `markedBytes` after the last mark
 * and has `bytes` now; 0 is V8's own choice.
 */
export function growthPercent(markedBytes: number, bytes: number): number {
  if (markedBytes >= ROOM_BYTES || bytes >= 2 * ROOM_BYTES) return 0;
  return Math.floor((100 * ROOM_BYTES) / markedBytes);
}

function usedBytes(): number {
  return getHeapStatistics().used_heap_size;
}

/** Whether an entry of type `gc`, which has a `detail`, is of a mark. */
function isMark(entry: PerformanceEntry & { readonly detail?: unknown }): boolean {
  const { detail } = entry;
  const { NODE_PERFORMANCE_GC_MAJOR: major } = constants;
  return typeof detail === 'object' && detail !== null && 'kind' in detail && detail.kind === major;
}
