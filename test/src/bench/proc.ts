/** What the kernel says that a process has used, all its threads together. */

import { readdir, readFile } from 'node:fs/promises';

/** Linux counts CPU time in hundredths of a second here, and in nanoseconds for each thread. */
const TICKS_PER_SECOND = 100;
const NANOSECONDS = 1e9;

/**
 * User and system time so far. That of a thread which has ended is only in the coarse count, and of
 * the two counts it is then the larger; otherwise it is the smaller, since it is rounded down.
 */
export async function cpuSeconds(pid: number | undefined): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const coarse = (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
  const threads = await readdir(`/proc/${pid}/task`);
  const times = await Promise.all(threads.map((thread) => threadSeconds(pid, thread)));
  return Math.max(
    coarse,
    times.reduce((total, time) => total + time, 0),
  );
}

/** The time of the thread that JavaScript runs on. */
export async function mainThreadSeconds(pid: number | undefined): Promise<number> {
  return threadSeconds(pid, String(pid));
}

/** 0 if the thread has just ended, or the kernel keeps no such figures. */
async function threadSeconds(pid: number | undefined, thread: string): Promise<number> {
  const file = `/proc/${pid}/task/${thread}/schedstat`;
  const text = await readFile(file, 'utf8').catch(() => '0');
  return Number(text.split(' ')[0]) / NANOSECONDS;
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
