/**
 * Room for the heap to grow before V8 marks it anew.
 *
 * V8 decides by the memory outside its heap too, and there goes every byte that comes in or goes out:
 * a process with 15 MB of objects is marked several times a second for Buffers that a scavenge would
 * have freed. That was up to half of the CPU time of an agent and of a Doppler (docs/decisions/hot-path.md).
 *
 * A heap that is larger than the room may double. V8 by itself lets it grow fourfold where there is
 * memory, which a hundred thousand sources that come and go would make use of.
 *
 * V8 takes a percentage, and takes it when it has marked. Of a heap that was small at one mark and
 * large at the next, it is far too much; so one that has grown beyond its room is marked for that.
 */

import { constants, type PerformanceEntry, PerformanceObserver } from 'node:perf_hooks';
import { getHeapStatistics, setFlagsFromString } from 'node:v8';

/** More than the 64 MiB outside the heap after which V8 scavenges. It is used only by garbage. */
const ROOM_BYTES = 96 * 1024 * 1024;

/** How often a heap is looked at. */
const INTERVAL_MS = 500;
/** Of its room: where V8 would have marked already, had it known. */
const OVERDUE = 1.25;
/** V8 marks when so much of what it lets the heap grow by is used; 0 is V8's own choice. */
const USED_PERCENT_MIN = 1;

/** From now on, as long as the process lives. V8 reads the flags whenever it looks or has marked. */
export function giveHeapRoom(): void {
  let markedBytes = 0;
  let isOverdue = false;
  const askForMark = (isAsked: boolean): void => {
    if (isAsked === isOverdue) return;
    isOverdue = isAsked;
    setFlagsFromString(`--incremental-marking-soft-trigger=${isAsked ? USED_PERCENT_MIN : 0}`);
  };
  const marked = (): void => {
    markedBytes = usedBytes();
    setFlagsFromString(`--heap-growing-percent=${growthPercent(markedBytes)}`);
    askForMark(false);
  };
  new PerformanceObserver((list) => {
    if (list.getEntries().some(isMark)) marked();
  }).observe({ entryTypes: ['gc'] });
  setInterval(() => {
    askForMark(usedBytes() > markedBytes + OVERDUE * roomOf(markedBytes));
  }, INTERVAL_MS).unref();
  marked();
}

/** By how many percent a heap may grow until it is marked, that had so much after the last mark. */
export function growthPercent(markedBytes: number): number {
  return Math.floor((100 * roomOf(markedBytes)) / markedBytes);
}

function roomOf(markedBytes: number): number {
  return Math.max(ROOM_BYTES, markedBytes);
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
