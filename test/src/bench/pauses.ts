/**
 * Loaded into a process under test before its own module (`node --import …?file=PATH`): counts how
 * often its event loop stood still for more than 50 ms, and writes it to the file each second.
 *
 * It shows in a timer of 10 ms that comes late. On a machine that others use, a process also stands
 * still when another has its core; so it is told, too, how much of the longest it computed itself.
 * Since the last writing nothing is lost but a second. Who takes the file away begins anew: what is
 * in the next one is younger.
 */

import { existsSync, readFileSync, writeFileSync } from 'node:fs';

const TICK_MS = 10;
const PAUSE_MS = 50;
const WRITE_EVERY_MS = 1000;
/** What the kernel knows of the main thread, which this runs in: first, its ns of CPU time. */
const USED = '/proc/thread-self/schedstat';

const file = new URL(import.meta.url).searchParams.get('file') ?? '';
let count = 0;
let longestMs = 0;
let longestCpuMs = 0;
let tickedAt = performance.now();
let usedMs = cpuMs();
let writtenAt = Number.NEGATIVE_INFINITY;

setInterval(() => {
  const now = performance.now();
  const lateMs = now - tickedAt - TICK_MS;
  const used = cpuMs();
  if (lateMs > PAUSE_MS) count += 1;
  longestMs = Math.max(longestMs, lateMs);
  longestCpuMs = Math.max(longestCpuMs, Math.min(lateMs, used - usedMs));
  tickedAt = now;
  usedMs = used;
  if (now - writtenAt < WRITE_EVERY_MS) return;
  writtenAt = now;
  if (!existsSync(file)) [count, longestMs, longestCpuMs] = [0, 0, 0];
  writeFileSync(file, JSON.stringify({ count, longestMs, longestCpuMs }));
}, TICK_MS).unref();

function cpuMs(): number {
  return Number(readFileSync(USED, 'utf8').split(' ')[0]) / 1e6;
}
