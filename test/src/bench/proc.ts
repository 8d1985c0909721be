/** What the kernel says that a process has used, all its threads together. */

import { readFile } from 'node:fs/promises';

/** Linux counts CPU time in hundredths of a second. */
const TICKS_PER_SECOND = 100;

/** User and system time so far. */
export async function cpuSeconds(pid: number | undefined): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** The most memory that it has had at any time. */
export async function peakRssBytes(pid: number | undefined): Promise<number> {
  return memory(pid, 'VmHWM');
}

/** The memory that it has now. */
export async function rssBytes(pid: number | undefined): Promise<number> {
  return memory(pid, 'VmRSS');
}

async function memory(pid: number | undefined, field: string): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1] ?? 0) * 1024;
}
