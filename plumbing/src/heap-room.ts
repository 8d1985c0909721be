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

import { getHeapStatistics, setFlagsFromString } from 'node:v8';

/** More than the 64 MiB outside the heap after which V8 scavenges. It is used only by garbage. */
const ROOM_BYTES = 96 * 1024 * 1024;

/** How often the room is fitted to what the heap has become. */
const INTERVAL_MS = 10_000;

/** From now on, as long as the process lives. V8 reads this flag whenever it has marked. */
export function giveHeapRoom(): void {
  fitRoom();
  setInterval(fitRoom, INTERVAL_MS).unref();
}

function fitRoom(): void {
  setFlagsFromString(`--heap-growing-percent=${growthPercent(getHeapStatistics().used_heap_size)}`);
}

/** By how many percent a heap of so many bytes may grow until it is marked; 0 is V8's own choice. */
export function growthPercent(usedBytes: number): number {
  return usedBytes < ROOM_BYTES ? Math.floor((100 * ROOM_BYTES) / usedBytes) : 0;
}
